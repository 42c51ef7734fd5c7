import { canSwitchOff, healingActions } from '#schemas/healing.ts';
import type { Control } from '#services/control/control.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import { NEW_MINUTES } from './alerts/measure.ts';
import type { SuperviseStatus } from './supervise.ts';
import type { SyncServiceClient } from './sync-service-client.ts';

export interface ControlMetricsParts {
  readonly control: Control;
  readonly syncService: Pick<SyncServiceClient, 'health'>;
  readonly supervision: () => SuperviseStatus | undefined;
  readonly clock: Clock;
  readonly options: { readonly authRequired: boolean };
}

/** How long what was read is told again, in ms: two scrapers, and our own history, cost one look. */
const FRESH = 5000;
/** How long a look may take, in ms: a control database that hangs must not hold up a scrape. */
const PATIENCE = 2000;

type Look = Awaited<ReturnType<typeof read>>;

/** What only the control database knows, and whether the parts answer; asked when somebody looks. */
export function controlMetrics(metrics: Metrics, parts: ControlMetricsParts): void {
  let at = -Infinity;
  let looked: Promise<Look | undefined> | undefined;
  const look = (): Promise<Look | undefined> => {
    if (looked === undefined || parts.clock.monotonic() - at > FRESH) {
      at = parts.clock.monotonic();
      looked = within(parts.clock, read(parts.control));
    }
    return looked;
  };
  metrics.gauge(
    { name: 'control_database_up', help: '1 when the control database answers, else 0.' },
    async (gauge) => {
      gauge.set((await look()) ? 1 : 0);
    },
  );
  metrics.gauge({ name: 'auth_required', help: '0 when nobody is asked for a key, else 1.' }, (gauge) => {
    gauge.set(parts.options.authRequired ? 1 : 0);
  });
  metrics.gauge({ name: 'sync_service_up', help: '1 when the sync-service answers, else 0.' }, async (gauge) => {
    gauge.set((await within(parts.clock, parts.syncService.health())) ? 1 : 0);
  });
  metrics.gauge(
    { name: 'dead_letters_open', help: 'Open dead letters, counted up to 10000 a pair.', labels: ['pair'] },
    async (gauge) => {
      const found = await look();
      gauge.reset();
      for (const { pair, open } of found?.letters ?? []) gauge.set({ pair }, open);
    },
  );
  metrics.gauge(
    {
      name: 'dead_letters_new',
      help: 'Open dead letters that streams have set aside within 15 minutes, counted up to 1000 a pair.',
      labels: ['pair'],
    },
    async (gauge) => {
      const found = await look();
      gauge.reset();
      // 0 is told too, where there are letters at all: what is not there cannot be watched.
      for (const { pair } of found?.letters ?? []) gauge.set({ pair }, 0);
      for (const { pair, count } of found?.newLetters ?? []) gauge.set({ pair }, count);
    },
  );
  metrics.gauge(
    { name: 'removals_waiting', help: 'Deleted pairs that cannot be cleared away at their ends.' },
    async (gauge) => {
      const found = await look();
      if (found) gauge.set(found.removals);
      else gauge.remove();
    },
  );
  metrics.gauge(
    {
      name: 'healing_switched_off',
      help: 'Of each thing done by itself: 1 when it is switched off, 0 when not.',
      labels: ['action'],
    },
    async (gauge) => {
      const found = await look();
      gauge.reset();
      if (!found) return;
      const off = new Set<string>(found.healingOff);
      for (const action of healingActions.filter(canSwitchOff)) gauge.set({ action }, off.has(action) ? 1 : 0);
    },
  );
  metrics.gauge({ name: 'operations_running', help: 'Sync operations under way.' }, async (gauge) => {
    const found = await look();
    if (found) gauge.set(found.operations.running);
    else gauge.remove();
  });
  metrics.gauge(
    {
      name: 'operations_ended_1h',
      help: 'Sync operations that ended within the last hour, by outcome: completed, failed.',
      labels: ['outcome'],
    },
    async (gauge) => {
      const found = await look();
      gauge.reset();
      if (!found) return;
      gauge.set({ outcome: 'completed' }, found.operations.completed);
      gauge.set({ outcome: 'failed' }, found.operations.failed);
    },
  );
  metrics.gauge(
    {
      name: 'heartbeat_age_seconds',
      help: 'Since the youngest heartbeat of a stage or service; above 15 it counts as down.',
      labels: ['stage'],
    },
    async (gauge) => {
      const found = await look();
      gauge.reset();
      for (const [stage, age] of found?.heartbeats ?? []) gauge.set({ stage }, age);
    },
  );
  metrics.counter(
    {
      name: 'restarts_total',
      help: 'Work or processes that were started again after a failure.',
      labels: ['stage'],
    },
    (counter) => {
      counter.reset();
      const status = parts.supervision();
      if (status) counter.inc({ stage: 'sync-service' }, status.restarts);
    },
  );
}

async function read({ deadLetters, operations, components, pairs, healing }: Control) {
  const [letters, newLetters, counts, list, removals, healingOff] = await Promise.all([
    deadLetters.openByPair(),
    deadLetters.newByPair(NEW_MINUTES),
    operations.counts(1),
    components.list(),
    pairs.stuckRemovals(),
    healing.switchedOff(),
  ]);
  const heartbeats = new Map<string, number>();
  for (const { name, ageSeconds } of list) heartbeats.set(name, Math.min(ageSeconds, heartbeats.get(name) ?? Infinity));
  return { letters, newLetters, operations: counts, heartbeats, removals: removals.length, healingOff };
}

/** undefined when it fails or takes too long. */
async function within<T>(clock: Clock, work: Promise<T>): Promise<T | undefined> {
  const done = new AbortController();
  const late = clock.sleep(PATIENCE, done.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([work.catch(() => undefined), late]);
  } finally {
    done.abort();
  }
}
