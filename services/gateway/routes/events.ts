import { TerraFusionError } from '#schemas/errors.ts';
import { EventHub } from '../event-hub.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { words } from '../schema.ts';
import { readStatus } from '../status.ts';

export function eventRoutes(app: App, deps: GatewayDeps): void {
  const { control, clock, log, metrics, options } = deps;
  const startedAt = new Date(clock.now());
  const hub = new EventHub({
    read: () => readStatus(deps, startedAt),
    clock,
    log,
    ...(options.eventsEveryMs === undefined ? {} : { everyMs: options.eventsEveryMs }),
  });
  metrics.gauge({ name: 'event_streams', help: 'Open event streams.' }, (gauge) => {
    gauge.set(hub.size);
  });
  // Before the server waits for its connections to end: these would never.
  app.addHook('preClose', () => hub[Symbol.asyncDispose]());

  app.get(
    '/api/events',
    {
      // A stream without a body would be open for ever and say nothing.
      exposeHeadRoute: false,
      schema: {
        ...words(
          'Status',
          'Follow what happens',
          'Server-sent events: "pairs", "components" and "alerts" as a whole at first, then "pair", "pair_deleted", "components" and "alerts" as they change. A reader that is too slow is cut off; it reads on by connecting again.',
        ),
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      if (hub.isFull)
        throw new TerraFusionError(
          'SERVICE_UNAVAILABLE',
          'Too many event streams are open; close one, or try again later',
        );
      const { principal } = request;
      const mayListen = async (): Promise<boolean> => {
        if (!principal || principal.id === 'local') return true;
        const key = await control.apiKeys.find(principal.id);
        return (
          key !== undefined &&
          key.revokedAt === undefined &&
          (key.expiresAt === undefined || key.expiresAt.getTime() > clock.now())
        );
      };
      // From here on the reply is ours, with the headers that hold for all.
      reply.hijack();
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) reply.raw.setHeader(name, value);
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        connection: 'keep-alive',
        // nginx would hold events back.
        'x-accel-buffering': 'no',
      });
      hub.add(reply.raw, mayListen);
      await Promise.resolve();
    },
  );
}
