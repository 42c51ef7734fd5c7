import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import Fastify, { LogController, type FastifyRequest, type FastifyServerFactory } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { TerraFusionError } from '#schemas/errors.ts';
import type { ZodType } from 'zod';
import { guardRoutes } from './access.ts';
import { answerError, errorBody } from './errors.ts';
import { fieldProblems, invalidFields, unstorableTexts } from './fields.ts';
import type { App, GatewayDeps } from './gateway.ts';
import { answerFromMemory } from './last-known.ts';
import { knowMethods, nothingThere } from './methods.ts';
import { PatientDatabase } from './patience.ts';
import { countRequests } from './request-metrics.ts';
import { countChanges, shareAnswers } from './shared-answers.ts';

/** A body may be this large unless its route says otherwise, in bytes. */
const BODY_LIMIT = 1024 * 1024;

/**
 * A connection on which nothing moves is closed after this, in ms: longer than any answer takes (a fence waits up to five minutes). Who
 * does not read what he has asked for holds what was made for him no longer. (Promise 6)
 */
const SILENT = 330_000;

/** The server with everything that holds for all routes, and no route yet. */
export async function buildApp(deps: GatewayDeps): Promise<App> {
  const { options, log } = deps;
  const app: App = Fastify({
    loggerInstance: log,
    // What an operator acts on is logged where it is answered (errors.ts); the rest is counted.
    // A request is called as the sync-service and the stages call it: one word finds it in the logs of all processes.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    genReqId: requestId,
    bodyLimit: BODY_LIMIT,
    // Addresses are taken from the connection: who writes X-Forwarded-For cannot choose his own, unless he is a proxy of ours.
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    // A slow sender of a request holds its connection no longer than this.
    requestTimeout: 60_000,
    keepAliveTimeout: 72_000,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply);
    },
    clientErrorHandler: answerBroken,
    serverFactory: serverFactory(options.tls, options.silentMs ?? SILENT),
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(({ schema, httpPart }) => validator(schema as ZodType, httpPart));
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  const methodsOf = knowMethods(app);
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const allowed = methodsOf(path);
    if (allowed.length > 0) void reply.header('allow', allowed.join(', '));
    return answerError(nothingThere(request.method, path, allowed), request, reply);
  });
  readJsonOnly(app);

  app.decorate('controlDatabase', new PatientDatabase(deps.clock));
  const closing = new AbortController();
  app.decorate('closing', closing.signal);
  app.addHook('preClose', (done) => {
    closing.abort(new TerraFusionError('SERVICE_UNAVAILABLE', 'The gateway is being stopped'));
    done();
  });
  // Not `await reply.header(…)`: a reply is a promise of being sent.
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    if (pathOf(request).startsWith('/api/')) void reply.header('cache-control', 'no-store');
    done();
  });
  app.decorateRequest('replayed', false);
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (request.replayed) void reply.header('idempotency-replayed', 'true');
    // A connection that was at work when the stop began is not idle then, and a caller that keeps it open would hold up the stop.
    if (closing.signal.aborted) void reply.header('connection', 'close');
    done();
  });
  countChanges(app);
  countRequests(app, deps.metrics);
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        'style-src': ["'self'"],
        'img-src': ["'self'", 'data:'],
        'font-src': ["'self'"],
        'connect-src': ["'self'"],
        'base-uri': ["'none'"],
        'form-action': ["'none'"],
        'frame-ancestors': ["'none'"],
      },
    },
    strictTransportSecurity: options.tls ? { maxAge: 31_536_000 } : false,
    referrerPolicy: { policy: 'no-referrer' },
  });
  // Without credentials: the cookie of a session is for our own pages only.
  await app.register(cors, {
    origin: options.corsOrigins.includes('*') ? '*' : options.corsOrigins.length > 0 ? [...options.corsOrigins] : false,
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'idempotency-key', 'x-api-key', 'x-request-id'],
    exposedHeaders: ['location', 'retry-after', 'x-request-id', 'idempotency-replayed'],
    maxAge: 600,
  });
  await app.register(rateLimit, { global: false });
  guardRoutes(app, deps);
  answerFromMemory(app, deps);
  shareAnswers(app, deps);
  return app;
}

function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  // It goes into logs and the audit trail: only what cannot do harm there.
  return typeof given === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : randomUUID();
}

const pathOf = ({ url }: FastifyRequest): string => url.split('?', 1)[0]!;

/** Checks by the zod schema, and tells every field that is wrong. */
function validator(
  schema: ZodType,
  part: string | undefined,
): (data: unknown) => { value: unknown } | { error: Error } {
  const where = { body: 'body', querystring: 'query', params: 'path', headers: 'headers' }[part ?? ''] ?? 'request';
  return (given) => {
    // The framework says null for no body.
    const data = part === 'body' && given === null ? undefined : given;
    const parsed = schema.safeParse(data);
    if (parsed.success) {
      const unstorable = unstorableTexts(data);
      return unstorable.length === 0 ? { value: parsed.data } : { error: invalidFields(unstorable, where) };
    }
    if (data === undefined) {
      return { error: new TerraFusionError('REQUEST_INVALID', `The ${where} is missing: send a JSON object`) };
    }
    return { error: invalidFields(fieldProblems(parsed.error.issues), where) };
  };
}

function readJsonOnly(app: App): void {
  app.removeContentTypeParser('text/plain');
  // Keys that would reach into prototypes are refused, not dropped.
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Clients that name the type without having a body mean none.
    if (body === '') done(null, undefined);
    else void parse(request, body as string, done);
  });
}

/** HTTP, or HTTPS where there is a certificate. */
function serverFactory(
  tls: { readonly cert: string; readonly key: string } | undefined,
  silentMs: number,
): FastifyServerFactory {
  return (handler, options) => {
    const limits = { ...(options as object), requestTimeout: 60_000, headersTimeout: 30_000 };
    const server = tls ? createHttpsServer({ ...limits, ...tls }, handler) : createHttpServer(limits, handler);
    return server.setTimeout(silentMs);
  };
}

/** What is no HTTP at all cannot be routed: it gets our envelope, and its connection is closed. */
function answerBroken(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const large = error.code === 'HPE_HEADER_OVERFLOW';
  const problem = late
    ? 'The request took too long'
    : large
      ? 'The headers are too large'
      : 'The request is not valid HTTP';
  const body = JSON.stringify(errorBody(new TerraFusionError('REQUEST_INVALID', problem), randomUUID()));
  const status = late ? '408 Request Timeout' : large ? '431 Request Header Fields Too Large' : '400 Bad Request';
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
