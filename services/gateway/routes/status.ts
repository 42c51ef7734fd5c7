import { healthView, statusView, welcome } from '#schemas/http/status.ts';
import { asTerraFusionError } from '#schemas/errors.ts';
import { metricsView } from '#schemas/http/metrics.ts';
import { systemMetrics } from '#services/sync-service/system-metrics.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { replies, words } from '../schema.ts';
import { readStatus } from '../status.ts';

export function statusRoutes(app: App, deps: GatewayDeps): void {
  const { control, clock, metrics, options, syncService } = deps;
  const startedAt = new Date(clock.now());

  app.get(
    '/',
    { schema: { ...words('Status', 'Name, version, links'), security: [], response: replies({ 200: welcome }) } },
    () => ({
      name: 'TerraFusion Sync',
      version: options.version,
      links: { dashboard: '/dashboard', docs: '/docs', openapi: '/openapi.json', status: '/api/status' },
    }),
  );

  for (const url of ['/api/status', '/api/v1/status']) {
    app.get(
      url,
      {
        schema: {
          ...words('Status', 'State of every component and pair', 'Answers also when a part is down, and says which.'),
          response: replies({ 200: statusView }),
        },
      },
      ({ control: within }) => readStatus({ ...deps, control: within }, startedAt),
    );
  }

  app.get(
    '/health/live',
    { schema: { ...words('Status', 'Whether the gateway lives'), security: [], response: { 200: healthView } } },
    () => ({
      status: 'ok' as const,
      checks: {},
    }),
  );
  for (const url of ['/health', '/health/ready']) {
    app.get(
      url,
      {
        schema: {
          ...words('Status', 'Whether the gateway can do its work', '503 with the code of what is missing otherwise.'),
          security: [],
          response: { 200: healthView, 503: healthView },
        },
      },
      async (_request, reply) => {
        const [database, service] = await Promise.all([
          codeOf(control.database.query('SELECT 1')),
          codeOf(syncService.health()),
        ]);
        // Without a sync-service nothing moves, but everything can be read and wished for.
        const status = database === 'ok' ? ('ok' as const) : ('unavailable' as const);
        return reply
          .code(status === 'ok' ? 200 : 503)
          .send({ status, checks: { control_database: database, sync_service: service } });
      },
    );
  }

  app.get(
    '/api/metrics',
    { schema: { ...words('Status', 'Latest metrics'), response: replies({ 200: metricsView }) } },
    async ({ control: within }) => {
      const [system, operations, byState, totals, letters] = await Promise.all([
        systemMetrics(options.dataFolder),
        within.operations.counts(24),
        within.pairs.countByState(),
        within.progress.totals(),
        within.deadLetters.countOpen(),
      ]);
      const { requests, errors, seconds } = app.requestTotals;
      return {
        at: new Date(clock.now()).toISOString(),
        system,
        operations: { running: operations.running, completed_24h: operations.completed, failed_24h: operations.failed },
        api: { requests, errors, mean_ms: requests === 0 ? 0 : Math.round((seconds / requests) * 1e5) / 100 },
        business: {
          pairs: Object.values(byState).reduce((sum, count) => sum + count, 0),
          pairs_by_state: byState,
          changes_applied: totals.changesApplied,
          rows_copied: totals.rowsCopied,
          dead_letters_open: letters,
          lag_seconds_max: totals.lagSecondsMax ?? null,
        },
      };
    },
  );

  app.get(
    '/metrics',
    { schema: { ...words('Status', 'Metrics for Prometheus', 'Without a key from this machine.') } },
    async (_request, reply) => {
      const { contentType, text } = await metrics.render();
      return reply.type(contentType).send(text);
    },
  );
}

async function codeOf(look: Promise<unknown>): Promise<string> {
  try {
    await look;
    return 'ok';
  } catch (error) {
    return asTerraFusionError(error).code;
  }
}
