import { pino } from 'pino';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Role } from '#schemas/http/common.ts';
import type { SyncServiceHealth } from '#schemas/http/sync-service.ts';
import { openControl, type Control } from '#services/control/control.ts';
import { buildGateway } from '#services/gateway/build.ts';
import type { CircuitStatus } from '#services/gateway/circuit-breaker.ts';
import type { App, GatewayDeps, GatewayOptions } from '#services/gateway/gateway.ts';
import type { SyncServiceClient } from '#services/gateway/sync-service-client.ts';
import type { SuperviseStatus } from '#services/gateway/supervise.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { createMetrics } from '#services/kernel/metrics.ts';
import { secrets } from '../control/fixture.ts';
import { withControlDatabase } from '../kernel/control-database.ts';

/** A sync-service that answers as a test wants. */
export class StubSyncService {
  health_: SyncServiceHealth | TerraFusionError = {
    status: 'ok',
    checks: { control_database: 'ok', bus: 'ok' },
    version: '0.1.0',
    started_at: '2026-01-01T00:00:00.000Z',
    components: [{ name: 'bus', state: 'up', message: 'The embedded bus answers', since: null, details: {} }],
  };
  circuit_: CircuitStatus = { state: 'closed', failures: 0, opened: 0, retryInMs: 0 };
  replayed: { id: string; row: unknown }[] = [];
  refuse: TerraFusionError | undefined;

  circuit(): CircuitStatus {
    return this.circuit_;
  }

  health(): Promise<SyncServiceHealth> {
    return this.health_ instanceof TerraFusionError ? Promise.reject(this.health_) : Promise.resolve(this.health_);
  }

  replay(id: string, row: unknown): Promise<void> {
    if (this.refuse) return Promise.reject(this.refuse);
    this.replayed.push({ id, row });
    return Promise.resolve();
  }
}

export interface Reply<T = Record<string, unknown>> {
  readonly status: number;
  readonly body: T;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT' | 'OPTIONS' | 'HEAD';
  /** A role's key, a text of one's own, or none. */
  readonly as?: Role | 'nobody' | { readonly key: string };
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly remoteAddress?: string;
}

export interface GatewayFixture {
  readonly app: App;
  readonly control: Control;
  readonly syncService: StubSyncService;
  readonly keys: Readonly<Record<Role, string>>;
  supervision: SuperviseStatus | undefined;
  /** Asks as an administrator unless told otherwise. `T` is what the caller takes the body for. */
  ask<T = Record<string, unknown>>(path: string, ask?: Ask): Promise<Reply<T>>;
  /** Another gateway on the same control database. */
  another(options?: Partial<GatewayOptions>, deps?: Partial<GatewayDeps>): Promise<App>;
}

export const defaults: GatewayOptions = {
  version: '0.1.0',
  host: '127.0.0.1',
  tls: undefined,
  trustedProxies: [],
  corsOrigins: [],
  rateLimitPerMinute: 0,
  authRequired: true,
  lockoutFailures: 0,
  sessions: { idleS: 1800, longestS: 43_200 },
  dataFolder: '/',
  settings: [
    { name: 'GATEWAY_PORT', value: '5000', origin: 'default', description: 'Port.' },
    { name: 'DATABASE_URL', value: '[secret]', origin: 'environment', description: 'The control database.' },
  ],
  dashboardFolder: fileURLToPath(new URL('../../../../services/gateway/dashboard', import.meta.url)),
  runbooksFolder: fileURLToPath(new URL('../../../../infra/runbooks', import.meta.url)),
  busKind: 'embedded',
  eventsEveryMs: 20,
};

/** A gateway on a control database of this test file. */
export function withGateway(options: Partial<GatewayOptions> = {}): GatewayFixture {
  const database = withControlDatabase();
  const apps: App[] = [];
  let control: Control;
  let app: App;
  const keys = {} as Record<Role, string>;
  const syncService = new StubSyncService();
  const another = async (more: Partial<GatewayOptions> = {}, deps: Partial<GatewayDeps> = {}): Promise<App> => {
    const made = await buildGateway({
      control,
      syncService: syncService as unknown as SyncServiceClient,
      supervision: () => fixture.supervision,
      metrics: createMetrics({ component: 'gateway', processMetrics: false }),
      clock: systemClock,
      log: pino({ level: 'silent' }),
      options: { ...defaults, ...options, ...more },
      ...deps,
    });
    apps.push(made);
    return made;
  };
  beforeAll(async () => {
    control = openControl(database.database, secrets);
    for (const role of ['viewer', 'operator', 'editor', 'admin'] as const) {
      keys[role] = (await control.apiKeys.create({ name: `the ${role}`, role })).key.reveal();
    }
    app = await another();
  }, 60_000);
  afterAll(async () => {
    for (const each of apps) await each.close();
  });
  const fixture: GatewayFixture = {
    get app() {
      return app;
    },
    get control() {
      return control;
    },
    syncService,
    keys,
    supervision: undefined,
    ask: (path, ask) => askApp(app, keys, path, ask),
    another,
  };
  return fixture;
}

export async function askApp<T = Record<string, unknown>>(
  app: App,
  keys: Readonly<Record<Role, string>>,
  path: string,
  { method = 'GET', as = 'admin', body, headers = {}, remoteAddress }: Ask = {},
): Promise<Reply<T>> {
  const key = typeof as === 'object' ? as.key : as === 'nobody' ? undefined : keys[as];
  const reply = await app.inject({
    method,
    url: path,
    headers: {
      ...(key === undefined ? {} : { 'x-api-key': key }),
      ...(body === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
  });
  const text = reply.body;
  const isJson = (reply.headers['content-type'] ?? '').startsWith('application/json');
  return {
    status: reply.statusCode,
    body: (isJson && text !== '' ? JSON.parse(text) : {}) as T,
    headers: reply.headers,
    text,
  };
}

/** The envelope of everything that is not a success. */
export interface Failure {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly fix: string;
    readonly details: { readonly fields?: readonly { readonly path: string; readonly message: string }[] };
    readonly request_id: string;
  };
}
