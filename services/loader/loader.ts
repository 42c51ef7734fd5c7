import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source, SourceSnapshot, TableShape } from '#connectors/contract/source.ts';
import type { Applied, Target, TargetLoad } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { Position } from '#schemas/position.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';

/** How one table goes over. */
export interface TableLoad {
  readonly shape: TableShape;
  readonly target: TableName;
  /** True: rows go over as the bytes that COPY printed. False: through the chain. */
  readonly identity: boolean;
}

export interface LoadOptions {
  readonly pairId: string;
  readonly tables: readonly TableLoad[];
  readonly existingRows: 'refuse' | 'replace';
  readonly source: Source;
  readonly target: Target;
  /**
   * Where the stream is laid over the snapshot from: the end of the source's topic, read before the snapshot is opened.
   * The snapshot waits for the transactions that were running then, so whatever the topic held before it is in the snapshot.
   */
  readonly start: { readonly topic: string; readonly offset: bigint; readonly position: Position };
  /** The pair's chain, for tables that are not identical at both ends. */
  process(block: Buffer): { readonly bytes: Buffer; readonly deadLetters: readonly DeadLetter[] };
  storeDeadLetters(letters: readonly DeadLetter[]): Promise<void>;
  /** Notes what the snapshot shows, durably: the stream is laid over by it. */
  noteSnapshot(snapshot: { readonly until: Lsn; readonly shown: string | undefined }): Promise<void>;
  readonly observer: LoadObserver;
}

export interface LoadObserver {
  /** Rows copied so far, several times a second at most once a chunk. */
  progress(table: TableName, rows: number): void;
  tableDone(table: TableName, rows: number): void;
}

/**
 * The first load: the tables as they stand at one moment, in one target transaction, with the position to stream from.
 * Killed anywhere, it has either happened or not; then it is begun again with a new snapshot. (Promises 3 and 5)
 */
export async function loadPair(options: LoadOptions, context: ConnectorContext): Promise<Applied> {
  const { source, target, pairId, tables, start } = options;
  await using snapshot = await source.openSnapshot(context);
  crashPoint(crashPoints.LOADER_SNAPSHOT_TAKEN);
  await options.noteSnapshot(snapshot);
  const byTarget = new Map(tables.map((table) => [formatTableName(table.target), table]));
  await using load = await target.openLoad(
    { pairId, tables: tables.map((table) => table.target), existingRows: options.existingRows },
    context,
  );
  for (const name of load.order) {
    const table = byTarget.get(formatTableName(name));
    if (!table) throw new Error(`the target orders ${formatTableName(name)}, which is not part of the load`);
    const rows = table.identity
      ? await copyRaw(table, snapshot, load, options, context)
      : await copyThroughChain(table, snapshot, load, options, context);
    options.observer.tableDone(table.shape.table, rows);
  }
  const applied: Applied = {
    position: start.position,
    topic: start.topic,
    nextOffset: start.offset,
    // Where it is known what the snapshot shows, nothing has to be tolerated.
    overlayUntil: snapshot.shown === undefined ? snapshot.until : 0n,
  };
  crashPoint(crashPoints.LOADER_BEFORE_COMMIT);
  await load.commit(applied);
  crashPoint(crashPoints.LOADER_AFTER_COMMIT);
  return applied;
}

async function copyRaw(
  { shape, target }: TableLoad,
  snapshot: SourceSnapshot,
  load: TargetLoad,
  { observer }: LoadOptions,
  { signal }: ConnectorContext,
): Promise<number> {
  const columns = shape.table.columns.map((column) => column.name);
  let rows = 0;
  async function* counted(): AsyncIterable<Buffer> {
    for await (const chunk of snapshot.copyOut(shape.table, columns, signal)) {
      rows += newlines(chunk);
      yield chunk;
      crashPoint(crashPoints.LOADER_MID_COPY);
      observer.progress(shape.table, rows);
    }
  }
  return load.copyIn(target, columns, counted());
}

async function copyThroughChain(
  { shape }: TableLoad,
  snapshot: SourceSnapshot,
  load: TargetLoad,
  options: LoadOptions,
  { signal }: ConnectorContext,
): Promise<number> {
  let rows = 0;
  for await (const block of snapshot.blocks(shape, signal)) {
    signal.throwIfAborted();
    const { bytes, deadLetters } = options.process(block.bytes);
    // Promise 2: what does not reach the target is a dead letter before anything that covers it is committed.
    if (deadLetters.length > 0) await options.storeDeadLetters(deadLetters);
    await load.write(bytes);
    rows += block.changes;
    crashPoint(crashPoints.LOADER_MID_COPY);
    options.observer.progress(shape.table, rows);
  }
  return rows;
}

/** In COPY's text format a newline always ends a row: those within values are escaped. */
function newlines(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) count++;
  return count;
}
