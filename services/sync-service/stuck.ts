import type { Clock, Log } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Healing } from '#schemas/healing.ts';

/** Times in a row that a stage is stuck without having done anything: then starting it again is no help. */
const MOST_TIMES = 3;
/** Between two looks, in milliseconds, at most. */
const LOOK_MS = 5000;
/** How long a stage that was stopped may take to end before that is told, in milliseconds. */
const END_MS = 60_000;

/** A stage as it is looked at from outside. */
export interface WatchedStage {
  /** "writer", "reader", "load", "stream processor". */
  readonly name: string;
  /** The pair or source, as people call it. */
  readonly subject: string;
  /**
   * What waits for the stage, in words. undefined: nothing does, or the stage waits for something that is known, such as its window.
   * May throw: nothing is judged then.
   */
  work(): string | undefined | Promise<string | undefined>;
  /** Another text after each sign of life: something read, given, answered, parts of a transaction included; also each try to connect. */
  signs(): string;
  /** Another text only after something that stays when the stage is started again. */
  done(): string;
  /** Whether an end works on what the stage has given it, a lock that somebody else holds included. What cannot be asked does not. */
  isAtWork?(signal: AbortSignal): Promise<boolean>;
}

export interface StuckOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long a stage with work may give no sign of life, in milliseconds. */
  readonly afterMs: number;
  readonly healing: Healing;
  /** How often each stage has been stuck in a row; kept by whoever starts it again. */
  readonly history: Map<string, number>;
  /** It is stuck and is left as it is; undefined: it goes on. */
  readonly left: (error: TerraFusionError | undefined) => void;
}

/**
 * Runs a stage, and stops it when it is stuck: there is work, nothing moves, and nobody works on it elsewhere. What merely waits is left
 * alone: behind a lock, a slow statement, a full bus, between two tries.
 * @throws {TerraFusionError} STAGE_STUCK once it has ended, for whoever starts it again; STAGE_STAYS_STUCK when that has not helped; what `run` throws
 */
export async function watched(
  stage: WatchedStage,
  options: StuckOptions,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const stop = new AbortController();
  // What drains since it was asked to is nobody's to stop.
  const watching = watch(stage, options, AbortSignal.any([signal, over.signal])).then((error) => {
    if (error) stop.abort(error);
  });
  // What it says when it is stopped only follows from that.
  const stuck = (): boolean => stop.signal.aborted && !signal.aborted;
  try {
    await run(AbortSignal.any([signal, stop.signal]));
  } catch (error) {
    if (!stuck()) throw error;
  } finally {
    over.abort();
    await watching;
  }
  if (stuck()) throw stop.signal.reason as TerraFusionError;
}

/** Resolves with why it is to be stopped; undefined when it is over. */
async function watch(
  stage: WatchedStage,
  options: StuckOptions,
  over: AbortSignal,
): Promise<TerraFusionError | undefined> {
  const { clock, log, afterMs, healing, history } = options;
  const key = `${stage.name} ${stage.subject}`;
  const times = (history.get(key) ?? 0) + 1;
  // Twice as long each time: what was only slow gets there.
  const limit = afterMs * 2 ** (times - 1);
  const every = Math.min(LOOK_MS, afterMs / 12);
  const begun = stage.done();
  let seen = stage.signs();
  let looked = clock.monotonic();
  let still = 0;
  let isLeft = false;
  while (await slept(clock, every, over)) {
    // A process that was stopped, or whose machine slept, has not been stuck for so long.
    const passed = Math.min(clock.monotonic() - looked, 2 * every);
    looked = clock.monotonic();
    const work = await askWork(stage, log);
    const signs = stage.signs();
    if (stage.done() !== begun) history.delete(key);
    if (work === undefined || signs !== seen) {
      seen = signs;
      still = 0;
      if (isLeft) options.left(undefined);
      isLeft = false;
      continue;
    }
    still += passed;
    if (still < limit || (isLeft && !healing.isOn('restart_stuck_stage'))) continue;
    if (await isAtWork(stage, log, over)) {
      still = 0;
      continue;
    }
    if (over.aborted || stage.signs() !== seen) continue;
    const what = `The ${stage.name} of ${stage.subject} has got nothing done for ${Math.round(still / 1000)} s, though ${work}`;
    if (!healing.isOn('restart_stuck_stage')) {
      isLeft = true;
      log.warn({ stage: stage.name, subject: stage.subject, work }, 'A stage is stuck, and is left as it is.');
      options.left(new TerraFusionError('STAGE_STUCK', `${what}; restart_stuck_stage is switched off`));
      continue;
    }
    // Has it done something since it began, this is the first time in a row.
    const inRow = history.get(key) === undefined && stage.done() !== begun ? 1 : times;
    const error = inRow < MOST_TIMES ? stuckError(what) : staysStuck(what, inRow);
    log.warn({ stage: stage.name, subject: stage.subject, work, times: inRow }, 'A stage is stuck and is stopped.');
    if (error.heals) {
      history.set(key, inRow);
      healing.done('restart_stuck_stage', { subject: stage.subject, code: error.code, message: error.message });
    } else history.delete(key);
    void tellUnended(stage, options, over);
    return error;
  }
  return undefined;
}

async function tellUnended(stage: WatchedStage, { clock, log }: StuckOptions, over: AbortSignal): Promise<void> {
  // Another one beside it would read and write the same: it is waited for, however long.
  if (await slept(clock, END_MS, over))
    log.error(
      { stage: stage.name, subject: stage.subject },
      'A stuck stage does not end, and cannot be started again: start the sync-service again.',
    );
}

const stuckError = (what: string): TerraFusionError =>
  new TerraFusionError('STAGE_STUCK', `${what}; it is started again`);

const staysStuck = (what: string, times: number): TerraFusionError =>
  new TerraFusionError('STAGE_STAYS_STUCK', `${what}; it is so ${times} times in a row`);

/** False when it was over before. */
async function slept(clock: Clock, ms: number, over: AbortSignal): Promise<boolean> {
  await clock.sleep(ms, over).catch(() => undefined);
  return !over.aborted;
}

async function askWork(stage: WatchedStage, log: Log): Promise<string | undefined> {
  try {
    return await stage.work();
  } catch (error) {
    log.debug({ error, stage: stage.name }, 'Whether a stage has work could not be told.');
    return undefined;
  }
}

async function isAtWork(stage: WatchedStage, log: Log, over: AbortSignal): Promise<boolean> {
  try {
    return (await stage.isAtWork?.(over)) ?? false;
  } catch (error) {
    log.debug({ error, stage: stage.name }, 'Whether an end is at work could not be asked.');
    return false;
  }
}
