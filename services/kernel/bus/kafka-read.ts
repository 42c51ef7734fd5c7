import { TerraFusionError } from '#schemas/errors.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { fromKafka, isKafkaError } from './kafka-errors.ts';
import type { Fetched } from './kafka-topic.ts';
import type { BusBlock } from './port.ts';
import { offsetLost } from './topic-name.ts';

/** What the loop reads from: a `KafkaTopic`, or a test's own. */
export interface TopicSource {
  offsets(): Promise<{ low: bigint; high: bigint }>;
  fetch(offset: bigint, options: { maxBytes: number; maxWaitMs: number }): Promise<Fetched>;
  noteProgress(group: string, next: bigint): Promise<void>;
  cut(): void;
}

export interface ReadContext {
  readonly topic: string;
  /** Connects anew; called again after every error. */
  readonly open: () => TopicSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Group under which to note progress for people. */
  readonly group?: string | undefined;
}

/** Bytes of one answer, unless a single block is larger. At most two answers are held: one that the caller takes blocks from, and the next. */
const FETCH_BYTES = 4 * 2 ** 20;
/** How long the broker keeps a request open when there is nothing, in ms. */
const FETCH_WAIT = 1000;
/** The watchdog's patience, in ms: no answer, or lag and no block, for so long ends the read with BUS_UNREACHABLE. */
export const UNREACHABLE_AFTER = 30_000;
/** How long a topic may look absent or too short before it is: brokers learn of a new topic or a new leader one after the other. In ms. */
export const DOUBT_FOR = 2000;
/** Between two notes of progress, in ms. */
const NOTE_EVERY = 5000;
/** Between two attempts, in ms. */
const PAUSE = 250;

/** The blocks of a topic from `from` on; see the port. Ends when the signal is aborted, at once. */
export async function* readTopic(
  from: bigint,
  signal: AbortSignal,
  context: ReadContext,
): AsyncGenerator<BusBlock, void, undefined> {
  const { clock, topic, open } = context;
  const notes = new ProgressNotes(context);
  let source = open();
  let position = from;
  let ahead: Promise<Fetched> | undefined;
  const fetch = (offset: bigint): Promise<Fetched> =>
    source.fetch(offset, { maxBytes: FETCH_BYTES, maxWaitMs: FETCH_WAIT });
  const patience = new Patience(clock);
  try {
    for (;;) {
      let fetched: Fetched | undefined;
      try {
        fetched = await unlessAborted(ahead ?? fetch(position), signal);
      } catch (error) {
        if (isKafkaError(error, 'OFFSET_OUT_OF_RANGE')) {
          position = await reposition(position, error);
        } else {
          patience.lose(error, topic);
          source.cut();
          source = open();
        }
        if (!(await pause(clock, signal))) return;
        continue;
      } finally {
        ahead = undefined;
      }
      if (fetched === undefined) return;

      const last = fetched.blocks.at(-1);
      if (last === undefined) {
        notes.note(source, position);
        if (fetched.high <= position) patience.renew();
        else {
          patience.lose(
            new Error(`It has blocks up to ${String(fetched.high)} and gives none from ${String(position)} on`),
            topic,
          );
          if (!(await pause(clock, signal))) return;
        }
        continue;
      }
      // The next answer is under way while the caller works on this one; its error counts when its turn comes.
      ahead = fetch(last.offset + 1n);
      ahead.catch(() => undefined);
      for (const block of fetched.blocks) {
        if (signal.aborted) return;
        yield block;
        position = block.offset + 1n;
      }
      notes.note(source, position);
      // What the caller took its time for is not the broker's.
      patience.renew();
    }
  } finally {
    source.cut();
  }

  /** Where to go on when the topic does not have the offset: at its first block, or nowhere. */
  async function reposition(offset: bigint, error: unknown): Promise<bigint> {
    try {
      const { low, high } = await source.offsets();
      if (offset < low) return low;
      // A new leader may not know yet how much its followers have, and a moment later it does.
      if (offset > high) patience.doubt(offsetLost(topic, offset, high));
    } catch (failure) {
      patience.lose(failure, topic);
      source.cut();
      source = open();
    }
    context.log.debug({ topic, offset: String(offset), error }, 'Kafka: the offset is out of range.');
    return offset;
  }
}

/** Bears with a broker for a while: errors pass until it lasts too long. */
export class Patience {
  readonly #clock: Clock;
  #since: number;
  #doubtSince: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** All is well. */
  renew(): void {
    this.#since = this.#clock.monotonic();
    this.#doubtSince = undefined;
  }

  /** Something failed. @throws what it means, when that cannot pass or has lasted too long */
  lose(error: unknown, topic: string): void {
    const meant = fromKafka(error, `Reading "${topic}"`);
    if (meant.code === 'BUS_TOPIC_MISSING' || meant.code === 'BUS_OFFSET_LOST') {
      this.doubt(meant);
      return;
    }
    if (!meant.heals) throw meant;
    const waited = this.#clock.monotonic() - this.#since;
    if (waited < UNREACHABLE_AFTER) return;
    const seconds = Math.round(waited / 1000);
    throw new TerraFusionError('BUS_UNREACHABLE', `${meant.message}, for ${seconds} s now`, {
      cause: meant.cause ?? meant,
    });
  }

  /** Something looks final that may not be. @throws it, after `finish`, when it has lasted too long */
  doubt(error: TerraFusionError, finish?: () => void): void {
    const now = this.#clock.monotonic();
    this.#doubtSince ??= now;
    if (now - this.#doubtSince < DOUBT_FOR) return;
    finish?.();
    throw error;
  }
}

class ProgressNotes {
  readonly #context: ReadContext;
  #noted: bigint | undefined;
  #at = -Infinity;

  constructor(context: ReadContext) {
    this.#context = context;
  }

  /** Tells Kafka how far the read has come, now and then. Nothing waits for it and nothing rests on it. */
  note(source: TopicSource, next: bigint): void {
    const { group, clock, log, topic } = this.#context;
    if (group === undefined || next === this.#noted || clock.monotonic() - this.#at < NOTE_EVERY) return;
    this.#noted = next;
    this.#at = clock.monotonic();
    source.noteProgress(group, next).catch((error: unknown) => {
      log.debug({ topic, group, error }, 'Kafka: progress could not be noted.');
    });
  }
}

/** Undefined as soon as the signal is aborted. Leaves no listener behind, however often it is called on one signal. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    return undefined;
  }
  return await new Promise((resolve, reject) => {
    const aborted = (): void => {
      resolve(undefined);
    };
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', aborted);
    });
  });
}

/** False when the signal was aborted meanwhile. */
async function pause(clock: Clock, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(PAUSE, signal);
    return true;
  } catch {
    return false;
  }
}
