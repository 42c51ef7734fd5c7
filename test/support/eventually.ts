import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Milliseconds after which the last failure is thrown. */
  readonly within?: number;
  /** Milliseconds between two looks. */
  readonly every?: number;
  /** What is waited for, for the message. */
  readonly what?: string;
}

/** Thrown by a look: waiting longer is in vain. */
export class Hopeless extends Error {}

/**
 * Looks until `look` neither throws nor returns undefined, false or null, and returns what it returned. This is how tests wait: on a condition with a
 * deadline, never for a time.
 * @throws what `look` threw last, or an error that names `what`, once the deadline has passed
 */
export async function eventually<T>(
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  { within = 20_000, every = 15, what = 'the condition' }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + within;
  for (;;) {
    let failure: unknown;
    try {
      const found = await look();
      if (found !== undefined && found !== null && found !== false) return found;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      failure = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(
        `Waited ${within} ms in vain for ${what}`,
        failure === undefined ? undefined : { cause: failure },
      );
    }
    await delay(every);
  }
}
