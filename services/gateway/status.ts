import { alertRules, keyOf, type Condition, type Thresholds } from '#schemas/alerts.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { AlertView, ComponentState, ComponentView, StatusView } from '#schemas/http/status.ts';
import type { SyncServiceHealth } from '#schemas/http/sync-service.ts';
import type { OpenAlert } from '#services/control/alerts.ts';
import type { ComponentRecord } from '#services/control/components.ts';
import type { Control } from '#services/control/control.ts';
import { scopeName } from '#services/control/scope.ts';
import { liveConditions } from './alerts/conditions.ts';
import { readFacts, type Attempt, type Facts, type Known } from './alerts/facts.ts';
import { runbookOf } from './alerts/message.ts';
import type { CircuitStatus } from './circuit-breaker.ts';
import { alertOptions, type GatewayDeps } from './gateway.ts';
import { knownAt } from './last-known.ts';
import { isOpen } from './loopback.ts';
import type { PatientDatabase } from './patience.ts';
import { SharedLook } from './shared-look.ts';
import type { SuperviseStatus } from './supervise.ts';

/** Of so many it is remembered what they saw last. */
const SCOPES = 50;

/** State of everything, as far as it can be had: a part that is down is told, not waited for. */
export class StatusReader {
  readonly #deps: GatewayDeps;
  readonly #database: PatientDatabase;
  readonly #startedAt: Date;
  /** What was known of pairs and processes when the control database last said so, by the systems that somebody may see. */
  readonly #last = new Map<string, Known>();
  /** A look costs the same however many want to know. */
  readonly #looks = new Map<string, SharedLook<StatusView>>();

  constructor(deps: GatewayDeps, database: PatientDatabase) {
    this.#deps = deps;
    this.#database = database;
    this.#startedAt = new Date(deps.clock.now());
  }

  /** @param control as far as who asks may see it @param systems those that he is limited to */
  read(control: Control, systems: readonly string[] | undefined): Promise<StatusView> {
    const scope = scopeName(systems);
    const look = this.#looks.get(scope) ?? new SharedLook();
    keepLatest(this.#looks, scope, look);
    return look.take(() => this.#read(control, scope));
  }

  async #read(control: Control, scope: string): Promise<StatusView> {
    const { clock, options, supervision } = this.#deps;
    const facts = await readFacts({ ...this.#deps, control }, this.#database);
    const { value, error } = facts.database;
    if (value) keepLatest(this.#last, scope, value);
    const known = value ?? this.#last.get(scope);
    const pairs = known?.pairs ?? [];
    const components = componentsOf(facts, this.#deps, this.#database, this.#startedAt);
    const { thresholds } = alertOptions(options);
    const conditions = liveConditions(
      { components, known, supervision: supervision(), open: isOpen(options) },
      thresholds,
    );
    return {
      name: 'terrafusion-sync',
      version: options.version,
      state: overall(components, pairs, conditions),
      at: new Date(clock.now()).toISOString(),
      components,
      pairs: [...pairs],
      pairs_by_state: { ...known?.byState },
      alerts: alertViews(conditions, known?.alerts ?? [], thresholds),
      ...(error && known && { known: knownAt(known.at, clock.now(), error) }),
    };
  }
}

function keepLatest<T>(of: Map<string, T>, scope: string, value: T): void {
  of.delete(scope);
  of.set(scope, value);
  if (of.size > SCOPES) of.delete(of.keys().next().value!);
}

/** What runs, in the words of the status. */
export function componentsOf(
  { database, health }: Facts,
  { options, syncService, supervision }: GatewayDeps,
  patient: PatientDatabase,
  startedAt: Date,
): ComponentView[] {
  return [
    gatewayView(options.version, startedAt),
    databaseView(database.error, patient.status()),
    syncServiceView(health, supervision(), syncService.circuit()),
    busView(health.value, options.busKind),
    // Old heartbeats say nothing of now.
    ...stageViews(database.value?.components ?? []),
  ];
}

/** What is wrong at this moment, and what is kept of it; then what is kept and only shows over a while. */
function alertViews(conditions: readonly Condition[], open: readonly OpenAlert[], thresholds: Thresholds): AlertView[] {
  const kept = new Map(open.map((alert) => [alert.key, alert]));
  const live = conditions.map((condition) => {
    const alert = kept.get(keyOf(condition));
    kept.delete(keyOf(condition));
    // Seen before it was judged for the first time: what needs no patience fires.
    const state = alert?.state ?? (alertRules[condition.code].forSeconds === 0 ? 'firing' : 'pending');
    return view(condition, state, alert, thresholds);
  });
  const others = [...kept.values()].filter(({ state }) => state === 'firing');
  return [...live, ...others.map((alert) => view(alert, alert.state, alert, thresholds))];
}

function view(
  { code, severity, message, pair, subject, value }: Condition,
  state: OpenAlert['state'],
  alert: OpenAlert | undefined,
  thresholds: Thresholds,
): AlertView {
  return {
    id: alert?.id ?? null,
    code,
    severity,
    state: state === 'firing' ? 'firing' : 'pending',
    message,
    pair,
    subject,
    value,
    threshold: thresholds[code] ?? null,
    since: alert?.since.toISOString() ?? null,
    acknowledged_by: alert?.acknowledgedBy ?? null,
    silenced_until: alert?.silencedUntil?.toISOString() ?? null,
    runbook: runbookOf(code),
  };
}

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
      details: { stage: true, version, ...status },
    }));
}

function overall(
  components: readonly ComponentView[],
  pairs: readonly PairSummary[],
  conditions: readonly Condition[],
): StatusView['state'] {
  const stateOf = (name: string): ComponentState | undefined =>
    components.find((component) => component.name === name)?.state;
  if (stateOf('control-database') === 'down' || stateOf('sync-service') === 'down' || stateOf('bus') === 'down')
    return 'down';
  const unwell = components.some(({ state }) => state === 'down' || state === 'degraded');
  const troubled = pairs.some(({ state, error }) => state === 'failed' || error !== null);
  const source = conditions.some(({ code, severity }) => code === 'slot_wal_budget' && severity === 'critical');
  return unwell || troubled || source ? 'degraded' : 'up';
}
