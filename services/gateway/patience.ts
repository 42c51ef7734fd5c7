import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { Clock } from '#services/kernel/clock.ts';
import { CircuitBreaker, type CircuitStatus } from './circuit-breaker.ts';

/** How long a part may take to answer before it counts as down, in ms: people wait. */
export const PATIENCE = 2500;
/** The same where the answer is all that is wanted, and there is nothing to show without it. */
const LONGER = 5000;

/** Nobody sees it. One for all, since to make one for each question costs more than some answers. */
const ANSWERED = new Error('answered');

/** @throws {TerraFusionError} `late` when the work takes longer; what it comes to then is nobody's business any more */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  late: () => TerraFusionError,
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const tooLate = clock.sleep(limitMs, done.signal).then(async () => {
    // When it was us who had no time to look, the answer may well be there: it comes in one of the next turns.
    for (let turn = 0; turn < 3 && !done.signal.aborted; turn += 1) await new Promise(setImmediate);
    throw late();
  });
  tooLate.catch(() => undefined);
  try {
    const working = work();
    working.catch(() => undefined);
    return await Promise.race([working, tooLate]);
  } finally {
    done.abort(ANSWERED);
  }
}

const away: ReadonlySet<ErrorCode> = new Set(['CONTROL_DATABASE_UNREACHABLE', 'CONTROL_DATABASE_LOGIN_FAILED']);

/** Whether an error says that the control database cannot be had. */
export const isDatabaseAway = ({ code }: TerraFusionError): boolean => away.has(code);

/**
 * Asks the control database no longer than people wait: one that is there and does not answer (its machine hangs, its disk is full) would
 * hold each request for a minute, and with them the connections of all others.
 */
export class PatientDatabase {
  readonly #clock: Clock;
  readonly #circuit: CircuitBreaker;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#circuit = new CircuitBreaker({ name: 'control database', clock, isDown: isDatabaseAway });
  }

  status(): CircuitStatus {
    return this.#circuit.status();
  }

  /** @throws {TerraFusionError} CONTROL_DATABASE_UNREACHABLE when it is away or does not answer in time; what the work throws */
  async ask<T>(work: () => Promise<T>, limitMs = LONGER): Promise<T> {
    return this.#circuit.ask(() => within(this.#clock, limitMs, () => unanswered(limitMs), work));
  }
}

const unanswered = (limitMs: number): TerraFusionError =>
  new TerraFusionError(
    'CONTROL_DATABASE_UNREACHABLE',
    `The control database does not answer within ${limitMs / 1000} seconds`,
  );
