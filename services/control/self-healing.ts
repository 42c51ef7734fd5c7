import { canSwitchOff, type Healing, type HealingAction, type HealingNote } from '#schemas/healing.ts';
import type { Log } from '#services/kernel/log.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { Control } from './control.ts';

/** Different notes that wait for the control database at most; the same one is only counted. (Promise 6) */
const MOST_NOTES = 200;

/** What is counted of it, in every process that heals: named once. */
export const healingCounter = (metrics: Metrics) =>
  metrics.counter({
    name: 'healing_actions_total',
    help: 'What was done without anybody asking for it, by action; GET /api/self-healing says what each does.',
    labels: ['action'],
  });

export interface SelfHealingOptions {
  readonly control: Pick<Control, 'healing' | 'transaction'>;
  /** The process: "sync-service", "gateway". */
  readonly by: string;
  readonly count: (action: HealingAction) => void;
  readonly log: Log;
}

interface Waiting {
  readonly action: HealingAction;
  note: HealingNote;
  times: number;
}

/**
 * The switches as a process knows them, and what it has done until the control database knows that too. While that is away the last word
 * holds: what was on stays on.
 */
export class SelfHealing implements Healing {
  readonly #options: SelfHealingOptions;
  #off: ReadonlySet<string> = new Set();
  readonly #waiting = new Map<string, Waiting>();
  #flushing: Promise<void> | undefined;

  constructor(options: SelfHealingOptions) {
    this.#options = options;
  }

  isOn(action: HealingAction): boolean {
    return !canSwitchOff(action) || !this.#off.has(action);
  }

  done(action: HealingAction, note: HealingNote): void {
    this.#options.count(action);
    const key = [action, note.subject, note.code ?? ''].join('\n');
    const known = this.#waiting.get(key);
    if (known) {
      known.note = note;
      known.times += 1;
    } else if (this.#waiting.size < MOST_NOTES) this.#waiting.set(key, { action, note, times: 1 });
    else this.#options.log.warn({ action, ...note }, 'Something was healed that the audit trail is not told of.');
    this.#flushQuietly();
  }

  /** Reads the switches anew, and begins to tell what waits. @throws what the control database throws; the last word holds then */
  async look(): Promise<void> {
    this.#off = await this.#options.control.healing.switchedOff();
    if (this.#waiting.size > 0) this.#flushQuietly();
  }

  /** Tells what waits. */
  async flush(): Promise<void> {
    await (this.#flushing ??= this.#tell().finally(() => {
      this.#flushing = undefined;
    }));
  }

  #flushQuietly(): void {
    this.flush().catch((error: unknown) => {
      this.#options.log.debug({ error }, 'What was healed could not be noted; it is tried again.');
    });
  }

  async #tell(): Promise<void> {
    for (let next = this.#first(); next; next = this.#first()) {
      const [key, waiting] = next;
      const { action, note, times } = waiting;
      await this.#options.control.transaction(async ({ healing, audit }) => {
        await healing.record(action, note, { times, by: this.#options.by });
        const { subject, code = null, message } = note;
        await audit.event({
          name: 'self_healing.done',
          entityId: action,
          actor: this.#options.by,
          details: { subject, code, message, times },
          distinct: `${subject}\n${code ?? ''}`,
        });
      });
      // What has come meanwhile is told next.
      waiting.times -= times;
      if (waiting.times === 0) this.#waiting.delete(key);
    }
  }

  #first(): [string, Waiting] | undefined {
    return this.#waiting.entries().next().value;
  }
}
