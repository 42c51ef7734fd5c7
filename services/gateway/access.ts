import type {} from '@fastify/rate-limit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Verified } from '#services/control/api-keys.ts';
import { parseApiKey } from '#services/kernel/api-keys.ts';
import type { AuditEntry } from '#services/kernel/audit.ts';
import type { Counter } from 'prom-client';
import { assertOwnPage, clearSessionCookie, reads } from './access/browser.ts';
import {
  byKey,
  credentialOf,
  identify,
  KnownCredentials,
  type Credential,
  type Identity,
  type Remembered,
} from './access/credentials.ts';
import { Lockout, type Locked, type Subject } from './access/lockout.ts';
import { actorOf, type App, type GatewayDeps, type Principal } from './gateway.ts';
import { hostOf, isLoopback, isOpen } from './loopback.ts';
import type {} from './shared-answers.ts';
import { Rush } from './rush.ts';
import { accessOf, mayAct, needsAllSystems, type Access } from './roles.ts';

/** How long what was good is still believed when the control database does not answer, in ms. For reading only. */
const BELIEVED = 15 * 60_000;
/**
 * How long a key that was good is not asked about again, in ms: only for reading, only when many requests come with it, and until something is
 * changed through this gateway.
 */
const UNASKED = 1000;

/** Not counted: they are asked by machines, often. */
const uncounted = new Set(['/health', '/health/live', '/health/ready', '/metrics']);

/**
 * Who may do what, before anything else is looked at: finds who asks, counts requests, compares roles.
 * (Promise 8: no request without a key changes anything.)
 */
export function guardRoutes(app: App, deps: GatewayDeps): void {
  const guard = new Guard(app, deps);
  app.decorate('guard', guard);
  app.decorateRequest('principal', undefined);
  app.decorateRequest('identity', undefined);
  app.decorateRequest('control', {
    getter(this: FastifyRequest) {
      return deps.control.within(this.principal?.systems ?? null);
    },
  });
  app.decorateRequest('stillAllowed', function stillAllowed() {
    return guard.stillAllowed(this);
  });
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      if (accessOf(each, url) === undefined && each !== 'OPTIONS')
        throw new Error(`${each} ${url} has no line in roles.ts`);
    }
  });
  app.addHook('onRequest', (request, reply) => guard.admit(request, reply));
}

/** Lets in who may, and keeps count. */
export class Guard {
  readonly #deps: GatewayDeps;
  readonly #database: App['controlDatabase'];
  readonly #changes: App['changes'];
  readonly #known = new KnownCredentials();
  readonly #rush = new Rush();
  readonly #open: boolean;
  readonly #lockout: Lockout;
  readonly #lockouts: Counter<'by'>;
  readonly #limit: ReturnType<App['createRateLimit']> | undefined;

  constructor(app: App, deps: GatewayDeps) {
    this.#deps = deps;
    this.#database = app.controlDatabase;
    this.#changes = app.changes;
    const { authRequired, host, rateLimitPerMinute, lockoutFailures } = deps.options;
    this.#lockout = new Lockout(deps.clock, lockoutFailures);
    this.#lockouts = deps.metrics.counter({
      name: 'access_lockouts_total',
      help: 'Lockouts after repeated wrong keys, by what was shut out.',
      labels: ['by'],
    });
    this.#open = isOpen(deps.options);
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
    // A scraper on this machine needs no key; with one, it is given what that may see.
    if (url === '/metrics' && isHere(request) && credentialOf(request) === undefined) return;
    const { principal } = await this.#identify(request, reply, counted);
    if (!mayAct(principal.role, access)) await this.#refuse(request, principal, access);
    if (principal.systems && url !== undefined && needsAllSystems(method as string, url)) {
      await this.#refuse(request, principal, 'all systems');
    }
  }

  /**
   * Whose key this is. Whoever tries many is shut out for a while.
   * @throws UNAUTHENTICATED, LOCKED_OUT
   */
  async open(request: FastifyRequest, key: string): Promise<Verified> {
    const id = parseApiKey(key)?.id;
    const subjects: Subject[] = [
      { kind: 'address', id: request.ip },
      ...(id === undefined ? [] : [{ kind: 'key' as const, id }]),
    ];
    this.#lockout.assertFree(subjects);
    const holder = await this.#database.ask(() => this.#deps.control.apiKeys.verify(key));
    if (holder) {
      this.#lockout.succeeded({ kind: 'key', id: holder.id });
      return holder;
    }
    for (const locked of this.#lockout.failed(subjects, key)) await this.#noteLockout(request, locked);
    throw new TerraFusionError('UNAUTHENTICATED', 'The API key is unknown, expired or revoked');
  }

  /** A token that nobody has signed for us is a guess like a wrong key. One that is too old is not. */
  async #tried(
    request: FastifyRequest,
    { kind, text }: Credential,
    look: () => Promise<Identity | undefined>,
  ): Promise<Identity | undefined> {
    if (kind !== 'token') return await look();
    const subjects: Subject[] = [{ kind: 'address', id: request.ip }];
    this.#lockout.assertFree(subjects);
    try {
      return await look();
    } catch (error) {
      if (error instanceof TerraFusionError && error.details['reason'] === 'token') {
        for (const locked of this.#lockout.failed(subjects, text)) await this.#noteLockout(request, locked);
      }
      throw error;
    }
  }

  async #noteLockout(request: FastifyRequest, { kind, id, forMs, failures }: Locked): Promise<void> {
    this.#lockouts.inc({ by: kind });
    const after = { address: request.ip, wrong_keys: failures, for_s: forMs / 1000 };
    request.log.warn({ by: kind, id, ...after }, 'Somebody who tries keys is shut out for a while.');
    await this.#note(request, {
      actor: 'gateway',
      action: 'access.locked_out',
      entityKind: kind === 'key' ? 'api_key' : 'address',
      entityId: id,
      after,
    });
  }

  /** Whether whoever asks from this machine is an administrator. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether who asked may still have what he was given: for replies that last. Being asked keeps a session open. */
  async stillAllowed(request: FastifyRequest): Promise<boolean> {
    const credential = credentialOf(request);
    if (credential === undefined || request.identity?.by === 'nobody') return true;
    const { control, tokens } = this.#deps;
    try {
      return (await identify(control, tokens, credential)) !== undefined;
    } catch (error) {
      if (error instanceof TerraFusionError && error.code === 'UNAUTHENTICATED') return false;
      throw error;
    }
  }

  /** @throws UNAUTHENTICATED, CSRF_REFUSED, RATE_LIMITED */
  async #identify(request: FastifyRequest, reply: FastifyReply, counted: boolean): Promise<Identity> {
    const credential = credentialOf(request);
    if (credential === undefined) {
      if (counted) await this.#count(request, reply);
      if (this.#open) return this.#local(request);
      throw new TerraFusionError('UNAUTHENTICATED', 'The request carries no API key');
    }
    // What was good is counted as its key, anything else by its address, before it costs us a question: guessing gets slow, and
    // who shares an address with somebody who guesses does not.
    const remembered = this.#known.get(credential);
    if (!remembered && counted) await this.#count(request, reply);
    // As of before the question: a change that comes meanwhile makes that it is asked again.
    const asOf = { at: this.#deps.clock.now(), changes: this.#changes.count };
    const unasked = remembered && this.#isSure(remembered, credential, request) ? remembered : undefined;
    const identity = unasked?.identity ?? (await this.#verify(credential, remembered, request));
    if (!identity) return this.#ended(credential, request, reply);
    // What was believed has not been seen to be good.
    if (identity !== remembered?.identity) this.#known.remember(credential, { identity, ...asOf });
    this.#admitted(request, identity);
    if (remembered && counted) await this.#count(request, reply);
    if (credential.kind === 'session') assertOwnPage(request, credential.text);
    return identity;
  }

  /** Whether a key that reads was found good a moment ago. Sessions are asked about each time: that keeps them open. */
  #isSure({ identity, at, changes }: Remembered, { kind }: Credential, request: FastifyRequest): boolean {
    const { clock } = this.#deps;
    const now = clock.now();
    return (
      kind === 'key' &&
      reads(request) &&
      this.#rush.has(identity.principal.id, clock.monotonic()) &&
      changes === this.#changes.count &&
      Math.abs(now - at) <= UNASKED &&
      (identity.expiresAt === undefined || identity.expiresAt.getTime() > now)
    );
  }

  async #verify(
    credential: Credential,
    remembered: Remembered | undefined,
    request: FastifyRequest,
  ): Promise<Identity | undefined> {
    try {
      // Who was good a moment ago does not suffer for somebody who guesses from his address, or at his key.
      const { control, tokens } = this.#deps;
      const asked = () => identify(control, tokens, credential);
      if (remembered) return await this.#database.ask(asked);
      if (credential.kind === 'key') return byKey(await this.open(request, credential.text));
      return await this.#tried(request, credential, () => this.#database.ask(asked));
    } catch (error) {
      const recent = remembered && this.#deps.clock.now() - remembered.at < BELIEVED;
      // The status must be readable when the control database is what is down.
      if (
        recent &&
        reads(request) &&
        error instanceof TerraFusionError &&
        error.code === 'CONTROL_DATABASE_UNREACHABLE'
      )
        return remembered.identity;
      throw error;
    }
  }

  /** What was good once is not any more, or a cookie never was. */
  #ended(credential: Credential, request: FastifyRequest, reply: FastifyReply): Identity {
    this.#known.forget(credential);
    if (credential.kind !== 'session')
      throw new TerraFusionError('UNAUTHENTICATED', 'The API key is unknown, expired or revoked');
    clearSessionCookie(request, reply);
    if (this.#open) return this.#local(request);
    throw new TerraFusionError('UNAUTHENTICATED', 'The session has ended: log in again');
  }

  /** Without required keys everybody on this machine is an administrator; but pages of other sites, open in a browser here, are not. */
  #local(request: FastifyRequest): Identity {
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
    return this.#admitted(request, {
      by: 'nobody',
      principal: { id: 'local', name: 'local', role: 'admin' },
      expiresAt: undefined,
      session: undefined,
    });
  }

  #admitted(request: FastifyRequest, identity: Identity): Identity {
    request.identity = identity;
    request.principal = identity.principal;
    return identity;
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

  async #refuse(request: FastifyRequest, principal: Principal, needed: Access | 'all systems'): Promise<never> {
    if (!reads(request)) {
      await this.#note(request, {
        actor: actorOf(principal),
        action: 'request.refused',
        after: { method: request.method, path: request.routeOptions.url, role: principal.role, needed },
      });
    }
    throw new TerraFusionError(
      'FORBIDDEN',
      needed === 'all systems'
        ? `This needs a key for all systems; the key "${principal.name}" is limited to some`
        : `This needs the role "${needed}" or a higher one; the key "${principal.name}" has "${principal.role}"`,
      { details: { role: principal.role, needed } },
    );
  }

  /** That the trail cannot be written is no reason to let somebody in, or to say anything else. */
  async #note(request: FastifyRequest, entry: Omit<AuditEntry, 'outcome' | 'requestId'>): Promise<void> {
    try {
      await this.#deps.control.audit.append({ ...entry, outcome: 'failure', requestId: request.id });
    } catch (error) {
      request.log.warn({ error }, 'A refused request could not be noted in the audit trail.');
    }
  }
}

/** The request comes from a process of this machine, and not through a proxy on it. */
function isHere(request: FastifyRequest): boolean {
  const proxied = request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined;
  return !proxied && isLoopback(request.ip);
}
