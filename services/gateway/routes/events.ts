import { TerraFusionError } from '#schemas/errors.ts';
import type { Control } from '#services/control/control.ts';
import { scopeName } from '#services/control/scope.ts';
import { EventHub } from '../event-hub.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { words } from '../schema.ts';
import { StatusReader } from '../status.ts';

/** Streams that may be open at a time. */
const MOST_LISTENERS = 200;

export const EVENT_STREAMS = { name: 'event_streams', help: 'Open event streams.' } as const;

export function eventRoutes(app: App, deps: GatewayDeps): void {
  const { clock, log, metrics, options } = deps;
  const status = new StatusReader(deps, app.controlDatabase);
  // One for all who see the same: what one may not see is never read for him.
  const hubs = new Map<string, EventHub>();
  const hubOf = (control: Control, systems: readonly string[] | undefined): EventHub => {
    const name = scopeName(systems);
    const known = hubs.get(name);
    if (known) return known;
    for (const [idle, { size }] of hubs) if (size === 0) hubs.delete(idle);
    const hub = new EventHub({
      read: () => status.read(control, systems),
      clock,
      log,
      ...(options.eventsEveryMs === undefined ? {} : { everyMs: options.eventsEveryMs }),
    });
    hubs.set(name, hub);
    return hub;
  };
  const listeners = (): number => [...hubs.values()].reduce((sum, { size }) => sum + size, 0);
  metrics.gauge(EVENT_STREAMS, (gauge) => {
    gauge.set(listeners());
  });
  // Before the server waits for its connections to end: these would never.
  app.addHook('preClose', async () => {
    await Promise.all([...hubs.values()].map((hub) => hub[Symbol.asyncDispose]()));
  });

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
      if (listeners() >= MOST_LISTENERS)
        throw new TerraFusionError(
          'SERVICE_UNAVAILABLE',
          'Too many event streams are open; close one, or try again later',
        );
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
      hubOf(request.control, request.principal?.systems).add(reply.raw, () => request.stillAllowed());
      await Promise.resolve();
    },
  );
}
