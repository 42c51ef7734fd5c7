import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { SnapshotReader } from '#connectors/contract/source.ts';
import type { ChunkSnapshot, LoadSession } from '#connectors/contract/target.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import type { LoadOptions } from './options.ts';
import { ordinalsOf, type Job, type Part } from './plan.ts';
import type { Throttle } from './throttle.ts';

/** What a worker has. */
export interface Hands {
  readonly reader: SnapshotReader;
  readonly session: LoadSession;
  readonly throttle: Throttle;
  readonly snapshot: ChunkSnapshot;
  /** Chunks may have been tried before. */
  readonly resumed: boolean;
}

interface Copied {
  rows: number;
  bytes: number;
}

/** Brings a chunk over, or tables that belong together, with the note of it: in one target transaction. */
export async function copyJob(job: Job, hands: Hands, options: LoadOptions, context: ConnectorContext): Promise<void> {
  const counts = job.parts.map((): Copied => ({ rows: 0, bytes: 0 }));
  try {
    await copyParts(job, counts, hands, options, context);
  } catch (error) {
    // Promise 9: what was told as copied is not there.
    job.parts.forEach(({ load }, i) => {
      options.observer.givenUp(load.shape.table, counts[i]!.rows, counts[i]!.bytes);
    });
    throw error;
  }
  crashPoint(crashPoints.LOADER_CHUNK_COMMITTED_NOT_NOTED);
  job.parts.forEach(({ load }, i) => {
    options.observer.chunkDone(load.shape.table, counts[i]!.rows);
  });
}

async function copyParts(
  { parts, together }: Job,
  counts: readonly Copied[],
  hands: Hands,
  options: LoadOptions,
  context: ConnectorContext,
): Promise<void> {
  const { session, snapshot } = hands;
  const { until, shown } = snapshot;
  session.begin(together);
  for (const [i, part] of parts.entries()) {
    const copied = counts[i]!;
    if (part.load.identity) await copyRaw(part, copied, hands, options, context);
    else await copyThroughChain(part, copied, hands, options, context);
    session.finish({
      table: part.load.target,
      number: part.number,
      finished: { ...copied, snapshot: { until, shown } },
    });
  }
  crashPoint(crashPoints.LOADER_CHUNK_COPIED_NOT_COMMITTED);
  await session.commit();
}

async function copyRaw(
  { load: { shape, target }, range, format }: Part,
  copied: Copied,
  { reader, session, throttle }: Hands,
  { observer }: LoadOptions,
  { signal }: ConnectorContext,
): Promise<void> {
  const columns = shape.table.columns.map((column) => column.name);
  async function* counted(): AsyncIterable<Buffer> {
    for await (const piece of reader.copyOut(shape.table, columns, range, format, signal)) {
      yield piece.bytes;
      crashPoint(crashPoints.LOADER_MID_COPY);
      copied.rows += piece.rows;
      copied.bytes += piece.bytes.length;
      observer.copied(shape.table, piece.rows, piece.bytes.length);
      await throttle.passed(piece.rows, piece.bytes.length, signal);
    }
  }
  await session.copyIn(target, columns, format, counted());
}

async function copyThroughChain(
  { load: { shape }, number, range }: Part,
  copied: Copied,
  { reader, session, throttle, resumed }: Hands,
  options: LoadOptions,
  { signal }: ConnectorContext,
): Promise<void> {
  const [first, end] = ordinalsOf(number);
  // A row may have been mended since, or moved: what is refused now is what counts.
  if (resumed) await options.forgetDeadLetters(shape.table.relationId, first, end);
  for await (const block of reader.blocks(shape, range, first, signal)) {
    signal.throwIfAborted();
    const { bytes: processed, deadLetters } = options.process(block.bytes);
    // Promise 2: what does not reach the target is a dead letter before anything that covers it is committed.
    if (deadLetters.length > 0) {
      await options.storeDeadLetters(deadLetters);
      crashPoint(crashPoints.LOADER_DEAD_LETTERS_STORED_NOT_COMMITTED);
    }
    await session.write(processed);
    copied.rows += block.changes;
    copied.bytes += block.bytes.length;
    crashPoint(crashPoints.LOADER_MID_COPY);
    options.observer.copied(shape.table, block.changes, block.bytes.length);
    await throttle.passed(block.changes, block.bytes.length, signal);
  }
}
