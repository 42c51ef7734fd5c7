import { healthView, statusView, welcome } from '#schemas/http/status.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { circuitStates } from '../circuit-breaker.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { replies, words } from '../schema.ts';
import { PATIENCE, within } from '../patience.ts';
import { StatusReader } from '../status.ts';

export function statusRoutes(app: App, deps: GatewayDeps): void {
  const { control, clock, options, syncService } = deps;
  const status = new StatusReader(deps, app.controlDatabase);
  circuitMetrics(app, deps);

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
        config: { shared: true },
        schema: {
          ...words('Status', 'State of every component and pair', 'Answers also when a part is down, and says which.'),
          response: replies({ 200: statusView }),
        },
      },
      ({ control: within, principal }) => status.read(within, principal?.systems),
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
          codeOf(app.controlDatabase.ask(() => control.database.query('SELECT 1'))),
          codeOf(within(clock, PATIENCE, late, () => syncService.health())),
        ]);
        // A sync-service that lacks something is there, and says what; without one nothing moves.
        const state = database === 'ok' && service === 'ok' ? ('ok' as const) : ('unavailable' as const);
        return reply
          .code(state === 'ok' ? 200 : 503)
          .send({ status: state, checks: { control_database: database, sync_service: service } });
      },
    );
  }
}

const late = (): TerraFusionError =>
  new TerraFusionError('SERVICE_UNAVAILABLE', 'The sync-service does not answer in time');

/** 0 closed, 1 about to be tried, 2 open: what is behind it does not answer, and is not asked. */
function circuitMetrics(app: App, { metrics, syncService }: GatewayDeps): void {
  const circuits = {
    'sync-service': () => syncService.circuit(),
    'control-database': () => app.controlDatabase.status(),
  };
  metrics.gauge(
    { name: 'gateway_circuit_state', help: 'Circuit to a part: 0 closed, 1 half open, 2 open.', labels: ['peer'] },
    (gauge) => {
      for (const [peer, read] of Object.entries(circuits)) gauge.set({ peer }, circuitStates.indexOf(read().state));
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
