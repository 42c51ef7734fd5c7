import { formatLsn } from '#schemas/lsn.ts';
import { idParams } from '#schemas/http/common.ts';
import {
  operationBody,
  operationsPage,
  operationsQuery,
  operationView as operationViewSchema,
} from '#schemas/http/operations.ts';
import type { FastifyRequest } from 'fastify';
import type { PairOverview } from '#services/control/pair-records.ts';
import { look, openSource, storedConnection } from '../ends.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { changeOnce } from '../mutations.ts';
import { loadAnew, wantRunning } from '../pairs/commands.ts';
import { idempotencyHeader, replies, words } from '../schema.ts';
import { operationView, pageView } from '../views.ts';

export function operationRoutes(app: App, deps: GatewayDeps): void {
  const { control } = deps;

  app.get(
    '/api/sync-operations',
    {
      schema: {
        ...words('Sync operations', 'List sync operations', 'Latest first.'),
        querystring: operationsQuery,
        response: replies({ 200: operationsPage }),
      },
    },
    async ({ query: { limit, cursor, pair, ...filter } }) => {
      const pairId = pair === undefined ? undefined : (await control.pairs.get(pair)).id;
      return pageView(await control.operations.list({ ...filter, pairId }, { limit, cursor }), operationView);
    },
  );

  app.get(
    '/api/sync-operations/:id',
    {
      schema: {
        ...words('Sync operations', 'Get a sync operation'),
        params: idParams,
        response: replies({ 200: operationViewSchema }),
      },
    },
    async ({ params }) => operationView(await control.operations.get(params.id)),
  );

  app.post(
    '/api/sync-operations',
    {
      schema: {
        ...words(
          'Sync operations',
          'Start a sync operation',
          'full: loads all tables anew. incremental: is completed once the target has everything that was committed at the source before the call. The pair runs from then on.',
        ),
        headers: idempotencyHeader,
        body: operationBody,
        response: replies({ 202: operationViewSchema }),
      },
    },
    async (request, reply) => {
      const { type, pair_id: idOrName } = request.body;
      const made = await changeOnce(
        deps,
        request,
        reply,
        { entityKind: 'sync_operation', verb: `start_${type}`, status: 202 },
        async () => {
          const pair = await control.pairs.get(idOrName);
          return type === 'incremental' ? { id: pair.id, until: await markAt(deps, request, pair) } : { id: pair.id };
        },
        async (transaction, { id, until }) => {
          const { operations, pairs } = transaction;
          const by = request.principal!.name;
          const pair = await pairs.lock(id);
          const operation =
            until === undefined
              ? await loadAnew(transaction, pair, 'full', by)
              : await operations.create({
                  pairId: id,
                  type: 'incremental',
                  requestedBy: by,
                  parameters: { until_lsn: until },
                  state: 'running',
                });
          await wantRunning(transaction, await pairs.get(id), by);
          const view = operationView(operation);
          return { entityId: operation.id, after: view, result: view };
        },
      );
      return reply.header('location', `/api/sync-operations/${made.id}`).send(made);
    },
  );
}

/** A message of ours in the source's WAL: everything committed before the call lies before it. */
async function markAt(
  { control, clock }: GatewayDeps,
  { log, signal }: FastifyRequest,
  pair: PairOverview,
): Promise<string> {
  const source = openSource(await storedConnection(control, pair.sourceId));
  const lsn = await look('source', { clock, log, signal }, (context) =>
    source.emitMessage('terrafusion.fence', pair.id, context),
  );
  return formatLsn(lsn);
}
