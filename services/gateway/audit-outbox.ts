import type { AuditTrail, PipelineEvent } from '#services/control/audit.ts';
import type { Log } from '#services/kernel/log.ts';

/** Events that wait, at most: should the control database be away for days, memory must not go. (Promise 6) */
const LIMIT = 1000;

/**
 * Events that the gateway knows by itself, kept until the trail has taken them: that the sync-service was started again is seen exactly
 * when much else is down.
 */
export class AuditOutbox {
  readonly #trail: Pick<AuditTrail, 'event'>;
  readonly #log: Log;
  readonly #waiting: PipelineEvent[] = [];
  #flushing: Promise<void> | undefined;

  constructor(trail: Pick<AuditTrail, 'event'>, log: Log) {
    this.#trail = trail;
    this.#log = log;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Tells the trail as soon as it listens; never rejects. */
  async add(event: PipelineEvent): Promise<void> {
    if (this.#waiting.length >= LIMIT) {
      const lost = this.#waiting.shift();
      this.#log.warn({ event: lost }, 'The audit trail has been away for too long: this event is in the log only.');
    }
    const at = new Date().toISOString();
    this.#waiting.push({ ...event, details: { ...event.details, at } });
    await this.flush().catch((error: unknown) => {
      this.#log.warn({ error, event }, 'The audit trail could not be told; it is told as soon as it can be reached.');
    });
  }

  /** Tells what waits, in its order. */
  async flush(): Promise<void> {
    await (this.#flushing ??= this.#tell().finally(() => {
      this.#flushing = undefined;
    }));
  }

  async #tell(): Promise<void> {
    for (let event = this.#waiting[0]; event; event = this.#waiting[0]) {
      await this.#trail.event(event);
      this.#waiting.shift();
    }
  }
}
