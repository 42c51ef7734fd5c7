import { BlockReader, dropThrough } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, formatPosition, type Position } from '#schemas/position.ts';
import { BlockQueue } from '#services/kernel/block-queue.ts';
import type { Bus, BusBlock } from '#services/kernel/bus/port.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import type { Counts, Processor } from './compile.ts';
import { reheader } from './reheader.ts';

/** Bytes that are appended at once, and that wait behind the append under way. (Promise 6) */
const BATCH_BYTES = 4 * 1024 * 1024;

/** Where a pair's stream begins, as long as its output topic holds nothing. */
export interface StageStart {
  /** First offset of the input topic to read. */
  readonly offset: bigint;
  /** What the pair holds already: changes at or below it are dropped. */
  readonly position: Position;
}

export interface StageOptions {
  readonly bus: Bus;
  /** `changes.<source>` */
  readonly input: string;
  /** `ready.<pair>…`; made when it is not there. */
  readonly output: string;
  readonly processor: Processor;
  readonly start: StageStart;
  /** Resolves once the letters are stored; storing the same ones again changes nothing. */
  readonly storeDeadLetters: (letters: readonly DeadLetter[]) => Promise<void>;
  /** Aborted when the stage should drain: what was read by then is finished and appended. */
  readonly signal: AbortSignal;
  /** Told where the input topic is read from, once that is known. */
  readonly onResumed?: (offset: bigint) => void;
  /** Told of every append once it is durable: for status and metrics. */
  readonly onAppended?: (appended: Appended) => void;
  /** Bytes that are appended at once and that wait behind it; 4 MiB when left out. */
  readonly batchBytes?: number;
  /** Consumer group under which Kafka shows how far the stage has come. */
  readonly group?: string;
}

export interface Appended {
  /** Position that the output topic reaches. */
  readonly position: Position;
  /** Where the input topic is read on: what is before it may go, as far as this pair is concerned. */
  readonly nextOffset: bigint;
  readonly bytes: number;
  readonly deadLetters: number;
  /** Of each block. */
  readonly counts: readonly Counts[];
}

/** A processed block that waits for its append. */
interface Pending {
  readonly bytes: Buffer;
  readonly position: Position;
  readonly nextOffset: bigint;
  readonly deadLetters: readonly DeadLetter[];
  readonly counts: Counts;
}

/**
 * The stream processor between two topics, until the signal is aborted.
 *
 * The output topic is its checkpoint: it goes on after the input block that the last output block was made from, and drops what that
 * output covers already, change by change. (Promises 2 and 5) While one append is under way further blocks are processed, and go out
 * together. After a failure, call again: what was appended is found there, whatever the failed append has left.
 *
 * @throws {TerraFusionError} PAIR_HISTORY_LOST when the input topic no longer holds what follows; PAIR_ROW_INVALID and the like from
 * the processor, once what came before it is appended; whatever the bus and `storeDeadLetters` throw
 */
export async function runStage(options: StageOptions): Promise<void> {
  const { bus, output, start, signal, batchBytes = BATCH_BYTES } = options;
  await bus.createTopic(output);
  const from = resumeFrom(await bus.tail(output), start);
  options.onResumed?.(from.offset);
  const queue = new BlockQueue<Pending>(batchBytes);
  const stop = new AbortController();
  const pumping = pump(options, from, queue, AbortSignal.any([signal, stop.signal]));
  try {
    for (;;) {
      const batch = await queue.take(batchBytes);
      if (batch.length === 0) return;
      await write(options, batch);
    }
  } finally {
    stop.abort();
    queue.end();
    await pumping;
  }
}

/** Reads and processes until the signal is aborted or something fails; what was processed before goes out first. */
async function pump(
  { bus, input, processor, group }: StageOptions,
  from: StageStart,
  queue: BlockQueue<Pending>,
  signal: AbortSignal,
): Promise<void> {
  let held = from.position;
  try {
    for await (const { bytes, offset } of bus.read(input, from.offset, signal, group === undefined ? {} : { group })) {
      const news = newsOf(bytes, held, input);
      if (news) {
        const { bytes: made, deadLetters, counts } = processor.process(news, offset);
        held = BlockReader.summary(news).last;
        crashPoint(crashPoints.PROCESSOR_PROCESSED_NOT_APPENDED);
        // The offset is the checkpoint, so it is written even where nothing else changes.
        const block = reheader(made, offset);
        await queue.put({ bytes: block, position: held, nextOffset: offset + 1n, deadLetters, counts });
      }
      if (signal.aborted) break;
    }
    queue.end();
  } catch (error) {
    queue.end(error);
  }
}

async function write(
  { bus, output, storeDeadLetters, onAppended }: StageOptions,
  batch: readonly Pending[],
): Promise<void> {
  const letters = batch.flatMap(({ deadLetters }) => deadLetters);
  if (letters.length > 0) {
    // Promise 2: dead letters are stored before the position that covers them is.
    await storeDeadLetters(letters);
    crashPoint(crashPoints.PROCESSOR_DEAD_LETTERS_STORED_NOT_APPENDED);
  }
  await bus.append(
    output,
    batch.map(({ bytes }) => bytes),
  );
  crashPoint(crashPoints.PROCESSOR_APPENDED_NOT_NOTED);
  const { position, nextOffset } = batch.at(-1)!;
  onAppended?.({
    position,
    nextOffset,
    bytes: batch.reduce((sum, { bytes }) => sum + bytes.length, 0),
    deadLetters: letters.length,
    counts: batch.map(({ counts }) => counts),
  });
}

/** Where to go on: after what the output topic holds, or at the pair's start when that is further on. */
function resumeFrom(tail: BusBlock | undefined, start: StageStart): StageStart {
  if (!tail) return start;
  const { last } = BlockReader.summary(tail.bytes);
  if (comparePositions(start.position, last) > 0) return start;
  const { inputOffset } = BlockReader.open(tail.bytes).header;
  return { offset: inputOffset < 0n ? start.offset : inputOffset + 1n, position: last };
}

/**
 * What of a block is not held yet, undefined when nothing is.
 * @throws {TerraFusionError} PAIR_HISTORY_LOST when something between what is held and the block is missing
 */
function newsOf(bytes: Buffer, held: Position, topic: string): Buffer | undefined {
  const { after } = BlockReader.open(bytes).header;
  if (comparePositions(after, held) > 0) {
    throw new TerraFusionError(
      'PAIR_HISTORY_LOST',
      `Topic ${topic} goes on after ${formatPosition(after)}, but only what is up to ${formatPosition(held)} was processed`,
      { details: { topic, after: formatPosition(after), held: formatPosition(held) } },
    );
  }
  return dropThrough(bytes, held);
}
