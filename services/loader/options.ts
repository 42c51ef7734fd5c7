import type { Source, TableShape } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { LoadedTables } from '#schemas/loaded.ts';
import type { LoadWindow } from '#schemas/pairs.ts';
import type { Position } from '#schemas/position.ts';
import type { TableName } from '#schemas/tables.ts';

/** How one table goes over. */
export interface TableLoad {
  readonly shape: TableShape;
  readonly target: TableName;
  /** True: rows go over as the bytes that COPY printed. False: through the chain. */
  readonly identity: boolean;
  /** Rows are at the target or not by what is in them. */
  readonly filtered: boolean;
}

/** How hard a load works. */
export interface LoadLimits {
  readonly parallelTables: number;
  readonly parallelChunks: number;
  /** Rows a chunk; by bytes when undefined. */
  readonly chunkRows: number | undefined;
  readonly rowsPerSecond: number | undefined;
  readonly bytesPerSecond: number | undefined;
  /** Loads rest outside of it. */
  readonly window: LoadWindow | undefined;
}

export interface LoadOptions {
  /** Under which position and progress are kept at the target. */
  readonly pairId: string;
  /** Number of the load: what the target holds of the same one is gone on with. */
  readonly number: number;
  readonly tables: readonly TableLoad[];
  readonly existingRows: 'refuse' | 'replace';
  /** Tables stay as they are until all rows are there: see `LoadRequest`. */
  readonly staged?: boolean;
  readonly source: Source;
  readonly target: Target;
  /**
   * Where the stream is laid over the load from: the end of the source's topic, read before the load's first snapshot was opened.
   * A snapshot waits for the transactions that were running then, so whatever the topic held before it is in the snapshot.
   */
  readonly start: { readonly topic: string; readonly offset: bigint; readonly position: Position };
  /** What the load begins with, as text; what an earlier try has loaded with another one is read again. */
  readonly begun: string;
  readonly limits: LoadLimits;
  /** The pair's chain, for tables that are not identical at both ends. */
  process(block: Buffer): { readonly bytes: Buffer; readonly deadLetters: readonly DeadLetter[] };
  storeDeadLetters(letters: readonly DeadLetter[]): Promise<void>;
  /** Forgets the load's letters of the source table with ordinals from `first` to before `end`: those rows are read again. */
  forgetDeadLetters(relationId: number, first: number, end: number): Promise<void>;
  /** Called once a snapshot is taken, before anything is read in it. @throws what must keep it from being read */
  snapshotTaken(): Promise<void>;
  /** Notes what was read when, durably: the stream is laid over by it. */
  noteLoaded(loaded: LoadedTables): Promise<void>;
  /** Blocks of the source's topic, from the load's start on, as they come. */
  changes(signal: AbortSignal): AsyncIterable<Buffer>;
  /** @throws {TerraFusionError} SOURCE_HISTORY_LOST when the stream that the load would be laid over with is gone */
  checkStream(): Promise<void>;
  readonly observer: LoadObserver;
}

/** What is there of a table when a try begins. */
export interface TableStart {
  readonly table: TableName;
  readonly rows: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly chunksDone: number;
}

/** Tables are the source's. */
export interface LoadObserver {
  /** A try begins, with what earlier ones have left. */
  begun(tables: readonly TableStart[]): void;
  /** Rows and bytes more, several times a second. */
  copied(table: TableName, rows: number, bytes: number): void;
  /** So much of what was told as copied is not at the target: its transaction has failed. */
  givenUp(table: TableName, rows: number, bytes: number): void;
  chunkDone(table: TableName, rows: number): void;
  tableDone(table: TableName): void;
  /** Outside of its window the load rests until about then (ms since 1970); undefined: it goes on. */
  resting(until: number | undefined): void;
}
