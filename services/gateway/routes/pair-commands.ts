import { idParams } from '#schemas/http/common.ts';
import { operationView as operationViewSchema } from '#schemas/http/operations.ts';
import { fenceQuery, fenceReply, pairSummary as pairSummarySchema, resyncBody } from '#schemas/http/pairs.ts';
import { formatPosition } from '#schemas/position.ts';
import { pausePair, startPair } from '#services/control/pair-commands.ts';
import { resync } from '#services/control/table-commands.ts';
import { openSource, openTarget, storedConnection } from '../ends.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { fencePair } from '../pairs/fence-pair.ts';
import { fence } from '../pairs/fence.ts';
import { replies, words } from '../schema.ts';
import { operationView, pairSummary } from '../views.ts';

/** Commands are wishes in the control database: the sync-service follows them, and none can be lost on the way. */
export function pairCommandRoutes(app: App, deps: GatewayDeps): void {
  const { clock } = deps;

  for (const [verb, summary, desired] of [
    ['start', 'Start a pair', 'running'],
    ['resume', 'Resume a pair', 'running'],
    ['pause', 'Pause a pair', 'paused'],
  ] as const) {
    const description =
      desired === 'running'
        ? 'It runs from now on: loaded first if it never was, then streaming. A pair that had failed is tried again.'
        : 'It finishes what is in hand and stops; changes wait at the source and in the topic. `state` says "paused" once it has.';
    app.post(
      `/api/sync-pairs/:id/${verb}`,
      {
        schema: {
          ...words('Sync pairs', summary, description),
          params: idParams,
          response: replies({ 200: pairSummarySchema }),
        },
      },
      (request) =>
        change(deps, request, { entityKind: 'sync_pair', verb }, async (transaction) => {
          const before = await transaction.pairs.lock(request.params.id);
          if (desired === 'running') await startPair(transaction, before, request.principal!.name);
          else await pausePair(transaction, before);
          const after = await transaction.pairs.get(before.id);
          return {
            entityId: before.id,
            before: { desired: before.desired, state: before.state },
            after: { desired: after.desired, state: after.state },
            result: pairSummary(after, clock.now()),
          };
        }),
    );
  }

  app.post(
    '/api/sync-pairs/:id/resync',
    {
      schema: {
        ...words(
          'Sync pairs',
          'Load tables anew',
          "The rows of these tables, or of all, are taken from the source again and replace those at the target, while the pair streams on. They lag behind the other tables until they have caught up: see the tables' states. Foreign keys at the target bring connected tables along. A pair that has failed or was never loaded is loaded as a whole; a paused one does it once it is resumed.",
        ),
        params: idParams,
        body: resyncBody,
        response: replies({ 202: operationViewSchema }),
      },
    },
    async (request, reply) => {
      const operation = await change(
        deps,
        request,
        { entityKind: 'sync_pair', verb: 'resync' },
        async (transaction) => {
          const pair = await transaction.pairs.lock(request.params.id);
          const made = operationView(await resync(transaction, pair, request.body.tables, request.principal!.name));
          return { entityId: pair.id, after: { operation: made.id }, result: made };
        },
      );
      return reply.code(202).header('location', `/api/sync-operations/${operation.id}`).send(operation);
    },
  );

  app.post(
    '/api/sync-pairs/:id/fence',
    {
      schema: {
        ...words(
          'Sync pairs',
          'Wait until the target has everything',
          'Answers once everything committed at the source before the call is applied at the target; a load that is to come or under way is waited for. For tests, cut-overs and scripts.',
        ),
        params: idParams,
        querystring: fenceQuery,
        response: replies({ 200: fenceReply }),
      },
    },
    async (request) => {
      const { control } = request;
      const pair = await control.pairs.get(request.params.id);
      const { position, waitedMs } = await fence({
        pairId: pair.id,
        source: openSource(await storedConnection(control, pair.sourceId)),
        target: openTarget(await storedConnection(control, pair.targetId)),
        timeoutMs: request.query.timeout_s * 1000,
        pair: () => fencePair(control, pair.id),
        tools: { clock, log: request.log, signal: AbortSignal.any([request.signal, app.closing]) },
      });
      return { position: formatPosition(position), waited_ms: waitedMs };
    },
  );
}
