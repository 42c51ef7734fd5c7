import { healthView, statusView, welcome } from '#schemas/http/status.ts';
import { asTerraFusionError } from '#schemas/errors.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { replies, words } from '../schema.ts';
import { readStatus } from '../status.ts';

export function statusRoutes(app: App, deps: GatewayDeps): void {
  const { control, clock, options, syncService } = deps;
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
}

async function codeOf(look: Promise<unknown>): Promise<string> {
  try {
    await look;
    return 'ok';
  } catch (error) {
    return asTerraFusionError(error).code;
  }
}
