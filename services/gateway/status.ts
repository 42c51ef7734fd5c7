import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { AlertView, ComponentState, ComponentView, StatusView } from '#schemas/http/status.ts';
import type { SyncServiceHealth } from '#schemas/http/sync-service.ts';
import type { Control } from '#services/control/control.ts';
import type { ComponentRecord } from '#services/control/components.ts';
import type { SlotAlarm } from '#services/control/source-slots.ts';
import type { GatewayDeps, GatewayOptions } from './gateway.ts';
import type { CircuitStatus } from './circuit-breaker.ts';
import { knownAt } from './last-known.ts';
import { isOpen, OPEN_WARNING } from './loopback.ts';
import { PATIENCE, within, type PatientDatabase } from './patience.ts';
import type { SuperviseStatus } from './supervise.ts';
import { pairSummary } from './views.ts';

/** A lag above this is an alert, in seconds. */
const LAG_ALERT = 60;
/** More restarts than this within 24 hours are one. */
const RESTARTS_ALERT = 3;

/** Of so many it is remembered what they saw last. */
const SCOPES = 50;

/** What the control database says of everything. */
interface Recorded {
  readonly pairs: readonly PairSummary[];
  readonly byState: Readonly<Record<string, number>>;
  readonly components: readonly ComponentRecord[];
  readonly sources: readonly AlertView[];
  /** ms since 1970. */
  readonly at: number;
}

/** State of everything, as far as it can be had: a part that is down is told, not waited for. */
export class StatusReader {
  readonly #deps: GatewayDeps;
  readonly #database: PatientDatabase;
  readonly #startedAt: Date;
  /** What was known of pairs and processes when the control database last said so, by the systems that somebody may see. */
  readonly #last = new Map<string, Recorded>();

  constructor(deps: GatewayDeps, database: PatientDatabase) {
    this.#deps = deps;
    this.#database = database;
    this.#startedAt = new Date(deps.clock.now());
  }

  /** @param control as far as who asks may see it @param systems those that he is limited to */
  async read(control: Control, systems: readonly string[] | undefined): Promise<StatusView> {
    const { syncService, clock, options, supervision } = this.#deps;
    const scope = systems?.toSorted().join(' ') ?? '';
    const [database, health] = await Promise.all([
      attempt(() => this.#database.ask(() => this.#recorded(control), PATIENCE)),
      attempt(() => within(clock, PATIENCE, unanswered, () => syncService.health())),
    ]);
    if (database.value) this.#remember(scope, database.value);
    const recorded = database.value ?? this.#last.get(scope);
    const { pairs = [], sources = [] } = recorded ?? {};
    const components = [
      gatewayView(options.version, this.#startedAt),
      databaseView(database.error, this.#database.status()),
      syncServiceView(health, supervision(), syncService.circuit()),
      busView(health.value, options.busKind),
      // Old heartbeats say nothing of now.
      ...(database.value ? stageViews(database.value.components) : []),
    ];
    return {
      name: 'terrafusion-sync',
      version: options.version,
      state: overall(components, pairs, sources),
      at: new Date(clock.now()).toISOString(),
      components,
      pairs: [...pairs],
      pairs_by_state: { ...recorded?.byState },
      alerts: [...openAlerts(options), ...alertsOf(components, pairs, supervision()), ...sources],
      ...(database.error && recorded && { known: knownAt(recorded.at, clock.now(), database.error) }),
    };
  }

  #remember(scope: string, recorded: Recorded): void {
    this.#last.delete(scope);
    this.#last.set(scope, recorded);
    if (this.#last.size > SCOPES) this.#last.delete(this.#last.keys().next().value!);
  }

  async #recorded(control: Control): Promise<Recorded> {
    const { clock } = this.#deps;
    const at = clock.now();
    const { items } = await control.pairs.list({}, { limit: 1000 });
    return {
      at,
      pairs: items.map((pair) => pairSummary(pair, at)),
      byState: await control.pairs.countByState(),
      components: await control.components.list(),
      sources: sourceAlerts(
        await control.sourceSlots.alarms(),
        await control.sourceStatuses.waiting(),
        await control.pairs.stuckRemovals(),
      ),
    };
  }
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

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work(), error: undefined };
  } catch (error) {
    return { value: undefined, error: asTerraFusionError(error) };
  }
}

const unanswered = (): TerraFusionError =>
  new TerraFusionError('SERVICE_UNAVAILABLE', `The sync-service does not answer within ${PATIENCE / 1000} seconds`);

function gatewayView(version: string, startedAt: Date): ComponentView {
  return { name: 'gateway', state: 'up', message: 'Running', since: startedAt.toISOString(), details: { version } };
}

/** Nothing that moves with every look: event streams tell what has changed. */
function circuitView({ state, opened }: CircuitStatus) {
  return { circuit: { state, opened } };
}

function databaseView(error: TerraFusionError | undefined, circuit: CircuitStatus): ComponentView {
  return {
    name: 'control-database',
    state: error ? 'down' : 'up',
    message: error ? `${error.message}. ${error.fix}` : 'Answers',
    since: null,
    details: { ...(error && { code: error.code }), ...circuitView(circuit) },
  };
}

function syncServiceView(
  { value, error }: Attempt<SyncServiceHealth>,
  child: SuperviseStatus | undefined,
  circuit: CircuitStatus,
): ComponentView {
  const supervised = {
    ...(child && { pid: child.pid ?? null, restarts: child.restarts, process: child.state }),
    ...circuitView(circuit),
  };
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
