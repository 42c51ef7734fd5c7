import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { Server as HttpsServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { ensureAdminKey, type AdminKey } from '#services/control/admin-key.ts';
import type { Control } from '#services/control/control.ts';
import { noteLife } from '#services/control/component-events.ts';
import { startSampling } from '#services/control/metric-sampling.ts';
import { openControlDatabase } from '#services/control/open.ts';
import { healingCounter, SelfHealing } from '#services/control/self-healing.ts';
import { rotateSecrets } from '#services/control/rotate-secrets.ts';
import { systemClock } from '#services/kernel/clock.ts';
import type { Setting } from '#services/kernel/config.ts';
import type { Service } from '#services/kernel/lifecycle.ts';
import type { Log } from '#services/kernel/log.ts';
import { machineMetrics } from '#services/kernel/machine-metrics.ts';
import { createMetrics } from '#services/kernel/metrics.ts';
import { describeSettings, type Settings } from '#services/kernel/settings.ts';
import { KeySet } from './access/key-set.ts';
import { Tokens } from './access/tokens.ts';
import { openChannels } from './alerts/channels.ts';
import { startAlerts, thresholdsOf } from './alerts/start.ts';
import { AuditOutbox } from './audit-outbox.ts';
import { buildGateway } from './build.ts';
import { frameworkLog } from './framework-log.ts';
import type { AlertOptions, GatewayDeps } from './gateway.ts';
import { startHousekeeping } from './housekeeping.ts';
import { isOpen, OPEN_WARNING } from './loopback.ts';
import { PATIENCE, within } from './patience.ts';
import { ProcessSupervisor, type SuperviseLimits } from './supervise.ts';
import { SyncServiceClient } from './sync-service-client.ts';
import { readCertificate, reloadCertificate, tellExpiry } from './tls.ts';

export interface GatewayStart {
  readonly log: Log;
  /** What the settings were read from, as it is shown to administrators; the environment of this process when left out. */
  readonly effective?: readonly Setting[];
  /**
   * Starts a sync-service process, told its key; the gateway keeps it running. Left out: `terrafusion sync-service` of this
   * installation, unless the settings name a sync-service by URL. false: none is started.
   */
  readonly startSyncService?: ((key: Secret) => ChildProcess) | false;
  readonly signal?: AbortSignal;
  /** How the sync-service is watched, where it should not be as usual. */
  readonly watch?: Partial<SuperviseLimits>;
}

/** A gateway that listens. */
export interface RunningGateway extends AsyncDisposable {
  /** "http://127.0.0.1:5000" */
  readonly url: string;
  readonly port: number;
  readonly adminKey: AdminKey;
  readonly control: Control;
  /** Reads the certificate's files again; see `reloadCertificate`. False: there is none, or it cannot be used. */
  reloadCertificate(): Promise<boolean>;
}

/** The gateway as a process: until it is told to stop. */
export function gateway(settings: Settings, start: GatewayStart): Service {
  return {
    run: async (signal) => {
      await using running = await startGateway(settings, { ...start, signal });
      const { origin, key, file } = running.adminKey;
      // Shown this once, and not through the log: its files are kept.
      if (origin === 'made')
        process.stderr.write(`First administrator key: ${key!.reveal()}\nIt is kept in ${file!}\n`);
      start.log.info({ url: running.url }, 'The gateway is listening.');
      // Without a certificate the signal keeps its meaning: the terminal has gone.
      const reload = (): void => void running.reloadCertificate();
      if (settings.gateway.tls) process.on('SIGHUP', reload);
      try {
        if (!signal.aborted) await once(signal, 'abort');
      } finally {
        process.off('SIGHUP', reload);
      }
    },
  };
}

/**
 * Opens the control database, makes the first administrator key, starts and watches the sync-service, and listens.
 * @throws {TerraFusionError} PORT_IN_USE, CONFIG_INVALID, CONTROL_DATABASE_UNREACHABLE …
 */
export async function startGateway(settings: Settings, start: GatewayStart): Promise<RunningGateway> {
  const { log } = start;
  await using stack = new AsyncDisposableStack();
  const { control } = stack.use(await openControlDatabase(settings, 'gateway', log, start.signal));
  await rotateSecrets(control, log);
  const adminKey = await ensureAdminKey(control, settings.gateway.adminKey, settings.dataFolder);
  const metrics = createMetrics({ component: 'gateway' });
  machineMetrics(metrics, settings.dataFolder);
  const tokens = await openTokens(settings, log);
  const key = settings.syncService.apiKey ?? new Secret(randomBytes(32).toString('base64url'));
  const syncService = new SyncServiceClient({ url: urlOfSyncService(settings), apiKey: key });

  const { host, port, tls } = settings.gateway;
  const certificate = tls && (await readCertificate(tls));
  if (certificate) tellExpiry(certificate, systemClock, log);
  let supervisor: ProcessSupervisor | undefined;
  const channels = openChannels(settings.alerts, systemClock);
  for (const channel of channels) stack.use(channel);
  const alerts: AlertOptions = {
    thresholds: thresholdsOf(settings.alerts.thresholds),
    channels,
    repeatMs: settings.alerts.repeatMs,
    groupMs: settings.alerts.groupMs,
  };
  const deps: GatewayDeps = {
    control,
    syncService,
    supervision: () => supervisor?.status(),
    tokens,
    metrics,
    clock: systemClock,
    log: frameworkLog(log),
    options: {
      version,
      host,
      tls: certificate,
      trustedProxies: settings.gateway.trustedProxies,
      corsOrigins: settings.gateway.corsOrigins,
      rateLimitPerMinute: settings.gateway.rateLimitPerMinute,
      authRequired: settings.gateway.authRequired,
      sessions: settings.gateway.sessions,
      lockoutFailures: settings.gateway.lockoutFailures,
      dataFolder: settings.dataFolder,
      settings: start.effective ?? describeSettings(),
      dashboardFolder: fileURLToPath(new URL('dashboard', import.meta.url)),
      runbooksFolder: fileURLToPath(new URL('../../infra/runbooks', import.meta.url)),
      busKind: settings.bus.kind,
      alerts,
    },
  };
  const app = await buildGateway(deps);
  stack.defer(() => app.close());
  // The port first: when it is taken, nothing else should have been started.
  await listen(app, host, port);
  if (isOpen(settings.gateway)) log.warn({ host }, OPEN_WARNING);
  stack.use(await noteLife(control, 'gateway', { version }, log));
  const outbox = new AuditOutbox(control.audit, log);
  const healed = healingCounter(metrics);
  const healing = new SelfHealing({
    control,
    by: 'gateway',
    count: (action) => {
      healed.inc({ action });
    },
    log,
  });
  const starter = starterOf(settings, start);
  if (starter) {
    const limits = { stopTimeout: settings.shutdownTimeoutMs, ...start.watch };
    const parts = { outbox, healing, client: syncService, limits, log };
    supervisor = superviseSyncService(() => starter(key), parts);
    stack.use(supervisor);
  }
  const { auditRetentionDays } = settings;
  stack.use(startHousekeeping({ control, clock: systemClock, log, outbox, healing, auditRetentionDays }));
  stack.use(
    startAlerts({ deps, ...alerts, database: app.controlDatabase, metrics, requestTotals: () => app.requestTotals }),
  );
  stack.use(
    startSampling({
      history: control.metricHistory,
      metrics,
      component: 'gateway',
      clock: systemClock,
      log,
      keeps: true,
    }),
  );

  const opened = stack.move();
  const listening = (app.server.address() as AddressInfo).port;
  return {
    url: `${tls ? 'https' : 'http'}://${nameOf(host)}:${listening}`,
    port: listening,
    adminKey,
    control,
    reloadCertificate: async () =>
      tls !== undefined &&
      app.server instanceof HttpsServer &&
      (await reloadCertificate(app.server, tls, { clock: systemClock, log })),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** @throws CONFIG_INVALID when the file of the issuer's keys cannot be read */
async function openTokens({ gateway: { tokens } }: Settings, log: Log): Promise<Tokens | undefined> {
  if (!tokens) return undefined;
  const keys = new KeySet({ place: tokens.keys, clock: systemClock, log });
  await keys.open();
  return new Tokens(tokens, keys, systemClock);
}

const manifest = new URL('../../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };

type Starter = (key: Secret) => ChildProcess;

/** undefined: the sync-service is somebody else's to start. */
function starterOf(settings: Settings, { startSyncService }: GatewayStart): Starter | undefined {
  if (startSyncService === false) return undefined;
  return startSyncService ?? (settings.syncService.url === undefined ? spawnSyncService : undefined);
}

/** `terrafusion sync-service` on the Node that runs us, with our settings. */
function spawnSyncService(key: Secret): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(new URL('../cli/bin.js', import.meta.url)), 'sync-service'], {
    // The channel tells it when we are killed. A Ctrl-C at our terminal is not meant for it: it is asked to end by us, once.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: process.platform !== 'win32',
    env: { ...process.env, SYNCSERVICE_API_KEY: key.reveal(), SYNCSERVICE_API_KEY_FILE: undefined },
  });
}

interface SupervisedParts {
  readonly outbox: AuditOutbox;
  readonly healing: SelfHealing;
  readonly client: SyncServiceClient;
  readonly limits: Partial<SuperviseLimits>;
  readonly log: Log;
}

function superviseSyncService(
  start: () => ChildProcess,
  { outbox, healing, client, limits, log }: SupervisedParts,
): ProcessSupervisor {
  return new ProcessSupervisor({
    name: 'sync-service',
    start,
    isLive: (pid, signal) => client.isLive(pid, signal),
    mayRestart: async () => {
      // Without the control database, or one that does not answer, the last word holds.
      const late = (): TerraFusionError => new TerraFusionError('SERVICE_UNAVAILABLE', 'No answer');
      await within(systemClock, PATIENCE, late, () => healing.look()).catch(() => undefined);
      return healing.isOn('restart_sync_service');
    },
    onRestart: ({ reason, count }) => {
      healing.done('restart_sync_service', { subject: 'sync-service', message: `The sync-service ${reason}` });
      return outbox.add({
        ...{ name: 'sync_service.restart', actor: 'gateway', entityId: 'sync-service' },
        details: { reason, count },
      });
    },
    clock: systemClock,
    log,
    limits,
  });
}

function urlOfSyncService({ syncService: { url, host, port } }: Settings): string {
  return url ?? `http://${nameOf(host)}:${port}`;
}

/** How an address that is listened on is called. */
function nameOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

async function listen(app: { listen(options: object): Promise<string> }, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new TerraFusionError('PORT_IN_USE', `Port ${port} (GATEWAY_PORT) on ${host} is in use`, { cause });
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new TerraFusionError('CONFIG_INVALID', `GATEWAY_HOST: ${host} is no address of this machine`, { cause });
    }
    if (code === 'EACCES') {
      throw new TerraFusionError(
        'CONFIG_INVALID',
        `GATEWAY_PORT: this user may not listen on port ${port}; take one above 1023`,
        { cause },
      );
    }
    throw cause;
  }
}
