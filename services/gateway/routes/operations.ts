import type { Lsn } from '#schemas/lsn.ts';
import { idParams, USUAL_PAGE } from '#schemas/http/common.ts';
import {
  operationBody,
  operationsPage,
  operationsQuery,
  operationView as operationViewSchema,
  type OperationView,
} from '#schemas/http/operations.ts';
import type { FastifyRequest } from 'fastify';
import { assertLoaded, startFull, startIncremental } from '#services/control/pair-commands.ts';
import { cancel } from '#services/control/table-commands.ts';
import type { PageRequest } from '#services/control/pages.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { look, openSource, storedConnection } from '../ends.ts';
import { listOf, sendCsv, wantsCsv, type Columns } from '../csv.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change, changeOnce } from '../mutations.ts';
import { idempotencyHeader, replies, words } from '../schema.ts';
import { operationView, pageView } from '../views.ts';

const columns: Columns<OperationView> = [
  ['id', ({ id }) => id],
  ['pair_id', ({ pair }) => pair.id],
  ['pair', ({ pair }) => pair.name],
  ['type', ({ type }) => type],
  ['state', ({ state }) => state],
  ['started_by', ({ started_by }) => started_by],
  ['created_at', ({ created_at }) => created_at],
  ['started_at', ({ started_at }) => started_at],
  ['finished_at', ({ finished_at }) => finished_at],
  ['rows_copied', ({ counts }) => counts.rows_copied],
  ['inserted', ({ counts }) => counts.inserted],
  ['updated', ({ counts }) => counts.updated],
  ['deleted', ({ counts }) => counts.deleted],
  ['dead_letters', ({ counts }) => counts.dead_letters],
  ['error_code', ({ error }) => error?.code],
  ['error_message', ({ error }) => error?.message],
];

export function operationRoutes(app: App, deps: GatewayDeps): void {
  cancelRoute(app, deps);

  app.get(
    '/api/sync-operations',
    {
      config: { lastKnown: true },
      schema: {
        ...words(
          'Sync operations',
          'List sync operations',
          'Latest first; as a table for spreadsheets with format=csv.',
        ),
        querystring: operationsQuery,
        response: replies({ 200: operationsPage }),
      },
    },
    async (request, reply) => {
      const { control } = request;
      const { limit, cursor, format, pair, ...filter } = request.query;
      const pairId = pair === undefined ? undefined : (await control.pairs.get(pair)).id;
      const list = (page: PageRequest) => control.operations.list({ ...filter, pairId }, page);
      if (!wantsCsv(request, format)) {
        return pageView(await list({ limit: limit ?? USUAL_PAGE, cursor }), operationView);
      }
      return sendCsv(reply, 'operations', columns, listOf(list, operationView), { limit, cursor });
    },
  );

  app.get(
    '/api/sync-operations/:id',
    {
      config: { lastKnown: true },
      schema: {
        ...words('Sync operations', 'Get a sync operation'),
        params: idParams,
        response: replies({ 200: operationViewSchema }),
      },
    },
    async ({ control, params }) => operationView(await control.operations.get(params.id)),
  );

  app.post(
    '/api/sync-operations',
    {
      schema: {
        ...words(
          'Sync operations',
          'Start a sync operation',
          'full: loads all tables anew; the pair runs from then on. incremental: is completed once the target has everything that was committed at the source before the call; a pair that was paused runs until then.',
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
          const pair = await request.control.pairs.get(idOrName);
          if (type === 'full') return { id: pair.id };
          assertLoaded(pair);
          return { id: pair.id, until: await markAt(deps, request, pair) };
        },
        async (transaction, { id, until }) => {
          const by = request.principal!.name;
          const pair = await transaction.pairs.lock(id);
          const operation =
            until === undefined
              ? await startFull(transaction, pair, { by, pauseAfter: false })
              : await startIncremental(transaction, pair, until, { by, pauseAfter: true });
          const view = operationView(operation);
          return { entityId: operation.id, after: view, result: view };
        },
      );
      return reply.header('location', `/api/sync-operations/${made.id}`).send(made);
    },
  );
}

/** Its answer tells the operation as it is: asked to end, not ended. */
function cancelRoute(app: App, deps: GatewayDeps): void {
  app.post(
    '/api/sync-operations/:id/cancel',
    {
      schema: {
        ...words(
          'Sync operations',
          'Cancel a sync operation',
          'A load of tables beside the stream ends as "cancelled" once its tables are in a state that can be told. Before their rows were replaced they come back to the stream with the rows they had; tables that are new in the pair, or brought in another way, are left out of it then ("left_out") until they are resynced. Afterwards they catch up with the new rows: that is quicker than anything else.',
        ),
        params: idParams,
        response: replies({ 202: operationViewSchema }),
      },
    },
    async (request, reply) => {
      const view = await change(
        deps,
        request,
        { entityKind: 'sync_operation', verb: 'cancel' },
        async (transaction) => {
          const { before, after } = await cancel(transaction, request.params.id);
          return {
            entityId: before.id,
            before: operationView(before),
            after: operationView(after),
            result: operationView(after),
          };
        },
      );
      return reply.code(202).send(view);
    },
  );
}

/** Writes a message of ours into the source's WAL: everything committed before the call lies before it. */
export async function markAt(
  { clock }: GatewayDeps,
  { control, log, signal }: FastifyRequest,
  pair: PairOverview,
): Promise<Lsn> {
  const source = openSource(await storedConnection(control, pair.sourceId));
  return await look('source', { clock, log, signal }, (context) =>
    source.emitMessage('terrafusion.fence', pair.id, context),
  );
}
