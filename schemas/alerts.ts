/** How bad it is: a warning wants a look today, critical wants one now. */
export const severities = ['warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** pending: seen, but not for long enough. firing: it is told. resolved: it has gone. */
export const alertStates = ['pending', 'firing', 'resolved'] as const;
export type AlertState = (typeof alertStates)[number];

/** What an alert is raised by. */
export interface AlertRule {
  readonly severity: Severity;
  /** What is looked at, with the unit of the threshold. */
  readonly what: string;
  /** Raised above this; undefined where it either is or is not. The settings can say otherwise. */
  readonly threshold?: number;
  /** The setting that changes it. */
  readonly setting?: string;
  /** How long it must have been so, in seconds. */
  readonly forSeconds: number;
  /** Page of `infra/runbooks`. */
  readonly runbook: string;
  /** false: shown as long as it is so, never sent. */
  readonly sent?: false;
}

/** Every alert there is. Those that Prometheus raises (`infra/monitoring/prometheus/rules`) are the same ones. */
export const alertRules = {
  auth_not_required: {
    severity: 'warning',
    what: 'nobody is asked for a key (AUTH_REQUIRED=false)',
    forSeconds: 0,
    runbook: 'keys.md',
    sent: false,
  },
  healing_off: {
    severity: 'warning',
    what: 'something that is done by itself is switched off',
    forSeconds: 0,
    runbook: 'self-healing.md',
    sent: false,
  },
  component_down: {
    severity: 'critical',
    what: 'gateway, sync-service, control database or bus does not answer',
    forSeconds: 30,
    runbook: 'start.md',
  },
  no_heartbeat: {
    severity: 'critical',
    what: 'a stage that runs as a process of its own has fallen silent',
    forSeconds: 15,
    runbook: 'no-heartbeat.md',
  },
  restarts: {
    severity: 'warning',
    what: 'restarts of the sync-service within 24 hours',
    threshold: 3,
    setting: 'ALERT_RESTARTS',
    forSeconds: 0,
    runbook: 'restarts.md',
  },
  pair_failed: {
    severity: 'critical',
    what: 'a pair that should run has failed and waits for somebody',
    forSeconds: 0,
    runbook: 'pair-failed.md',
  },
  pair_interrupted: {
    severity: 'warning',
    what: 'a pair is held up by an error that should heal by itself',
    forSeconds: 300,
    runbook: 'pair-failed.md',
  },
  replication_lag: {
    severity: 'warning',
    what: 'age of the oldest change that waits for a target, in seconds',
    threshold: 60,
    setting: 'ALERT_LAG_SECONDS',
    forSeconds: 60,
    runbook: 'lag.md',
  },
  dead_letters_growing: {
    severity: 'warning',
    what: 'dead letters that the stream of a pair has set aside within 15 minutes; those of a load are told by its operation',
    threshold: 0,
    setting: 'ALERT_DEAD_LETTERS',
    forSeconds: 0,
    runbook: 'dead-letters.md',
  },
  dead_letters: {
    severity: 'warning',
    what: 'open dead letters of a pair',
    threshold: 0,
    forSeconds: 0,
    runbook: 'dead-letters.md',
    sent: false,
  },
  slot_wal_budget: {
    severity: 'warning',
    what: 'WAL that a source keeps for us nears its budget; critical once that is used up',
    forSeconds: 0,
    runbook: 'source-wal.md',
  },
  source_waiting: {
    severity: 'warning',
    what: 'a source is not read, since its reader waits',
    forSeconds: 60,
    runbook: 'lag.md',
  },
  removal_waiting: {
    severity: 'warning',
    what: 'a deleted pair cannot be cleared away at its ends',
    forSeconds: 300,
    runbook: 'removal.md',
  },
  bus_budget: {
    severity: 'warning',
    what: 'disk that the embedded bus uses of what it may, in percent',
    threshold: 85,
    setting: 'ALERT_BUS_PERCENT',
    forSeconds: 60,
    runbook: 'bus.md',
  },
  failed_operations: {
    severity: 'warning',
    what: 'sync operations that failed within an hour',
    threshold: 5,
    setting: 'ALERT_FAILED_OPERATIONS',
    forSeconds: 0,
    runbook: 'failed-operations.md',
  },
  response_time: {
    severity: 'warning',
    what: 'mean time that gateway, sync-service or control database take to answer, in milliseconds',
    threshold: 500,
    setting: 'ALERT_RESPONSE_MS',
    forSeconds: 120,
    runbook: 'machine.md',
  },
  cpu: {
    severity: 'warning',
    what: "CPU of the gateway's machine, in percent of all cores",
    threshold: 80,
    setting: 'ALERT_CPU_PERCENT',
    forSeconds: 300,
    runbook: 'machine.md',
  },
  memory: {
    severity: 'warning',
    what: "memory of the gateway's machine that is in use, in percent",
    threshold: 80,
    setting: 'ALERT_MEMORY_PERCENT',
    forSeconds: 300,
    runbook: 'machine.md',
  },
  disk: {
    severity: 'critical',
    what: "use of the disk that holds the gateway's data folder, in percent",
    threshold: 85,
    setting: 'ALERT_DISK_PERCENT',
    forSeconds: 60,
    runbook: 'machine.md',
  },
  alert_delivery: {
    severity: 'warning',
    what: 'alerts could not be sent by webhook or e-mail',
    forSeconds: 0,
    runbook: 'alert-delivery.md',
  },
} as const satisfies Readonly<Record<string, AlertRule>>;

export type AlertCode = keyof typeof alertRules;
export const alertCodes = Object.keys(alertRules) as [AlertCode, ...AlertCode[]];
export const alertRule = (code: AlertCode): AlertRule => alertRules[code];

/** Thresholds in force, by rule; rules without one are not in it. */
export type Thresholds = Readonly<Partial<Record<AlertCode, number>>>;

export const defaultThresholds: Thresholds = Object.fromEntries(
  Object.entries<AlertRule>(alertRules).flatMap(([code, { threshold }]) =>
    threshold === undefined ? [] : [[code, threshold]],
  ),
);

/** One thing that is wrong now. */
export interface Condition {
  readonly code: AlertCode;
  /** Of several at one place: the source, the component. With code and pair it tells one alert from another. */
  readonly subject: string | null;
  readonly pair: string | null;
  readonly severity: Severity;
  /** What is, and what to do. */
  readonly message: string;
  /** What was measured, where something is. */
  readonly value: number | null;
}

export const keyOf = ({ code, subject, pair }: Pick<Condition, 'code' | 'subject' | 'pair'>): string =>
  [code, pair ?? '', subject ?? ''].join('|');
