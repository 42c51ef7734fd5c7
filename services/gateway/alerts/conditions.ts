import { alertRule, type AlertCode, type Condition, type Severity, type Thresholds } from '#schemas/alerts.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { ComponentView } from '#schemas/http/status.ts';
import { OPEN_WARNING } from '../loopback.ts';
import type { SuperviseStatus } from '../supervise.ts';
import type { Known } from './facts.ts';

/** What is looked at each time that somebody asks for the status. */
export interface Live {
  readonly components: readonly ComponentView[];
  readonly known: Known | undefined;
  readonly supervision: SuperviseStatus | undefined;
  /** Nobody is asked for a key. */
  readonly open: boolean;
}

/** What is measured over a while, by who keeps the alerts. undefined: it could not be, and nothing is judged by it. */
export interface Measured {
  readonly machine: { readonly cpu: number | undefined; readonly memory: number; readonly disk: number | undefined };
  /** Sync operations that failed within an hour. */
  readonly failedOperations: number | undefined;
  /** New dead letters within 15 minutes, by pair. */
  readonly newLetters: readonly { readonly pair: string; readonly count: number }[] | undefined;
  /** Mean times to answer, in ms; parts that do not answer are down, not slow. */
  readonly responses: readonly { readonly subject: string; readonly ms: number }[];
  readonly deliveries: readonly { readonly channel: string; readonly error: string }[] | undefined;
}

/** What is wrong by a look at the parts, worst first within its kind. */
export function liveConditions({ components, known, supervision, open }: Live, thresholds: Thresholds): Condition[] {
  return [
    // Promise 8: it is meant for a trial, and is not to be forgotten.
    ...(open ? [made('auth_not_required', OPEN_WARNING)] : []),
    ...componentConditions(components),
    ...restarts(supervision, thresholds),
    ...(known?.pairs ?? []).flatMap((pair) => pairConditions(pair, thresholds)),
    ...busConditions(components, thresholds),
    ...(known ? sourceConditions(known) : []),
    ...(known?.healingOff ?? []).map((action) =>
      made('healing_off', `${action} is switched off: what it would heal waits for somebody`, { subject: action }),
    ),
  ];
}

/** Which rules {@link liveConditions} judges: without the control database little is known, and nothing is resolved by not knowing. */
export function judgedLive({ known, components }: Live): AlertCode[] {
  const bus = components.find(({ name }) => name === 'bus');
  return [
    'auth_not_required',
    'component_down',
    'restarts',
    ...(bus?.state === 'up' ? (['bus_budget'] as const) : []),
    ...(known
      ? ([
          'no_heartbeat',
          'pair_failed',
          'pair_interrupted',
          'replication_lag',
          'dead_letters',
          'slot_wal_budget',
          'source_waiting',
          'removal_waiting',
          'healing_off',
        ] as const)
      : []),
  ];
}

export function measuredConditions(measured: Measured, thresholds: Thresholds): Condition[] {
  const { machine, failedOperations, newLetters, responses, deliveries } = measured;
  const over = (code: AlertCode, value: number | undefined, message: (value: number) => string): Condition[] =>
    value !== undefined && value > (thresholds[code] ?? Infinity) ? [made(code, message(value), { value })] : [];
  return [
    ...over('cpu', machine.cpu, (value) => `The machine's CPU is ${percent(value)} busy`),
    ...over('memory', machine.memory, (value) => `${percent(value)} of the machine's memory is in use`),
    ...over('disk', machine.disk, (value) => `The disk with the data folder is ${percent(value)} full`),
    ...over('failed_operations', failedOperations, (value) => `${value} sync operations failed within an hour`),
    ...(newLetters ?? []).flatMap(({ pair, count }) =>
      over('dead_letters_growing', count, (value) => `${value} new dead letters within 15 minutes`).map((each) => ({
        ...each,
        pair,
      })),
    ),
    ...responses.flatMap(({ subject, ms }) =>
      over('response_time', ms, (value) => `${subject}: takes ${Math.round(value)} ms to answer`).map((each) => ({
        ...each,
        subject,
      })),
    ),
    ...(deliveries ?? []).map(({ channel, error }) =>
      made('alert_delivery', `Alerts cannot be sent by ${channel}: ${error}`, { subject: channel }),
    ),
  ];
}

export function judgedMeasured({ machine, failedOperations, newLetters, deliveries }: Measured): AlertCode[] {
  const codes: AlertCode[] = ['memory', 'response_time'];
  if (machine.cpu !== undefined) codes.push('cpu');
  if (machine.disk !== undefined) codes.push('disk');
  if (failedOperations !== undefined) codes.push('failed_operations');
  if (newLetters !== undefined) codes.push('dead_letters_growing');
  if (deliveries !== undefined) codes.push('alert_delivery');
  return codes;
}

function made(
  code: AlertCode,
  message: string,
  more: Partial<Pick<Condition, 'subject' | 'pair' | 'value' | 'severity'>> = {},
): Condition {
  const severity: Severity = more.severity ?? alertRule(code).severity;
  return { code, message, subject: null, pair: null, value: null, ...more, severity };
}

const percent = (value: number): string => `${Math.round(value)} %`;

function componentConditions(components: readonly ComponentView[]): Condition[] {
  return components
    .filter(({ state }) => state === 'down')
    .map(({ name, message, details }) =>
      made(details['stage'] === true ? 'no_heartbeat' : 'component_down', `${name}: ${message}`, { subject: name }),
    );
}

function restarts(child: SuperviseStatus | undefined, thresholds: Thresholds): Condition[] {
  if (!child || child.recentRestarts <= thresholds.restarts!) return [];
  const { recentRestarts: value, lastReason } = child;
  return [
    made(
      'restarts',
      `The sync-service was started again ${value} times within 24 hours; the last time it ${lastReason ?? 'ended'}`,
      { subject: 'sync-service', value },
    ),
  ];
}

function pairConditions(pair: PairSummary, thresholds: Thresholds): Condition[] {
  const { name, state, desired, error, lag_seconds: lag, dead_letters: letters } = pair;
  const found: Condition[] = [];
  const told = error && `${error.message}. ${error.fix}`;
  if (state === 'failed') found.push(made('pair_failed', told ?? 'The pair has failed', { pair: name }));
  else if (told !== null && desired === 'running') found.push(made('pair_interrupted', told, { pair: name }));
  if (lag !== null && lag > thresholds.replication_lag!) {
    found.push(made('replication_lag', `${Math.round(lag)} seconds behind its source`, { pair: name, value: lag }));
  }
  if (letters > thresholds.dead_letters!)
    found.push(made('dead_letters', `${letters} open dead letters`, { pair: name, value: letters }));
  return found;
}

function busConditions(components: readonly ComponentView[], thresholds: Thresholds): Condition[] {
  const { used_bytes: used, max_bytes: most } = components.find(({ name }) => name === 'bus')?.details ?? {};
  if (typeof used !== 'number' || typeof most !== 'number' || most === 0) return [];
  const value = (100 * used) / most;
  if (value <= thresholds.bus_budget!) return [];
  const message = `The bus uses ${percent(value)} of its disk budget (BUS_MAX_BYTES). At its end reading from the sources stops`;
  return [made('bus_budget', message, { subject: 'bus', value })];
}

/** Promise 7: what a source keeps for us is told before it matters; and why nothing is read, when that waits. */
function sourceConditions({ slots, waiting, removals }: Known): Condition[] {
  return [
    ...removals.map(({ id, message, fix }) =>
      made('removal_waiting', `${message}. ${fix} (id ${id})`, { subject: id }),
    ),
    ...slots.map(({ source, level, message, fix }) =>
      made('slot_wal_budget', `${source}: ${message}. ${fix}`, {
        subject: source,
        severity: level === 'over' ? 'critical' : 'warning',
      }),
    ),
    ...waiting.map(({ source, code, message, fix }) =>
      made('source_waiting', `${source}: reading waits: ${code}: ${message}. ${fix}`, { subject: source }),
    ),
  ];
}
