import { asTerraFusionError, type TerraFusionError } from '#schemas/errors.ts';
import { systemClock, type Clock } from './clock.ts';

/** When to try again: waits grow from `firstMs` by `factor` up to `maxMs`, each drawn at random from nothing up to that. */
export interface RetryPolicy {
  /** Upper bound of the first wait, in milliseconds. */
  readonly firstMs: number;
  /** Upper bound of every wait, in milliseconds. */
  readonly maxMs: number;
  /** Growth of the bound from wait to wait; 2 when left out. */
  readonly factor?: number;
  /** Tries in all, the first included; without end when left out. */
  readonly attempts?: number;
  /** No new try is begun later than this after the first one, in milliseconds; without end when left out. */
  readonly withinMs?: number;
}

/**
 * For connections that are expected back: quick at first, then at least every five seconds, as PostgreSQL's own replication does. Longer waits made
 * an outage of 20 seconds one of 50: what gathers meanwhile waits longer for the wait's end than it takes to be applied.
 */
export const reconnectPolicy: RetryPolicy = { firstMs: 200, maxMs: 5000 };

/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * The waits of one policy, one after the other. Full jitter: a hundred clients of a restarted database come back spread out,
 * not in step.
 */
export class Backoff {
  readonly #policy: RetryPolicy;
  readonly #random: Random;
  #waits = 0;

  constructor(policy: RetryPolicy, random: Random = Math.random) {
    this.#policy = policy;
    this.#random = random;
  }

  /** Waits handed out since the last {@link reset}. */
  get waits(): number {
    return this.#waits;
  }

  /** The next wait in milliseconds. */
  next(): number {
    const { firstMs, maxMs, factor = 2 } = this.#policy;
    // The exponent is bounded so that a month of failures does not end in Infinity * 0.
    const bound = Math.min(maxMs, firstMs * factor ** Math.min(this.#waits, 64));
    this.#waits += 1;
    return bound * this.#random();
  }

  /** To be called once the work has gone well for a while: the next failure waits shortly again. */
  reset(): void {
    this.#waits = 0;
  }
}

export interface RetryOptions {
  readonly clock?: Clock;
  /** Ends the waiting; what is thrown then is its reason. */
  readonly signal?: AbortSignal;
  readonly random?: Random;
  readonly log?: { warn(fields: object, message: string): void };
  /** What is tried, for the log line: "Connecting to the control database". */
  readonly what?: string;
  /** Called before each wait. */
  readonly onRetry?: (failure: RetryFailure) => void;
}

export interface RetryFailure {
  readonly error: TerraFusionError;
  /** How many tries have failed, from 1. */
  readonly attempt: number;
  /** The wait that follows, in milliseconds. */
  readonly waitMs: number;
}

/**
 * Runs `operation` until it succeeds. What does not heal by itself (`TerraFusionError.heals`) is thrown at once, as is
 * everything when the signal is aborted; at the policy's limit the last error is thrown.
 */
export async function retry<T>(
  operation: (attempt: number) => Promise<T>,
  policy: RetryPolicy,
  { clock = systemClock, signal, random, log, what = 'The operation', onRetry }: RetryOptions = {},
): Promise<T> {
  const backoff = new Backoff(policy, random);
  const begun = clock.monotonic();
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (thrown) {
      if (signal?.aborted) throw thrown;
      const error = asTerraFusionError(thrown);
      if (!error.heals || attempt >= (policy.attempts ?? Infinity)) throw error;
      const waitMs = backoff.next();
      if (clock.monotonic() + waitMs - begun > (policy.withinMs ?? Infinity)) throw error;
      log?.warn({ attempt, waitMs: Math.round(waitMs), code: error.code, error }, `${what} failed and is tried again.`);
      onRetry?.({ error, attempt, waitMs });
      await clock.sleep(waitMs, signal);
    }
  }
}
