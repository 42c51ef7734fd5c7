import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { Position } from '#schemas/position.ts';
import type { TableName } from '#schemas/tables.ts';
import type { Check } from './check.ts';
import type { ConnectorContext } from './context.ts';
import type { SchemaModel, SchemaPhase, SchemaReport, SequenceAdvance, SequenceModel } from './schema.ts';

/** What a target says it holds of a pair: written in the same transaction as the rows. */
export interface Applied {
  readonly position: Position;
  /** Topic and offset to go on reading at: a hint; positions decide. */
  readonly topic: string;
  readonly nextOffset: bigint;
  /** Until the stream has passed this, a first load is being laid over (0n: never). */
  readonly overlayUntil: Lsn;
}

/** A table to make when it is missing. */
export interface TableToCreate {
  readonly table: TableName;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly notNull: boolean }[];
  readonly primaryKey: readonly string[];
}

/** One target system. */
export interface Target {
  check(tables: readonly TableName[], context: ConnectorContext): Promise<Check[]>;
  /** Creates the missing ones of the tables (and their schemas), all or none. @throws TARGET_TYPE_MISSING naming column and type, TARGET_NO_PRIVILEGE */
  createTables(tables: readonly TableToCreate[], context: ConnectorContext): Promise<TableName[]>;
  /**
   * Makes what is missing of the model, under the names that stand in it. May be called again after any interruption: what is there
   * already is left as it is, and what bears the same name but is something else is told, never altered. A table that was there before
   * us gets nothing added. Each object is made whole or not at all; what cannot be made is in the report and keeps nothing else from
   * being made, but for the tables themselves. Left out: only {@link Target.createTables} is there.
   * @throws TARGET_TYPE_MISSING naming every column whose type the target does not know, TARGET_NO_PRIVILEGE, TARGET_BUSY
   */
  createSchema?(model: SchemaModel, phase: SchemaPhase, context: ConnectorContext): Promise<SchemaReport>;
  /** Moves each sequence to at least the value in it, never backwards. One that is missing or not ours to move is told. */
  advanceSequences?(sequences: readonly SequenceModel[], context: ConnectorContext): Promise<SequenceAdvance[]>;
  /** What the target's tables look like; a missing table is left out. */
  describe(tables: readonly TableName[], context: ConnectorContext): Promise<TargetTable[]>;
  /** What is held for the pair; undefined before its first load. Makes nothing. */
  applied(pairId: string, context: ConnectorContext): Promise<Applied | undefined>;
  /** To ask for {@link applied} again and again over one connection: for waiting until a position is reached. Left out: `applied` is asked. */
  openMonitor?(context: ConnectorContext): Promise<TargetMonitor>;
  /** Opens the first load: one target transaction for all of it. */
  openLoad(request: LoadRequest, context: ConnectorContext): Promise<TargetLoad>;
  openWriter(pairId: string, context: ConnectorContext, steps?: WriterSteps): Promise<TargetWriter>;
  /**
   * Writes a block of inserts and updates of tolerant tables as upserts, in a transaction of its own and without a position: rows that somebody has
   * mended by hand. @throws TARGET_ROW_REJECTED, TARGET_CONFLICT with the target's reason; nothing is written then
   */
  upsert(block: Buffer, context: ConnectorContext): Promise<void>;
  /** Removes the pair's position. The rows stay. */
  forget(pairId: string, context: ConnectorContext): Promise<void>;
}

export interface TargetMonitor extends AsyncDisposable {
  /** As {@link Target.applied}. After a rejection the monitor is done: open a new one. */
  applied(pairId: string): Promise<Applied | undefined>;
}

export interface TargetTable {
  readonly table: TableName;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly notNull: boolean;
    readonly hasDefault: boolean;
    readonly generated: boolean;
  }[];
  readonly primaryKey: readonly string[];
  readonly hasRows: boolean;
}

export interface LoadRequest {
  readonly pairId: string;
  /** In the order of the load: parents of foreign keys first is the connector's work. */
  readonly tables: readonly TableName[];
  readonly existingRows: 'refuse' | 'replace';
}

export interface TargetLoad extends AsyncDisposable {
  /** The tables in the order in which they must be filled. */
  readonly order: readonly TableName[];
  /** Rows in COPY's text format, chunks of any cut. Returns how many rows. `onRows` is called now and then with the count so far. */
  copyIn(table: TableName, columns: readonly string[], chunks: AsyncIterable<Buffer>): Promise<number>;
  /** A block of inserts, already processed. */
  write(block: Buffer): Promise<void>;
  /** Stores the position with the rows and commits: all of the load is seen, or nothing. */
  commit(applied: Applied): Promise<void>;
}

/** Some blocks, in order, nothing left out between them. */
export interface TargetBatch {
  readonly blocks: readonly Buffer[];
  /** Position that the last block reaches. When it is inside a transaction, the target transaction stays open for the next batch. */
  readonly last: Position;
  readonly topic: string;
  /** Where to go on reading once this batch is committed. */
  readonly nextOffset: bigint;
  /**
   * set: reduced by key, applied set-based. ordered: change by change in the source's order, each on its own; a change that the
   * target refuses for good goes to `reject` and the rest goes on. Constraints that can wait are looked at when the transaction ends.
   * immediate: as ordered, but every constraint is looked at with each change, so that it is known which change broke it.
   * The mode must not become less strict within a source transaction.
   */
  readonly mode: 'set' | 'ordered' | 'immediate';
}

export interface BatchOutcome {
  /** True: committed, the target holds `last`. False: the source transaction goes on, nothing is visible yet. */
  readonly committed: boolean;
  /** Changes applied, by operation; those that came to nothing within the batch are counted too. */
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Dead letters that were handed to `reject` in this target transaction. */
  readonly rejected: number;
  /** The same changes, by target table; tables without one are left out. */
  readonly tables: readonly TableOutcome[];
}

/** What a batch has done to one target table. */
export interface TableOutcome {
  readonly table: TableName;
  readonly changes: number;
  /** When the last of them was committed at the source, µs since 1970. */
  readonly lastCommitTime: number;
}

/** Moments at which tests look in, or end the process. Given only by them: the writer waits for the target before it calls. */
export interface WriterSteps {
  /** Rows and position are written at the target, their transaction is open. */
  beforeCommit?(): void;
  /** In ordered and immediate mode: some changes are written, their transaction is open. */
  betweenChanges?(): void;
}

export interface TargetWriter extends AsyncDisposable {
  /** What the target held when the writer was opened; undefined before a first load. */
  readonly held: Applied | undefined;
  /**
   * Applies the batch within the writer's target transaction; commits at a source transaction's end, with the position, in one.
   * (Promises 2 and 3) May be called again before the earlier call has resolved (two in flight keep the target busy); order is kept.
   * After a rejection the target holds what it held after the last committed batch, all later calls reject, and the writer is done:
   * open a new one. TARGET_CONSTRAINT asks for a repetition in the next stricter mode: ordered after set, immediate after ordered.
   */
  apply(batch: TargetBatch, reject: (letters: readonly DeadLetter[]) => Promise<void>): Promise<BatchOutcome>;
}
