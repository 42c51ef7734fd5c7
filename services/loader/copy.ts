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
  readonly rows: number;
  readonly bytes: number;
}

/** Brings a chunk over, or tables that belong together, with the note of it: in one target transaction. */
export async function copyJob(job: Job, hands: Hands, options: LoadOptions, context: ConnectorContext): Promise<void> {
  const { session, snapshot } = hands;
  const { until, shown } = snapshot;
  const counts: Copied[] = [];
  session.begin(job.together);
  for (const part of job.parts) {
    const copied = part.load.identity
      ? await copyRaw(part, hands, options, context)
      : await copyThroughChain(part, hands, options, context);
    session.finish({
      table: part.load.target,
      number: part.number,
      finished: { ...copied, snapshot: { until, shown } },
    });
    counts.push(copied);
  }
  crashPoint(crashPoints.LOADER_CHUNK_COPIED_NOT_COMMITTED);
  await session.commit();
  crashPoint(crashPoints.LOADER_CHUNK_COMMITTED_NOT_NOTED);
  job.parts.forEach(({ load }, i) => {
    options.observer.chunkDone(load.shape.table, counts[i]!.rows);
  });
}

async function copyRaw(
  { load: { shape, target }, range }: Part,
  { reader, session, throttle }: Hands,
  { observer }: LoadOptions,
  { signal }: ConnectorContext,
): Promise<Copied> {
  const columns = shape.table.columns.map((column) => column.name);
  let rows = 0;
  let bytes = 0;
  async function* counted(): AsyncIterable<Buffer> {
    for await (const piece of reader.copyOut(shape.table, columns, range, signal)) {
      const more = newlines(piece);
      rows += more;
      bytes += piece.length;
      yield piece;
      crashPoint(crashPoints.LOADER_MID_COPY);
      observer.copied(shape.table, more, piece.length);
      await throttle.passed(more, piece.length, signal);
    }
  }
  await session.copyIn(target, columns, counted());
  return { rows, bytes };
}

async function copyThroughChain(
  { load: { shape }, number, range }: Part,
  { reader, session, throttle, resumed }: Hands,
  options: LoadOptions,
  { signal }: ConnectorContext,
): Promise<Copied> {
  const [first, end] = ordinalsOf(number);
  // A row may have been mended since, or moved: what is refused now is what counts.
  if (resumed) await options.forgetDeadLetters(shape.table.relationId, first, end);
  let rows = 0;
  let bytes = 0;
  for await (const block of reader.blocks(shape, range, first, signal)) {
    signal.throwIfAborted();
    const { bytes: processed, deadLetters } = options.process(block.bytes);
    // Promise 2: what does not reach the target is a dead letter before anything that covers it is committed.
    if (deadLetters.length > 0) {
      await options.storeDeadLetters(deadLetters);
      crashPoint(crashPoints.LOADER_DEAD_LETTERS_STORED_NOT_COMMITTED);
    }
    await session.write(processed);
    rows += block.changes;
    bytes += block.bytes.length;
    crashPoint(crashPoints.LOADER_MID_COPY);
    options.observer.copied(shape.table, block.changes, block.bytes.length);
    await throttle.passed(block.changes, block.bytes.length, signal);
  }
  return { rows, bytes };
}

/** In COPY's text format a newline always ends a row: those within values are escaped. */
function newlines(piece: Buffer): number {
  let count = 0;
  for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, at + 1)) count++;
  return count;
}
