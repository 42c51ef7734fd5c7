import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { AlertView, ComponentState, ComponentView, StatusView } from '#schemas/http/status.ts';
import type { SyncServiceHealth } from '#schemas/http/sync-service.ts';
import type { ComponentRecord } from '#services/control/components.ts';
import type { SlotAlarm } from '#services/control/source-slots.ts';
import type { GatewayDeps, GatewayOptions } from './gateway.ts';
import { isOpen, OPEN_WARNING } from './loopback.ts';
import type { SuperviseStatus } from './supervise.ts';
import { pairSummary } from './views.ts';

/** How long a part may take to answer before it counts as down, in ms. */
const PATIENCE = 2500;
/** A lag above this is an alert, in seconds. */
const LAG_ALERT = 60;
/** More restarts than this within 24 hours are one. */
const RESTARTS_ALERT = 3;

/** State of everything, as far as it can be had: a part that is down is told, not waited for. */
export async function readStatus(deps: GatewayDeps, startedAt: Date): Promise<StatusView> {
  const { control, syncService, clock, options } = deps;
  const [database, health] = await Promise.all([
    attempt(deps, async () => ({
      pairs: (await control.pairs.list({}, { limit: 1000 })).items.map((pair) => pairSummary(pair, clock.now())),
      byState: await control.pairs.countByState(),
      components: await control.components.list(),
      slots: await control.sourceSlots.alarms(),
      waiting: await control.sourceStatuses.waiting(),
      removals: await control.pairs.stuckRemovals(),
    })),
    attempt(deps, () => syncService.health()),
  ]);
  const pairs = database.value?.pairs ?? [];
  const sources = sourceAlerts(
    database.value?.slots ?? [],
    database.value?.waiting ?? [],
    database.value?.removals ?? [],
  );
  const components = [
    gatewayView(options.version, startedAt),
    databaseView(database.error),
    syncServiceView(health, deps.supervision()),
    busView(health.value, options.busKind),
    ...stageViews(database.value?.components ?? []),
  ];
  return {
    name: 'terrafusion-sync',
    version: options.version,
    state: overall(components, pairs, sources),
    at: new Date(clock.now()).toISOString(),
    components,
    pairs,
    pairs_by_state: database.value?.byState ?? {},
    alerts: [...openAlerts(options), ...alertsOf(components, pairs, deps.supervision()), ...sources],
  };
}

/** Promise 8: that nobody is asked for a key is meant for a trial, and is not to be forgotten. */
function openAlerts(options: GatewayOptions): AlertView[] {
  if (!isOpen(options)) return [];
  return [{ code: 'auth_not_required', severity: 'warning', message: OPEN_WARNING, pair: null }];
}

interface Attempt<T> {
  readonly value: T | undefined;
  readonly error: TerraFusionError | undefined;
}

async function attempt<T>({ clock }: GatewayDeps, work: () => Promise<T>): Promise<Attempt<T>> {
  const done = new AbortController();
  const late = clock.sleep(PATIENCE, done.signal).then(() => {
    throw new TerraFusionError('SERVICE_UNAVAILABLE', `No answer within ${PATIENCE / 1000} seconds`);
  });
  late.catch(() => undefined);
  try {
    return { value: await Promise.race([work(), late]), error: undefined };
  } catch (error) {
    return { value: undefined, error: asTerraFusionError(error) };
  } finally {
    done.abort();
  }
}

function gatewayView(version: string, startedAt: Date): ComponentView {
  return { name: 'gateway', state: 'up', message: 'Running', since: startedAt.toISOString(), details: { version } };
}

function databaseView(error: TerraFusionError | undefined): ComponentView {
  return {
    name: 'control-database',
    state: error ? 'down' : 'up',
    message: error ? `${error.message}. ${error.fix}` : 'Answers',
    since: null,
    details: error ? { code: error.code } : {},
  };
}

function syncServiceView(
  { value, error }: Attempt<SyncServiceHealth>,
  child: SuperviseStatus | undefined,
): ComponentView {
  const supervised = child && { pid: child.pid ?? null, restarts: child.restarts, process: child.state };
  if (!value) {
    const starting = child?.state === 'starting' || child?.state === 'waiting';
    return {
      name: 'sync-service',
      state: 'down',
      message: starting
        ? `Is being started${child.lastReason === undefined ? '' : ` again: it ${child.lastReason}`}`
        : error!.message,
      since: null,
      details: { ...supervised, code: error!.code },
    };
  }
  const well = value.status === 'ok';
  return {
    name: 'sync-service',
    state: well ? 'up' : 'degraded',
    message: well
      ? 'Running'
      : `Runs, but lacks: ${Object.entries(value.checks)
          .filter(([, check]) => check !== 'ok')
          .map(([name, check]) => `${name} (${check})`)
          .join(', ')}`,
    since: value.started_at,
    details: { version: value.version, checks: value.checks, ...supervised },
  };
}

function busView(health: SyncServiceHealth | undefined, kind: string): ComponentView {
  const told = health?.components.find(({ name }) => name === 'bus');
  return (
    told ?? {
      name: 'bus',
      state: 'unknown',
      message: 'The sync-service says nothing about it',
      since: null,
      details: { kind },
    }
  );
}

/** Stages that run as processes of their own. */
function stageViews(records: readonly ComponentRecord[]): ComponentView[] {
  return records
    .filter(({ name }) => name !== 'gateway' && name !== 'sync-service')
    .map(({ name, instance, fresh, startedAt, heartbeatAt, version, status }) => ({
      name: `${name} ${instance}`,
      state: fresh ? ('up' as const) : ('down' as const),
      message: fresh ? 'Running' : `Has not been heard of since ${heartbeatAt.toISOString()}`,
      since: startedAt.toISOString(),
      details: { version, ...status },
    }));
}

/** Promise 7: what a source keeps for us is told before it matters; and why nothing is read, when that waits. */
function sourceAlerts(
  slots: readonly SlotAlarm[],
  waiting: readonly {
    readonly source: string;
    readonly code: string;
    readonly message: string;
    readonly fix: string;
  }[],
  removals: readonly { readonly id: string; readonly message: string; readonly fix: string }[],
): AlertView[] {
  return [
    ...removals.map(({ id, message, fix }) => ({
      code: 'removal_waiting',
      severity: 'warning' as const,
      message: `${message}. ${fix} (id ${id})`,
      pair: null,
    })),
    ...slots.map(({ source, level, message, fix }) => ({
      code: 'slot_wal_budget',
      severity: level === 'over' ? ('critical' as const) : ('warning' as const),
      message: `${source}: ${message}. ${fix}`,
      pair: null,
    })),
    ...waiting.map(({ source, code, message, fix }) => ({
      code: 'source_waiting',
      severity: 'warning' as const,
      message: `${source}: reading waits: ${code}: ${message}. ${fix}`,
      pair: null,
    })),
  ];
}

function overall(
  components: readonly ComponentView[],
  pairs: readonly PairSummary[],
  sources: readonly AlertView[],
): StatusView['state'] {
  const stateOf = (name: string): ComponentState | undefined =>
    components.find((component) => component.name === name)?.state;
  if (stateOf('control-database') === 'down' || stateOf('sync-service') === 'down' || stateOf('bus') === 'down')
    return 'down';
  const unwell = components.some(({ state }) => state === 'down' || state === 'degraded');
  const troubled = pairs.some(({ state, error }) => state === 'failed' || error !== null);
  return unwell || troubled || sources.some(({ severity }) => severity === 'critical') ? 'degraded' : 'up';
}

export function alertsOf(
  components: readonly ComponentView[],
  pairs: readonly PairSummary[],
  child: SuperviseStatus | undefined,
): AlertView[] {
  const alerts: AlertView[] = components
    .filter(({ state }) => state === 'down')
    .map(({ name, message }) => ({
      code: 'component_down',
      severity: 'critical',
      message: `${name}: ${message}`,
      pair: null,
    }));
  if (child && child.recentRestarts > RESTARTS_ALERT) {
    alerts.push({
      code: 'restarts',
      severity: 'warning',
      message: `The sync-service was started again ${child.recentRestarts} times within 24 hours; the last time it ${child.lastReason ?? 'ended'}`,
      pair: null,
    });
  }
  for (const { name, state, error, lag_seconds: lag, dead_letters: letters } of pairs) {
    if (state === 'failed') {
      alerts.push({
        code: 'pair_failed',
        severity: 'critical',
        message: error ? `${error.message}. ${error.fix}` : 'The pair has failed',
        pair: name,
      });
    }
    if (lag !== null && lag > LAG_ALERT) {
      alerts.push({
        code: 'replication_lag',
        severity: 'warning',
        message: `${Math.round(lag)} seconds behind its source`,
        pair: name,
      });
    }
    if (letters > 0) {
      alerts.push({ code: 'dead_letters', severity: 'warning', message: `${letters} open dead letters`, pair: name });
    }
  }
  return alerts;
}
