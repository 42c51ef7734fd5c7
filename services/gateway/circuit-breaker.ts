import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { Clock } from '#services/kernel/clock.ts';

export const circuitStates = ['closed', 'half_open', 'open'] as const;
export type CircuitState = (typeof circuitStates)[number];

export interface CircuitOptions {
  /** What is asked, in words: "sync-service". */
  readonly name: string;
  readonly clock: Clock;
  /** Whether an error says that it cannot be had; others are answers. */
  readonly isDown: (error: TerraFusionError) => boolean;
  /** So many in a row open the circuit. */
  readonly failures?: number;
  /** For how long it is not asked then, at first and at most, in ms; twice as long after each trial that fails. */
  readonly firstMs?: number;
  readonly maxMs?: number;
}

export interface CircuitStatus {
  readonly state: CircuitState;
  /** In a row. */
  readonly failures: number;
  /** Times that it was opened since we run. */
  readonly opened: number;
  /** Until it is asked again, in ms; 0 when it would be at once. */
  readonly retryInMs: number;
}

/**
 * Stops asking what does not answer: callers hear so at once instead of waiting each for themselves, and what is down is not asked by
 * everybody in the moment that it comes back. One at a time tries whether it is there again.
 */
export class CircuitBreaker {
  readonly #options: Required<CircuitOptions>;
  #failures = 0;
  #opened = 0;
  /** 0: closed. */
  #waitMs = 0;
  #retryAt = 0;
  #trying = false;
  #last: TerraFusionError | undefined;

  constructor(options: CircuitOptions) {
    this.#options = { failures: 3, firstMs: 500, maxMs: 5000, ...options };
  }

  status(): CircuitStatus {
    const retryInMs = Math.max(0, this.#retryAt - this.#options.clock.monotonic());
    const state = this.#waitMs === 0 ? 'closed' : this.#trying || retryInMs === 0 ? 'half_open' : 'open';
    return { state, failures: this.#failures, opened: this.#opened, retryInMs: state === 'open' ? retryInMs : 0 };
  }

  /** Asks, unless the circuit is open: then the last failure is told again. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    const { state } = this.status();
    if (state === 'open' || this.#trying) throw this.#refusal();
    const trial = state === 'half_open';
    this.#trying = trial;
    try {
      const result = await work();
      this.close();
      return result;
    } catch (thrown) {
      const error = asTerraFusionError(thrown);
      if (this.#options.isDown(error)) this.#failed(error, trial);
      else this.close();
      throw thrown;
    } finally {
      if (trial) this.#trying = false;
    }
  }

  /** It is there: somebody has seen it. */
  close(): void {
    this.#failures = this.#waitMs = this.#retryAt = 0;
    this.#last = undefined;
  }

  #failed(error: TerraFusionError, trial: boolean): void {
    const { failures, firstMs, maxMs, clock } = this.#options;
    this.#failures += 1;
    this.#last = error;
    if (this.#failures < failures) return;
    // Of those that were under way when it opened each fails for itself: that is one failure.
    if (this.#waitMs > 0 && !trial) return;
    if (this.#waitMs === 0) this.#opened += 1;
    this.#waitMs = this.#waitMs === 0 ? firstMs : Math.min(maxMs, this.#waitMs * 2);
    this.#retryAt = clock.monotonic() + this.#waitMs;
  }

  #refusal(): TerraFusionError {
    const last = this.#last;
    const retry = Math.max(1, Math.ceil(this.status().retryInMs / 1000));
    return new TerraFusionError(
      last?.code ?? 'SERVICE_UNAVAILABLE',
      `${last?.message ?? `The ${this.#options.name} does not answer`}; it is asked again within ${retry} seconds`,
      { cause: last, details: { ...last?.details, circuit: 'open', retry_after_s: retry } },
    );
  }
}
