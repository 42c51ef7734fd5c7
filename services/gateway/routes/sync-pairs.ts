import { randomUUID } from 'node:crypto';
import { TerraFusionError } from '#schemas/errors.ts';
import { idParams } from '#schemas/http/common.ts';
import {
  pairBody,
  pairCheckQuery,
  pairCheckReport,
  pairPatch,
  pairsPage,
  pairsQuery,
  pairTablesPage,
  pairTablesQuery,
  pairView as pairViewSchema,
} from '#schemas/http/pairs.ts';
import { z } from 'zod';
import type { PairInput } from '#schemas/pairs.ts';
import type { Repositories } from '#services/control/control.ts';
import { startPair } from '#services/control/pair-commands.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { type App, type GatewayDeps } from '../gateway.ts';
import { change, changeOnce } from '../mutations.ts';
import { checkChange, definitionWith } from '../pairs/change-pair.ts';
import { preparePair, refuseProblems, type PreparedEnd } from '../pairs/prepare-pair.ts';
import { applyTableChange } from '../pairs/table-changes.ts';
import { idempotencyHeader, replies, words } from '../schema.ts';
import { pageView, pairSummary, pairTableView, pairView } from '../views.ts';

/** Thousands of tables with their rules are more than other bodies, in bytes. */
const PAIR_BODY_LIMIT = 16 * 1024 * 1024;

export function syncPairRoutes(app: App, deps: GatewayDeps): void {
  const { clock } = deps;

  app.get(
    '/api/sync-pairs',
    {
      config: { lastKnown: true },
      schema: {
        ...words('Sync pairs', 'List sync pairs'),
        querystring: pairsQuery,
        response: replies({ 200: pairsPage }),
      },
    },
    async ({ control, query: { limit, cursor, system, ...filter } }) => {
      const systemId = system === undefined ? undefined : (await control.systems.get(system)).id;
      const page = await control.pairs.list({ ...filter, systemId }, { limit, cursor });
      return pageView(page, (pair) => pairSummary(pair, clock.now()));
    },
  );

  app.post(
    '/api/sync-pairs',
    {
      bodyLimit: PAIR_BODY_LIMIT,
      schema: {
        ...words(
          'Sync pairs',
          'Make a sync pair',
          'Everything is checked first, at both ends; if anything is wrong nothing is made, inline systems included.',
        ),
        headers: idempotencyHeader,
        body: pairBody,
        response: replies({ 201: pairViewSchema }),
      },
    },
    async (request, reply) => {
      const { body } = request;
      const made = await changeOnce(
        deps,
        request,
        reply,
        { entityKind: 'sync_pair', verb: 'create', status: 201 },
        async () => {
          const prepared = await preparePair(deps, request, body, { proof: false });
          refuseProblems(prepared.report);
          return prepared;
        },
        async (transaction, prepared) => {
          const pair = await transaction.pairs.create({
            name: body.name,
            sourceId: await systemIdOf(transaction, prepared.source, body, 'source'),
            targetId: await systemIdOf(transaction, prepared.target, body, 'target'),
            tables: body.tables,
            config: body.config,
            desired: 'paused',
          });
          if (body.start) await startPair(transaction, pair, request.principal!.name);
          const view = await viewOf(transaction, await transaction.pairs.get(pair.id), clock.now());
          return { entityId: pair.id, after: view, result: view };
        },
      );
      return reply.header('location', `/api/sync-pairs/${made.id}`).send(made);
    },
  );

  app.post(
    '/api/sync-pairs/check',
    {
      bodyLimit: PAIR_BODY_LIMIT,
      schema: {
        ...words(
          'Sync pairs',
          'Check a pair without making it',
          'Looks at every table, column, type, key and privilege, and tells what would not arrive as it was: boundary values of every ' +
            "column's type are sent through the pair's chain into scratch tables at the target and read back. Changes nothing.",
        ),
        querystring: pairCheckQuery,
        body: pairBody,
        response: replies({ 200: pairCheckReport }),
      },
    },
    async (request) =>
      (await preparePair(deps, request, request.body, { proof: request.query.proof === 'true' })).report,
  );

  app.get(
    '/api/sync-pairs/:id',
    {
      config: { lastKnown: true },
      schema: {
        ...words('Sync pairs', 'Get a sync pair'),
        params: idParams,
        response: replies({ 200: pairViewSchema }),
      },
    },
    async ({ control, params }) => viewOf(control, await control.pairs.get(params.id), clock.now()),
  );

  app.patch(
    '/api/sync-pairs/:id',
    {
      bodyLimit: PAIR_BODY_LIMIT,
      schema: {
        ...words(
          'Sync pairs',
          'Change a sync pair',
          'The changed pair is checked like a new one. A loaded pair streams on: tables that are new in it are loaded beside its stream, those that are brought in another way are loaded anew (see resync_changed), and those that are gone keep their rows at the target.',
        ),
        params: idParams,
        body: pairPatch,
        response: replies({ 200: pairViewSchema }),
      },
    },
    async (request) => {
      const seen = await request.control.pairs.get(request.params.id);
      const { body } = request;
      const changes = body.tables !== undefined || body.config !== undefined;
      const report = changes ? await checkChange(deps, request, seen, body, { proof: false }) : undefined;
      if (report) refuseProblems(report);
      return await change(deps, request, { entityKind: 'sync_pair', verb: 'change' }, async (transaction) => {
        const { pairs } = transaction;
        const before = await pairs.lock(seen.id);
        if (changes && before.definition.version !== seen.definition.version) {
          throw new TerraFusionError(
            'CONFLICTING_STATE',
            `The pair ${seen.name} was changed by somebody else in this moment`,
          );
        }
        const definition = changes ? definitionWith(before.definition, body) : undefined;
        const changed = await pairs.change(seen.id, {
          name: body.name,
          definition,
          // A list is left for "every table": those that there are now.
          ...(body.tables === null && before.load.state === 'done'
            ? { members: report!.tables.map((table) => table.source) }
            : {}),
        });
        if (changes && before.load.state === 'done') {
          await applyTableChange(transaction, before, changed, {
            requestedBy: request.principal!.name,
            changedToo: body.resync_changed,
          });
        }
        const after = await pairs.get(seen.id);
        const view = await viewOf(transaction, after, clock.now());
        return {
          entityId: seen.id,
          before: { name: before.name, ...before.definition },
          after: { name: after.name, ...after.definition },
          result: view,
        };
      });
    },
  );

  app.post(
    '/api/sync-pairs/:id/check',
    {
      bodyLimit: PAIR_BODY_LIMIT,
      schema: {
        ...words(
          'Sync pairs',
          'Check a change of a pair without making it',
          'The body of PATCH; the pair is looked at as it would be then. Changes nothing.',
        ),
        params: idParams,
        querystring: pairCheckQuery,
        body: pairPatch,
        response: replies({ 200: pairCheckReport }),
      },
    },
    async (request) => {
      const { body, query, params } = request;
      const pair = await request.control.pairs.get(params.id);
      return await checkChange(deps, request, pair, body, { proof: query.proof === 'true' });
    },
  );

  app.delete(
    '/api/sync-pairs/:id',
    {
      schema: {
        ...words(
          'Sync pairs',
          'Remove a sync pair',
          'Its name is free at once; slot, publication and topics are removed by the sync-service as soon as it gets there, however long an end is away. The rows at the target stay.',
        ),
        params: idParams,
        querystring: deleteQuery,
        response: replies({ 202: deleted }),
      },
    },
    async (request, reply) => {
      const gone = await change(
        deps,
        request,
        { entityKind: 'sync_pair', verb: 'delete' },
        async ({ pairs, operations }) => {
          const { force } = request.query;
          // Deleted already, it is found by its id only: its name may be another's by now.
          if (force && (await pairs.find(request.params.id)) === undefined) {
            const forced = await pairs.forceRemoval(request.params.id);
            return { entityId: forced.id, after: { force }, result: forced };
          }
          const pair = await pairs.lock(request.params.id);
          await operations.cancelOpen(pair.id);
          await pairs.delete(pair.id);
          if (force) await pairs.forceRemoval(pair.id);
          return {
            entityId: pair.id,
            before: pairSummary(pair, clock.now()),
            result: { id: pair.id, name: pair.name },
          };
        },
      );
      return reply.code(202).send(gone);
    },
  );

  app.get(
    '/api/sync-pairs/:id/tables',
    {
      config: { lastKnown: true },
      schema: {
        ...words('Sync pairs', 'Tables of a pair'),
        params: idParams,
        querystring: pairTablesQuery,
        response: replies({ 200: pairTablesPage }),
      },
    },
    async ({ control, params, query }) => {
      const pair = await control.pairs.get(params.id);
      return pageView(await control.tables.page(pair.id, query), pairTableView);
    },
  );
}

const deleteQuery = z.strictObject({
  force: z
    .stringbool()
    .default(false)
    .describe(
      'Leave what is at an end that cannot be reached; also for a pair that was deleted before and waits for one, by its id. GET /api/systems/<id>/slots lists it later.',
    ),
});

const deleted = z
  .object({ id: z.string(), name: z.string() })
  .describe('Accepted: what it left elsewhere is being removed.')
  .meta({ example: { id: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2', name: 'pacs-to-cama' } });

async function viewOf(
  { generations, sourceSlots, tables, schemaChanges }: Repositories,
  pair: PairOverview,
  now: number,
) {
  // One after the other: within a transaction there is one connection.
  const generation = await generations.latest(pair.sourceId);
  const slot = await sourceSlots.of(pair.sourceId);
  const schemaChange = await schemaChanges.waiting(pair.id);
  return pairView(pair, now, { generation, slot, tables: await tables.list(pair.id), schemaChange });
}

async function systemIdOf(
  { systems }: Repositories,
  end: PreparedEnd,
  { name }: PairInput,
  role: string,
): Promise<string> {
  if (end.kind === 'registered') return end.id;
  const { connector, settings } = end.connection;
  const system = await systems.create({
    // No operator can choose a name with a slash, and a deleted pair's may linger for a moment.
    name: `${name}/${role}/${randomUUID().slice(0, 8)}`,
    connector: connector.name,
    connection: settings,
    secretFields: connector.secretFields,
    inline: true,
  });
  return system.id;
}
