import type { Log } from '#connectors/contract/context.ts';
import { asTerraFusionError, type TerraFusionError } from '#schemas/errors.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Lease } from '#services/kernel/leases.ts';
import { Backoff, type Random } from '#services/kernel/retry.ts';

/** One thing that should be running: a reader of a source, a load, a stream of a pair. */
export interface WorkUnit {
  /** Unique, and the name of its lease: no two processes do the same work. "reader:<source>", "stream:<pair>" … */
  readonly name: string;
  /** Another version is other work: the running one is drained, then the new one starts. */
  readonly version: string;
  /** What has halted is tried again when this changes; what runs is left alone. */
  readonly attempt?: number;
  /** Of what it is, for the log: {pair: …}. */
  readonly about?: Readonly<Record<string, string>>;
  /** Of a stage of the data path: the pair or source, as people call it. Whether it is started again after a failure is theirs to say. */
  readonly stageOf?: string;
  /** Resolves when the work is done for good or the signal was aborted and it has drained. */
  run(signal: AbortSignal, lease: Lease): Promise<void>;
  /**
   * What does not heal is told here once, and the unit is not started again until its version changes.
   * @param lease under which it ran; undefined where it had not come to that
   */
  halted(error: TerraFusionError, lease: Lease | undefined): Promise<void>;
  /** What heals is told here, before the wait; with the lease as at `halted`. */
  interrupted(error: TerraFusionError, waitMs: number, lease: Lease | undefined): Promise<void>;
}

/** Runs `work` while the lease of that name is held; undefined when another process holds it. */
export type WithLease = (
  name: string,
  signal: AbortSignal,
  work: (signal: AbortSignal, lease: Lease) => Promise<void>,
) => Promise<'done' | 'held-elsewhere'>;

export interface WorkEngineOptions {
  /** What should be running now, from the control database. */
  readonly wanted: () => Promise<readonly WorkUnit[]>;
  readonly withLease: WithLease;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  /** Told of each unit that is started again after a failure. */
  readonly onRestart?: (name: string, error: TerraFusionError, unit: WorkUnit) => void;
  /** With what a unit halts that met this error, which heals; undefined: it is started again, as all are when left out. */
  readonly refusal?: (unit: WorkUnit, error: TerraFusionError) => TerraFusionError | undefined;
  /** Looks again this often even when nobody calls, so that no lost notification matters. */
  readonly pollMs?: number;
}

interface Running {
  readonly unit: WorkUnit;
  readonly abort: AbortController;
  readonly finished: Promise<void>;
}

interface Waiting {
  readonly version: string;
  readonly attempt: number | undefined;
  readonly backoff: Backoff;
  /** Clock time before which it is not started; Infinity once halted. */
  until: number;
}

/**
 * Makes what runs equal to what should run, again and again: a lost command cannot exist, and a restart of anything converges.
 * Starts what is wanted, drains what is not, restarts with back-off what failed and heals, and leaves alone what does not.
 */
export class WorkEngine {
  readonly #options: WorkEngineOptions;
  readonly #running = new Map<string, Running>();
  readonly #waiting = new Map<string, Waiting>();
  #wake: (() => void) | undefined;
  #woken = false;
  /** Restarts since the process began, by unit. */
  readonly restarts = new Map<string, number>();

  constructor(options: WorkEngineOptions) {
    this.#options = options;
  }

  /** Looks again at once. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  /** Each unit by the state of its circuit: closed while it runs, open while it waits after a failure, halted until somebody acts. */
  circuits(): Map<string, 'closed' | 'open' | 'halted'> {
    const states = new Map<string, 'closed' | 'open' | 'halted'>();
    for (const name of this.#running.keys()) states.set(name, 'closed');
    for (const [name, { until, backoff }] of this.#waiting) {
      if (until === Infinity) states.set(name, 'halted');
      // One that has been halted, or has failed once and has run since, is closed.
      else if (!states.has(name) && backoff.waits > 0) states.set(name, 'open');
    }
    return states;
  }

  /** Until the signal is aborted; then drains everything. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, pollMs = 2000 } = this.#options;
    const onAbort = () => {
      this.wake();
    };
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        this.#woken = false;
        try {
          this.#reconcile(await this.#options.wanted(), signal);
        } catch (thrown) {
          // What runs goes on: a control database that is away stops no replication.
          const error = asTerraFusionError(thrown);
          log.warn({ code: error.code, error }, 'What should be running could not be read; what runs goes on.');
        }
        await this.#nextLook(clock, pollMs);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      for (const { abort } of this.#running.values()) abort.abort();
      await Promise.all([...this.#running.values()].map(({ finished }) => finished));
    }
  }

  async #nextLook(clock: Clock, pollMs: number): Promise<void> {
    if (this.#woken) return;
    const now = clock.monotonic();
    const due = [...this.#waiting.values()].map(({ until }) => until - now).filter((ms) => ms > 0);
    const stop = new AbortController();
    const called = new Promise<void>((resolve) => (this.#wake = resolve));
    await Promise.race([called, clock.sleep(Math.min(pollMs, ...due), stop.signal).catch(() => undefined)]);
    stop.abort();
    this.#wake = undefined;
  }

  #reconcile(wanted: readonly WorkUnit[], signal: AbortSignal): void {
    if (signal.aborted) return;
    const byName = new Map(wanted.map((unit) => [unit.name, unit]));
    for (const [name, { unit, abort }] of this.#running) {
      if (byName.get(name)?.version !== unit.version) abort.abort();
    }
    for (const [name, { version, attempt }] of this.#waiting) {
      const unit = byName.get(name);
      if (unit?.version !== version || unit.attempt !== attempt) this.#waiting.delete(name);
    }
    const now = this.#options.clock.monotonic();
    for (const unit of wanted) {
      if (this.#running.has(unit.name)) continue;
      if ((this.#waiting.get(unit.name)?.until ?? 0) > now) continue;
      this.#start(unit);
    }
  }

  #start(unit: WorkUnit): void {
    const abort = new AbortController();
    const finished = this.#supervise(unit, abort.signal).finally(() => {
      this.#running.delete(unit.name);
      this.wake();
    });
    this.#running.set(unit.name, { unit, abort, finished });
  }

  async #supervise(unit: WorkUnit, signal: AbortSignal): Promise<void> {
    const { withLease, clock, log, random } = this.#options;
    const begun = clock.monotonic();
    let waiting = this.#waiting.get(unit.name);
    if (waiting?.version !== unit.version || waiting.attempt !== unit.attempt) {
      waiting = {
        version: unit.version,
        attempt: unit.attempt,
        backoff: new Backoff({ firstMs: 500, maxMs: 30_000 }, random),
        until: 0,
      };
      this.#waiting.set(unit.name, waiting);
    }
    let under: Lease | undefined;
    try {
      const outcome = await withLease(unit.name, signal, (leased, lease) => {
        under = lease;
        return unit.run(leased, lease);
      });
      // Done, or somebody else does it: look again at the next poll, not at once.
      waiting.until = clock.monotonic() + (outcome === 'done' ? 200 : 1000);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = this.#judged(unit, asTerraFusionError(thrown));
      try {
        if (error.heals) {
          if (clock.monotonic() - begun > 60_000) waiting.backoff.reset();
          const waitMs = waiting.backoff.next();
          waiting.until = clock.monotonic() + waitMs;
          this.restarts.set(unit.name, (this.restarts.get(unit.name) ?? 0) + 1);
          this.#options.onRestart?.(unit.name, error, unit);
          log.warn(
            { unit: unit.name, ...unit.about, code: error.code, error, waitMs: Math.round(waitMs) },
            'Work was interrupted and is started again.',
          );
          await unit.interrupted(error, waitMs, under);
        } else {
          waiting.until = Infinity;
          log.error(
            { unit: unit.name, ...unit.about, code: error.code, error, fix: error.fix },
            'Work has halted and waits for somebody to act.',
          );
          await unit.halted(error, under);
        }
      } catch (failure) {
        // The state could not be told: try the whole unit again rather than halt in silence. (Promise 9)
        waiting.until = clock.monotonic() + 2000;
        log.warn(
          { unit: unit.name, ...unit.about, error: asTerraFusionError(failure) },
          'The state of the work could not be recorded.',
        );
      }
    }
  }

  #judged(unit: WorkUnit, error: TerraFusionError): TerraFusionError {
    return (error.heals && this.#options.refusal?.(unit, error)) || error;
  }
}
