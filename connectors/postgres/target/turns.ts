import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Long work in steps of about a millisecond. Between two of them sockets are read: a source that cannot send for a while finds the
 * receiver's buffer full, its packets dropped, and sends them again.
 */
export type Steps<Result = void> = Generator<undefined, Result, undefined>;

/** Rows that one step takes. */
export const STEP_ROWS = 256;

/** Does the work, letting the event loop turn between two steps. */
export async function inTurns<Result>(work: Steps<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await nextTurn();
  }
}

/** Does the work without a pause. */
export function atOnce<Result>(work: Steps<Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}
