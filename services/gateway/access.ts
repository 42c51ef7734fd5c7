import type {} from '@fastify/rate-limit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Verified } from '#services/control/api-keys.ts';
import { actorOf, type App, type GatewayDeps, type Principal } from './gateway.ts';
import { hostOf, isLoopback } from './loopback.ts';
import { accessOf, mayAct, type Access } from './roles.ts';

/** How long a key that was good is still believed when the control database does not answer, in ms. For reading only. */
const BELIEVED = 15 * 60_000;
const REMEMBERED = 1000;

/** Not counted: they are asked by machines, often. */
const uncounted = new Set(['/health', '/health/live', '/health/ready', '/metrics']);

/**
 * Who may do what, before anything else is looked at: finds the key's holder, counts requests, compares roles.
 * (Promise 8: no request without a key changes anything.)
 */
export function guardRoutes(app: App, deps: GatewayDeps): void {
  const guard = new Guard(app, deps);
  app.decorateRequest('principal', undefined);
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      if (accessOf(each, url) === undefined && each !== 'OPTIONS')
        throw new Error(`${each} ${url} has no line in roles.ts`);
    }
  });
  app.addHook('onRequest', (request, reply) => guard.admit(request, reply));
}

class Guard {
  readonly #deps: GatewayDeps;
  readonly #known = new KnownKeys();
  readonly #open: boolean;
  readonly #limit: ReturnType<App['createRateLimit']> | undefined;

  constructor(app: App, deps: GatewayDeps) {
    this.#deps = deps;
    const { authRequired, host, rateLimitPerMinute } = deps.options;
    this.#open = !authRequired && isLoopback(host);
    if (!authRequired && !this.#open) {
      deps.log.warn({ host }, 'AUTH_REQUIRED=false holds on a loopback address only; keys are required.');
    }
    if (rateLimitPerMinute > 0) {
      this.#limit = app.createRateLimit({
        max: rateLimitPerMinute,
        timeWindow: 60_000,
        keyGenerator: (request) => (request.principal ? `key ${request.principal.id}` : `address ${request.ip}`),
      });
    }
  }

  async admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { method, url } = request.routeOptions;
    // An OPTIONS request that is no preflight finds nothing; every other route has its line.
    const access = (url === undefined ? undefined : accessOf(method as string, url)) ?? 'public';
    const counted = url === undefined || !uncounted.has(url);
    if (access === 'public') {
      if (counted) await this.#count(request, reply);
      return;
    }
    // A scraper on this machine needs no key.
    if (url === '/metrics' && isHere(request)) return;
    const principal = await this.#identify(request, reply, counted);
    request.principal = principal;
    if (!mayAct(principal.role, access)) await this.#refuse(request, principal, access);
  }

  /** @throws UNAUTHENTICATED, RATE_LIMITED */
  async #identify(request: FastifyRequest, reply: FastifyReply, counted: boolean): Promise<Principal> {
    const text = keyIn(request);
    if (text === undefined) {
      if (counted) await this.#count(request, reply);
      if (this.#open) return this.#local(request);
      throw new TerraFusionError('UNAUTHENTICATED', 'The request carries no API key');
    }
    // A key that was good is counted as itself, any other one by its address, before it costs us a question: guessing gets slow, and
    // who shares an address with somebody who guesses does not.
    const remembered = this.#known.get(text);
    if (!remembered && counted) await this.#count(request, reply);
    const verified = await this.#verify(text, remembered, request.method);
    if (!verified) {
      this.#known.forget(text);
      throw new TerraFusionError('UNAUTHENTICATED', 'The API key is unknown, expired or revoked');
    }
    this.#known.remember(text, verified, this.#deps.clock.now());
    request.principal = verified;
    if (remembered && counted) await this.#count(request, reply);
    return verified;
  }

  async #verify(text: string, remembered: Remembered | undefined, method: string): Promise<Verified | undefined> {
    try {
      return await this.#deps.control.apiKeys.verify(text);
    } catch (error) {
      const recent = remembered && this.#deps.clock.now() - remembered.at < BELIEVED;
      const reads = method === 'GET' || method === 'HEAD';
      // The status must be readable when the control database is what is down.
      if (recent && reads && error instanceof TerraFusionError && error.code === 'CONTROL_DATABASE_UNREACHABLE')
        return remembered.verified;
      throw error;
    }
  }

  /** Without required keys everybody on this machine is an administrator; but pages of other sites, open in a browser here, are not. */
  #local(request: FastifyRequest): Principal {
    const { origin, host = '' } = request.headers;
    const sameOrigin = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
    if (
      !isHere(request) ||
      !isLoopback(hostOf(host)) ||
      !(sameOrigin || this.#deps.options.corsOrigins.includes(origin))
    ) {
      throw new TerraFusionError(
        'UNAUTHENTICATED',
        'Without a key, requests are taken from this machine only, and not from pages of other sites',
      );
    }
    return { id: 'local', name: 'local', role: 'admin' };
  }

  async #count(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const limit = await this.#limit?.(request);
    if (!limit || limit.isAllowed) return;
    void reply
      .header('x-ratelimit-limit', limit.max)
      .header('x-ratelimit-remaining', limit.remaining)
      .header('x-ratelimit-reset', limit.ttlInSeconds);
    if (limit.isExceeded) {
      throw new TerraFusionError('RATE_LIMITED', `More than ${limit.max} requests in a minute`, {
        details: { retry_after_s: limit.ttlInSeconds },
      });
    }
  }

  async #refuse(request: FastifyRequest, principal: Principal, access: Access): Promise<never> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      await this.#deps.control.audit
        .append({
          actor: actorOf(principal),
          action: 'request.refused',
          outcome: 'failure',
          requestId: request.id,
          after: { method: request.method, path: request.routeOptions.url, role: principal.role, needed: access },
        })
        .catch((error: unknown) => {
          request.log.warn({ error }, 'A refused request could not be noted in the audit trail.');
        });
    }
    throw new TerraFusionError(
      'FORBIDDEN',
      `This needs the role "${access}" or a higher one; the key "${principal.name}" has "${principal.role}"`,
      {
        details: { role: principal.role, needed: access },
      },
    );
  }
}

/** The request comes from a process of this machine, and not through a proxy on it. */
function isHere(request: FastifyRequest): boolean {
  const proxied = request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined;
  return !proxied && isLoopback(request.ip);
}

function keyIn(request: FastifyRequest): string | undefined {
  const { 'x-api-key': header, authorization } = request.headers;
  if (typeof header === 'string' && header !== '') return header;
  return authorization === undefined ? undefined : (/^Bearer\s+(\S+)\s*$/i.exec(authorization)?.[1] ?? '');
}

interface Remembered {
  readonly verified: Verified;
  readonly at: number;
}

/** Keys that were good lately, by hash: the keys themselves are not kept. */
class KnownKeys {
  readonly #keys = new Map<string, Remembered>();

  get(text: string): Remembered | undefined {
    return this.#keys.get(hash(text));
  }

  remember(text: string, verified: Verified, at: number): void {
    const key = hash(text);
    // The latest at the end: the first one is the one to go.
    this.#keys.delete(key);
    this.#keys.set(key, { verified, at });
    if (this.#keys.size > REMEMBERED) this.#keys.delete(this.#keys.keys().next().value!);
  }

  forget(text: string): void {
    this.#keys.delete(hash(text));
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
