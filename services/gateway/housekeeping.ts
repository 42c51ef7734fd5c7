import type { Control } from '#services/control/control.ts';
import type { SelfHealing } from '#services/control/self-healing.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';
import type { AuditOutbox } from './audit-outbox.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

export interface HousekeepingParts {
  readonly control: Control;
  readonly clock: Clock;
  readonly log: Log;
  readonly outbox: AuditOutbox;
  readonly healing: Pick<SelfHealing, 'flush'>;
  /** How long entries of the audit trail are kept; 0: for ever. */
  readonly auditRetentionDays: number;
}

interface Chore {
  readonly what: string;
  readonly everyMs: number;
  readonly work: () => Promise<unknown>;
}

/** What has to be done again and again, by one process: each chore by itself, so that one that fails holds up no other. */
export function startHousekeeping({
  control,
  clock,
  log,
  outbox,
  healing,
  auditRetentionDays,
}: HousekeepingParts): AsyncDisposable {
  const { audit, idempotency, sessions } = control;
  const chores: readonly Chore[] = [
    { what: 'Old idempotency keys', everyMs: HOUR, work: () => idempotency.purge() },
    { what: 'Sessions that have ended', everyMs: HOUR, work: () => sessions.purge() },
    { what: 'Entries of the audit trail that had to wait', everyMs: 5 * SECOND, work: () => outbox.flush() },
    { what: 'What was healed by itself', everyMs: 5 * SECOND, work: () => healing.flush() },
    { what: 'Repeated events', everyMs: 15 * SECOND, work: () => audit.tellRepeated() },
    {
      what: "The trail's end",
      everyMs: 24 * HOUR,
      // Log files are kept elsewhere: with such a line nobody can make the trail anew, or shorter, unnoticed.
      work: async () => {
        const head = await audit.head();
        if (head) log.info({ seq: head.id.toString(), hash: head.hash.toString('hex') }, 'The audit trail ends here.');
      },
    },
  ];
  const pruning: Chore = {
    what: 'Old entries of the audit trail',
    everyMs: 24 * HOUR,
    work: async () => {
      const { removed } = await audit.prune(auditRetentionDays, 'gateway');
      if (removed > 0) log.info({ removed, days: auditRetentionDays }, 'Old entries of the audit trail were removed.');
    },
  };
  const stop = new AbortController();
  const done = [...chores, ...(auditRetentionDays > 0 ? [pruning] : [])].map((chore) =>
    repeat(chore, clock, log, stop.signal),
  );
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.all(done);
      await outbox.flush().catch(() => undefined);
      await healing.flush().catch(() => undefined);
    },
  };
}

async function repeat({ what, everyMs, work }: Chore, clock: Clock, log: Log, signal: AbortSignal): Promise<void> {
  const stopped = (): boolean => signal.aborted;
  while (!stopped()) {
    try {
      await work();
    } catch (error) {
      log.debug({ error, what }, 'A chore could not be done; it is next time.');
    }
    await clock.sleep(everyMs, signal).catch(() => undefined);
  }
}
