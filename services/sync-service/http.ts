import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { randomUUID, timingSafeEqual, createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { asTerraFusionError, errorKinds, TerraFusionError } from '#schemas/errors.ts';
import { replayRequest, type SyncServiceHealth } from '#schemas/http/sync-service.ts';
import type { Secret } from '#schemas/secret.ts';
import type { Control } from '#services/control/control.ts';
import type { Bus } from '#services/kernel/bus/port.ts';
import { httpMetrics } from '#services/kernel/http-metrics.ts';
import type { Log } from '#services/kernel/log.ts';
import { maskText } from '#services/kernel/masking.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { Settings } from '#services/kernel/settings.ts';
import { version } from './heartbeat.ts';
import { operationRoutes, read } from './http-operations.ts';
import type { Supervisor } from './supervisor.ts';
import { systemMetrics } from './system-metrics.ts';
import type { Role } from './wanted.ts';

/** A stage that is a process of its own. */
export type Stage = Exclude<Role, 'supervisor'>;

/** Where each listens unless it is told: all stages can run on one machine. */
const stagePorts: Readonly<Record<Stage, number>> = { reader: 8081, 'stream-processor': 8082, writer: 8083 };

export interface HttpParts {
  readonly settings: Settings;
  readonly control: Control;
  readonly bus: Bus;
  readonly supervisor: Supervisor;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Which stage this process is: it tells health and metrics, and takes no commands. undefined: the sync-service itself. */
  readonly stage?: Stage | undefined;
}

/** The HTTP interface while it listens. */
export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

/** Paths that need no key: a load balancer or Prometheus has none. */
const open = new Set(['/health', '/health/live', '/health/ready', '/metrics']);

/**
 * Serves health and metrics of any process, and of the sync-service the few commands that need an answer from the process itself. Everything else goes through the control
 * database, where no command can be lost.
 * @throws {TerraFusionError} PORT_IN_USE
 */
export async function serveSyncService(parts: HttpParts): Promise<HttpServer> {
  const { host, port, variable } = addressOf(parts);
  const app = build(parts);
  try {
    await app.listen({ host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new TerraFusionError('PORT_IN_USE', `Port ${port} is in use (${variable})`, { cause });
  }
  return {
    port: (app.server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => app.close(),
  };
}

function addressOf({ settings: { syncService, stage: own }, stage }: HttpParts): {
  readonly host: string;
  readonly port: number;
  readonly variable: string;
} {
  if (stage === undefined) return { ...syncService, variable: 'SYNC_SERVICE_PORT' };
  return { host: own.host, port: own.port ?? stagePorts[stage], variable: 'STAGE_PORT' };
}

function build(parts: HttpParts): FastifyInstance {
  const { settings, metrics, log } = parts;
  const app = Fastify({ genReqId: requestId, bodyLimit: 16 * 1024 * 1024, forceCloseConnections: true });
  const apiKey = settings.syncService.apiKey;
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
    if (!open.has(request.url.split('?', 1)[0]!)) authenticate(request, apiKey);
  });
  app.setNotFoundHandler((request) => {
    throw new TerraFusionError('NOT_FOUND', `There is no ${request.method} ${request.url}`);
  });
  app.setErrorHandler((thrown, request, reply) => answer(thrown, request, reply, log));

  const durations = httpMetrics(metrics);
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    durations.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    done();
  });

  app.get('/health/live', () => ({ status: 'ok', pid: process.pid }));
  app.get('/health', async (_request, reply) => {
    const health = await look(parts);
    return reply.code(health.status === 'ok' ? 200 : 503).send(health);
  });
  app.get('/health/ready', async (_request, reply) => {
    const health = await look(parts);
    return reply.code(health.status === 'ok' ? 200 : 503).send({ status: health.status, checks: health.checks });
  });
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics.render();
    return reply.type(contentType).send(text);
  });
  if (parts.stage === undefined) commandRoutes(app, parts);
  return app;
}

function commandRoutes(app: FastifyInstance, { settings, control, supervisor, log }: HttpParts): void {
  app.get('/api/metrics/system', () => systemMetrics(settings.dataFolder));
  app.get('/systems', async () => {
    const { items } = await control.systems.list({}, { limit: 1000 });
    return { items: items.map(({ id, name, kind, connector }) => ({ id, name, kind, connector })) };
  });
  app.get('/sync-pairs', async () => {
    const { items } = await control.pairs.list({}, { limit: 1000 });
    return {
      items: items.map(({ id, name, desired, state, progress, error }) => ({
        id,
        name,
        desired,
        state,
        position: progress?.position ?? null,
        error: error?.code ?? null,
      })),
    };
  });
  operationRoutes(app, {
    control,
    log,
    wake: () => {
      supervisor.wake();
    },
  });
  app.post<{ Params: { id: string } }>('/dead-letters/:id/replay', async ({ params, body, id: request }) => {
    await supervisor.replay(params.id, read(replayRequest, body).row, request);
    return { id: params.id, applied: true };
  });
}

async function look({ control, bus, supervisor }: HttpParts): Promise<SyncServiceHealth> {
  const [database, topics] = await Promise.all([codeOf(control.database.query('SELECT 1')), codeOf(bus.listTopics())]);
  const { restarts, roles } = supervisor.status();
  return {
    status: database === 'ok' && topics === 'ok' ? 'ok' : 'unavailable',
    checks: { control_database: database, bus: topics },
    version,
    started_at: new Date(Date.now() - process.uptime() * 1000).toISOString(),
    components: [
      {
        name: 'bus',
        state: topics === 'ok' ? 'up' : 'down',
        message: topics === 'ok' ? `The ${bus.kind} bus answers` : `The ${bus.kind} bus does not answer: ${topics}`,
        since: null,
        details: { kind: bus.kind, ...busUsage(bus) },
      },
      {
        name: 'stages',
        state: 'up',
        message: `Runs ${roles.join(', ')}`,
        since: null,
        details: { restarts },
      },
    ],
  };
}

function busUsage(bus: Bus): Record<string, number> {
  const usage = bus.usage?.();
  return usage ? { used_bytes: usage.usedBytes, max_bytes: usage.maxBytes } : {};
}

async function codeOf(look: Promise<unknown>): Promise<string> {
  try {
    await look;
    return 'ok';
  } catch (thrown) {
    return asTerraFusionError(thrown).code;
  }
}

/** Constant in time whatever is sent: digests are compared, not keys. (Promise 8) */
function authenticate(request: FastifyRequest, apiKey: Secret | undefined): void {
  const given = request.headers['x-api-key'];
  if (apiKey !== undefined && typeof given === 'string' && timingSafeEqual(digest(given), digest(apiKey.reveal())))
    return;
  throw new TerraFusionError('UNAUTHENTICATED', 'The sync-service wants the key of SYNCSERVICE_API_KEY in X-API-Key');
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function requestId({ headers }: { headers: Record<string, unknown> }): string {
  const given = headers['x-request-id'];
  // As the gateway takes it.
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

function answer(thrown: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const framework = (thrown as { statusCode?: number }).statusCode;
  const error =
    framework !== undefined && framework < 500
      ? new TerraFusionError('REQUEST_NOT_JSON', 'The body is not JSON', { cause: thrown })
      : asTerraFusionError(thrown);
  const { status } = errorKinds[error.code];
  if (status >= 500)
    log.warn({ request: request.id, url: request.url, code: error.code, error }, 'A request could not be answered.');
  return reply.code(status).send({
    error: {
      code: error.code,
      message: maskText(error.message),
      fix: error.fix,
      details: error.details,
      request_id: request.id,
    },
  });
}
