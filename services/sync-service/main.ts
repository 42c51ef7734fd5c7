import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import { noteLife } from '#services/control/component-events.ts';
import { startSampling } from '#services/control/metric-sampling.ts';
import { openControlDatabase } from '#services/control/open.ts';
import { openBus } from '#services/kernel/bus/open.ts';
import { systemClock } from '#services/kernel/clock.ts';
import type { Service } from '#services/kernel/lifecycle.ts';
import type { Log } from '#services/kernel/log.ts';
import { machineMetrics } from '#services/kernel/machine-metrics.ts';
import { createMetrics } from '#services/kernel/metrics.ts';
import type { Settings } from '#services/kernel/settings.ts';
import { createFileOnce } from '#services/kernel/files.ts';
import { startHeartbeat, version } from './heartbeat.ts';
import { serveSyncService, type Stage } from './http.ts';
import { Supervisor } from './supervisor.ts';
import { roles as allRoles, type Role } from './wanted.ts';

export interface SyncServiceOptions {
  readonly log: Log;
  /** The stage that this process is; the sync-service itself when left out. */
  readonly stage?: Stage;
  /** Called once everything is open, with the port of the HTTP interface. */
  readonly onReady?: (port: number) => void;
}

/**
 * The sync-service: supervisor, stages and HTTP interface, until it is told to stop. With other roles it is the process of a single
 * stage: the same code, less work.
 */
export function syncService(settings: Settings, options: SyncServiceOptions): Service {
  return { run: (signal) => runSyncService(settings, options, signal) };
}

async function runSyncService(settings: Settings, options: SyncServiceOptions, signal: AbortSignal): Promise<void> {
  const { log, stage } = options;
  const name = stage ?? 'sync-service';
  const roles = rolesOf(settings, stage);
  if (settings.bus.kind === 'embedded' && roles.length < allRoles.length) {
    throw new TerraFusionError(
      'CONFIG_INVALID',
      'KAFKA_BROKERS: the stages run as processes of their own only with Kafka between them',
    );
  }
  await using stack = new AsyncDisposableStack();
  const control = stack.use(await openControlDatabase(settings, name, log, signal));
  const bus = stack.use(await openBus(settings, log));
  const metrics = createMetrics({ component: name });
  machineMetrics(metrics, settings.dataFolder);
  const supervisor = new Supervisor({
    control: control.control,
    bus,
    metrics,
    clock: systemClock,
    log,
    roles: new Set(roles),
    walBudgetBytes: settings.sourceWalBudgetBytes,
    catalogPollMs: settings.sourceCatalogPollMs,
    stuckAfterMs: settings.stuckAfterMs,
    component: name,
    installation: settings.bus.kind === 'embedded' ? await installationId(settings.dataFolder) : undefined,
  });
  const parts = { settings, control: control.control, bus, supervisor, metrics, log, stage };
  const http = stack.use(await serveSyncService(parts));
  stack.use(
    startHeartbeat({ name, control: control.control, status: () => supervisor.status(), clock: systemClock, log }),
  );
  stack.use(
    startSampling({
      history: control.control.metricHistory,
      metrics,
      component: name,
      clock: systemClock,
      log,
    }),
  );
  stack.use(await noteLife(control.control, name, { version, roles }, log));
  options.onReady?.(http.port);
  log.info({ port: http.port }, `The ${name} is listening.`);
  await supervisor.run(signal);
}

function rolesOf(settings: Settings, stage: SyncServiceOptions['stage']): readonly Role[] {
  if (stage) return [stage];
  return settings.syncService.stages === 'separate' ? ['supervisor'] : allRoles;
}

/** Made once and kept in the data folder: tells this installation's processes from another's. */
async function installationId(dataFolder: string): Promise<string> {
  const file = join(dataFolder, 'installation');
  try {
    await mkdir(dataFolder, { recursive: true });
    return (await createFileOnce(file, `${randomUUID()}\n`)).trim();
  } catch (cause) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${file} cannot be read or written: ${(cause as Error).message}`,
      { cause },
    );
  }
}
