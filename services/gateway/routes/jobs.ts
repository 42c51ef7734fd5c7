import type { FastifyRequest } from 'fastify';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import {
  jobAccepted,
  jobBody,
  jobHealth,
  jobParams,
  jobsPage,
  jobsQuery,
  jobTableParams,
  jobValidation,
  jobView as jobViewSchema,
  type JobBody,
} from '#schemas/http/jobs.ts';
import type { Lsn } from '#schemas/lsn.ts';
import { tableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import type { Repositories } from '#services/control/control.ts';
import {
  assertLoaded,
  resumeOperation,
  startFull,
  startIncremental,
  stopOperation,
} from '#services/control/pair-commands.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { storedConnection } from '../ends.ts';
import { invalidFields } from '../fields.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { ensureJobPair, findJobPair, hasBegun, pairConfigOf, readEnds, refuseUnsupported } from '../jobs/job-pair.ts';
import { jobSummary, jobView, strategyOf } from '../jobs/job-views.ts';
import { change, changeOnce } from '../mutations.ts';
import { checkEnds } from '../pairs/prepare-pair.ts';
import { idempotencyHeader, replies, words } from '../schema.ts';
import { operationView, pageView } from '../views.ts';
import { markAt } from './operations.ts';

/** The job API, on operations and pairs like everything else: a job is an operation. */
export function jobRoutes(app: App, deps: GatewayDeps): void {
  for (const [type, description] of [
    [
      'full',
      'Loads every table of the source anew. The pair of the two databases is made when there is none; between jobs it rests, unless somebody has started it.',
    ],
    [
      'incremental',
      'Is completed once the target has everything that was committed at the source before the call. Needs a full job of the same two databases before it.',
    ],
  ] as const) {
    app.post(
      `/api/sync/${type}`,
      {
        schema: {
          ...words('Jobs', `Start a ${type} job`, description),
          headers: idempotencyHeader,
          body: jobBody,
          response: replies({ 202: jobAccepted }),
        },
      },
      async (request, reply) => {
        const { config } = request.body;
        const accepted = await changeOnce(
          deps,
          request,
          reply,
          { entityKind: 'sync_operation', verb: `start_${type}`, status: 202 },
          () =>
            type === 'full'
              ? prepareFull(deps, request, request.body)
              : prepareIncremental(deps, request, request.body),
          async (transaction, prepared) => {
            const wish = {
              by: request.principal!.name,
              pauseAfter: true,
              parameters: { detection_strategy: config.detection_strategy, config },
            };
            const { pair, made } = await prepared.pair(transaction);
            const operation =
              prepared.until === undefined
                ? await startFull(transaction, pair, wish)
                : await startIncremental(transaction, pair, prepared.until, wish);
            return {
              entityId: operation.id,
              after: { ...operationView(operation), pair_made: made },
              result: {
                job_id: operation.id,
                status: operation.state,
                pair_id: pair.id,
                detection_strategy: strategyOf(operation),
              },
            };
          },
        );
        return reply.header('location', `/api/sync/status/${accepted.job_id}`).send(accepted);
      },
    );
  }

  app.get(
    '/api/sync/status/:job_id',
    {
      config: { lastKnown: true },
      schema: {
        ...words('Jobs', 'Status of a job', 'Any sync operation is a job. Tables are shown as they stand now.'),
        params: jobParams,
        response: replies({ 200: jobViewSchema }),
      },
    },
    ({ control, params }) => viewOf(control, params.job_id),
  );

  for (const [verb, summary, description, act] of [
    [
      'stop',
      'Stop a job',
      'It stops at a checkpoint ("stopping", then "stopped") and can be resumed. A pair that streams by itself streams on.',
      stopOperation,
    ],
    [
      'resume',
      'Resume a job',
      'A stopped job goes on from its checkpoint, a failed one is tried again.',
      resumeOperation,
    ],
  ] as const) {
    app.post(
      `/api/sync/${verb}/:job_id`,
      {
        schema: {
          ...words('Jobs', summary, description),
          params: jobParams,
          response: replies({ 202: jobViewSchema }),
        },
      },
      async (request, reply) => {
        const { pair } = await request.control.operations.get(request.params.job_id);
        const view = await change(deps, request, { entityKind: 'sync_operation', verb }, async (transaction) => {
          const held = await transaction.pairs.lock(pair.id);
          const before = await transaction.operations.get(request.params.job_id);
          await act(transaction, before, held);
          const after = await viewOf(transaction, before.id);
          return {
            entityId: before.id,
            before: { state: before.state },
            after: { state: after.status },
            result: after,
          };
        });
        return reply.code(202).send(view);
      },
    );
  }

  app.post(
    '/api/sync/validate/:job_id/:table',
    {
      schema: {
        ...words(
          'Jobs',
          'Validate the schema of a table pair',
          'Looks at the table at both ends, and changes nothing.',
        ),
        params: jobTableParams,
        response: replies({ 200: jobValidation }),
      },
    },
    async (request) => {
      const { control } = request;
      const { job_id, table } = request.params;
      const operation = await control.operations.get(job_id);
      return {
        job_id: operation.id,
        ...(await validate(deps, request, await control.pairs.get(operation.pair.id), table)),
      };
    },
  );

  app.get(
    '/api/sync/operations',
    {
      config: { lastKnown: true },
      schema: {
        ...words('Jobs', 'List jobs', 'Latest first.'),
        querystring: jobsQuery,
        response: replies({ 200: jobsPage }),
      },
    },
    async ({ control, query: { limit, cursor, status } }) =>
      pageView(await control.operations.list({ state: status }, { limit, cursor }), (operation) =>
        jobSummary(operation),
      ),
  );

  app.get(
    '/api/sync/health',
    { schema: { ...words('Jobs', 'Health of the service'), response: replies({ 200: jobHealth, 503: jobHealth }) } },
    async (_request, reply) => {
      const health = await healthOf(deps);
      return reply.code(health.status === 'ok' ? 200 : 503).send(health);
    },
  );
}

/** What was looked at before the transaction, and how the job comes to its pair within it. */
interface Prepared {
  readonly pair: (transaction: Repositories) => Promise<{ readonly pair: PairOverview; readonly made: boolean }>;
  readonly until?: Lsn;
}

async function prepareFull(deps: GatewayDeps, request: FastifyRequest, body: JobBody): Promise<Prepared> {
  refuseUnsupported(body.config);
  const ends = await readEnds(body);
  const config = pairConfigOf(body.config);
  const known = await findJobPair(request.control, ends);
  if (!known && request.principal!.systems) {
    throw new TerraFusionError(
      'FORBIDDEN',
      'There is no pair of these two databases within what the key is limited to, and it can register none',
    );
  }
  // Also for a pair that is there: what is stored of its connection is replaced only by what works.
  const report = await checkEnds(
    deps,
    request,
    ends.source,
    ends.target,
    {
      definition: { version: 1, tables: undefined, config },
      loaded: known !== undefined && hasBegun(known),
      stream: known && (await deps.control.generations.latest(known.sourceId))?.stream,
      proof: false,
      plan: false,
    },
    known?.id,
  );
  const named = { source: 'source_connection', target: 'target_connection' } as const;
  const problems = report.problems.map((problem) => ({
    ...problem,
    path: problem.path === 'source' || problem.path === 'target' ? named[problem.path] : problem.path,
  }));
  if (problems.length > 0) throw invalidFields(problems, 'pair', 'PAIR_INVALID');
  return {
    pair: async (transaction) => {
      await transaction.pairs.holdMaking();
      return ensureJobPair(transaction, ends, config);
    },
  };
}

/** Catching up changes nothing of the pair: its own connection is used, not the one that was given. */
async function prepareIncremental(deps: GatewayDeps, request: FastifyRequest, body: JobBody): Promise<Prepared> {
  refuseUnsupported(body.config);
  const pair = await findJobPair(request.control, await readEnds(body));
  if (!pair) {
    throw new TerraFusionError('PAIR_NOT_LOADED', 'There is no pair of these two databases: none was ever loaded');
  }
  assertLoaded(pair);
  return {
    pair: async (transaction) => ({ pair: await transaction.pairs.lock(pair.id), made: false }),
    until: await markAt(deps, request, pair),
  };
}

export async function viewOf({ operations, pairs, tables }: Repositories, jobId: string) {
  const operation = await operations.get(jobId);
  const pair = await pairs.find(operation.pair.id);
  return jobView(operation, pair?.error, await tables.list(operation.pair.id));
}

async function validate(deps: GatewayDeps, request: FastifyRequest, pair: PairOverview, table: string) {
  const wanted = formatTableName(parseTableName(table));
  const { tables, config, version } = pair.definition;
  const input =
    tables === undefined
      ? tableInput.parse({ source: wanted })
      : tables.find(({ source }) => formatTableName(parseTableName(source)) === wanted);
  if (!input) {
    throw new TerraFusionError('NOT_FOUND', `There is no table ${wanted} in the pair ${pair.name}`, {
      details: { table: wanted },
    });
  }
  const source = await storedConnection(deps.control, pair.sourceId);
  const target = await storedConnection(deps.control, pair.targetId);
  const loaded = hasBegun(pair);
  const report = await checkEnds(
    deps,
    request,
    source,
    target,
    {
      // Once it is loaded a table must be there: nobody will make it.
      definition: { version, tables: [input], config: { ...config, create_tables: config.create_tables && !loaded } },
      loaded,
      stream: (await deps.control.generations.latest(pair.sourceId))?.stream,
      proof: false,
      plan: false,
    },
    pair.id,
  );
  const relative = <P extends { readonly path: string }>(problem: P): P => ({
    ...problem,
    path: problem.path.replace(/^tables\[0\]\.?/, ''),
  });
  return {
    source: wanted,
    target: formatTableName(parseTableName(input.target ?? input.source)),
    valid: report.ok,
    problems: report.problems.map(relative),
    lossy: report.lossy.map(relative),
  };
}

async function healthOf({ syncService, control }: GatewayDeps) {
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'ok',
      (error: unknown) => asTerraFusionError(error).code as string,
    );
  const [database, service] = await Promise.all([
    codeOf(control.database.query('SELECT 1')),
    syncService.health().catch((error: unknown) => asTerraFusionError(error).code),
  ]);
  const told = typeof service === 'string' ? { sync_service: service } : { sync_service: 'ok', ...service.checks };
  const checks: Record<string, string> = { ...told, control_database: database };
  const ok = Object.values(checks).every((check) => check === 'ok');
  return { status: ok ? ('ok' as const) : ('unavailable' as const), checks };
}
