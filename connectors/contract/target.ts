import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { Position } from '#schemas/position.ts';
import type { SourceTable } from '#schemas/source-tables.ts';
import type { TableEnds, TableName } from '#schemas/tables.ts';
import type { Check } from './check.ts';
import type { ConnectorContext } from './context.ts';
import type { SchemaModel, SchemaPhase, SchemaReport, SequenceAdvance, SequenceModel } from './schema.ts';
import type { ProbeAnswer, ProbeColumn } from './probe.ts';
import type { ChunkRange, ColumnsRead, ColumnsRequest, RawFormat } from './source.ts';

/** What a target says it holds of a pair: written in the same transaction as the rows. */
export interface Applied {
  readonly position: Position;
  /** Topic and offset to go on reading at: a hint; positions decide. */
  readonly topic: string;
  readonly nextOffset: bigint;
  /** Until the stream has passed this, a first load is being laid over (0n: never). */
  readonly overlayUntil: Lsn;
  /** Who writes which of the pair's tables; undefined in what is to be stored: nothing is divided. */
  readonly division?: Division;
}

/** How a pair's tables are divided between its stream and its table syncs. */
export interface Division {
  /** Grows with every change of it: a writer that was opened before is fenced. */
  readonly epoch: number;
  /** The lowest version of the pair's definition whose stream may write. */
  readonly version: number;
  /** One entry a table sync. */
  readonly apart: readonly ApartTables[];
}

/** Tables that have left their pair's stream: a table sync brings them, then they join it again. */
export interface ApartTables {
  /** Number of the table sync within the pair. */
  readonly sync: number;
  readonly tables: readonly TableEnds[];
  /** What the pair's stream had applied when they left it. */
  readonly from: Pick<Applied, 'position' | 'topic' | 'nextOffset'>;
  /** They have joined: the pair's stream brings what comes after this position. */
  readonly until?: Position;
}

export interface DivideRequest {
  readonly version: number;
  /** Leave in any case. */
  readonly apart: readonly Pick<ApartTables, 'sync' | 'tables'>[];
  /** Leave when, and only when, this request is what raises the version: its definition brings them in another way. */
  readonly withVersion: readonly Pick<ApartTables, 'sync' | 'tables'>[];
}

/** `division.version` of a sync's position that {@link Target.takeBack} has made: its rows are not those of its load. */
export const TAKEN_BACK = -1;

/** Under which a table sync's position is held, beside its pair's: openLoad, openWriter and applied take it in the pair's place. */
export const syncKey = (pairId: string, sync: number): string => `${pairId}/${sync}`;

/** A table to make when it is missing. */
export interface TableToCreate {
  readonly table: TableName;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly notNull: boolean }[];
  readonly primaryKey: readonly string[];
}

/** One target system. */
export interface Target {
  /** Whether its writer takes cells in binary (`CellFormat`) of the types that blocks know. Left out: text only. */
  readonly takesBinary?: true;
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
  /** Whether the target works for a stage of the pair, a lock that somebody else holds included: not whether it waits for us. Left out: that cannot be asked. */
  isAtWork?(stage: 'writer' | 'load', pairId: string, context: ConnectorContext): Promise<boolean>;
  /** Opens a load, or goes on with it. @throws TARGET_TABLE_MISSING, TARGET_TABLE_NOT_EMPTY, TARGET_FENCED */
  openLoad(request: LoadRequest, context: ConnectorContext): Promise<TargetLoad>;
  /** @param refill gives the source's rows for a plan's refills; without it, a plan must have none */
  openWriter(
    pairId: string,
    context: ConnectorContext,
    steps?: WriterSteps,
    refill?: (request: ColumnsRequest) => Promise<ColumnsRead | undefined>,
  ): Promise<TargetWriter>;
  /**
   * Writes a block of inserts and updates of tolerant tables as upserts, in a transaction of its own and without a position: rows that somebody has
   * mended by hand. @throws TARGET_ROW_REJECTED, TARGET_CONFLICT with the target's reason; nothing is written then
   */
  upsert(block: Buffer, context: ConnectorContext): Promise<void>;
  /** Notes what a pair's tables look like at the source as its load begins: what the stream brings is compared with it. Replaces what was noted. */
  holdTables(pairId: string, tables: readonly HeldTable[], context: ConnectorContext): Promise<void>;
  /**
   * Tables that were altered at the source since an earlier try of a load has noted them: in one transaction they are emptied, with all that
   * foreign keys tie to them, altered where we have made them, and noted as they are now; their chunks are forgotten, so that the load of
   * these tables begins anew. One that is gone at the source goes, if it is ours. Left alone: what does not differ, and what is not noted.
   * @returns those that begin anew; undefined when the target has noted none, so that nothing of the load is there
   * @throws SCHEMA_CHANGE_IMPOSSIBLE when the target holds something that is in the way
   */
  alterLoaded(
    key: string,
    tables: readonly AlteredTable[],
    context: ConnectorContext,
  ): Promise<TableName[] | undefined>;
  /** What is noted of the pair's tables; empty before a load. Makes nothing. */
  heldTables(pairId: string, context: ConnectorContext): Promise<HeldTable[]>;
  /** Removes the pair's position and what is kept of its load, those of its table syncs included. The rows stay. */
  forget(pairId: string, context: ConnectorContext): Promise<void>;
  /**
   * Writes rows as the stream and as the load would, each column into a scratch table of its type, and reads them back as text. Nothing
   * of it is ever committed, however it ends. Left out: nothing can be proven.
   */
  probe?(columns: readonly ProbeColumn[], context: ConnectorContext): Promise<ProbeAnswer>;
  /**
   * Lets tables leave the pair's stream, between two of its transactions, and raises the version below which no stream may write.
   * What has been done is not done again; a request of an older version than the one held changes nothing. A table that is apart by an
   * earlier sync goes over to the new one. @returns what is held then, undefined before the first load
   */
  divide(pairId: string, request: DivideRequest, context: ConnectorContext): Promise<Applied | undefined>;
  /**
   * Lets a sync's tables join the pair's stream again from the sync's position on, once that has reached the pair's; the sync's own
   * position goes with it, in one transaction. behind: the pair's stream is further. gone: the sync is not apart, or holds nothing.
   */
  join(pairId: string, join: JoinRequest, context: ConnectorContext): Promise<'joined' | 'behind' | 'gone'>;
  /**
   * Gives a sync the position at which its tables left, their rows being what they were then; what it holds already stays.
   * Whoever still loads them is refused from then on. @returns what the sync holds then (its `division.version` is {@link TAKEN_BACK} for
   * as long as it is held), undefined when it is not apart; replaced: its load has begun to replace rows and had not come to its end
   */
  takeBack(pairId: string, sync: number, context: ConnectorContext): Promise<Applied | 'replaced' | undefined>;
  /** The tables in groups: those that foreign keys connect can only be loaded anew together. Missing ones are left out. */
  connected(tables: readonly TableName[], context: ConnectorContext): Promise<TableName[][]>;
}

export interface JoinRequest {
  readonly sync: number;
  /** The lowest version of the pair's definition by which its stream brings these tables as the sync did. */
  readonly version: number;
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
    /** GENERATED ALWAYS AS IDENTITY. */
    readonly identityAlways?: boolean;
  }[];
  readonly primaryKey: readonly string[];
  /** Columns of every unique key, the primary key included, where the target can tell. */
  readonly uniqueKeys?: readonly (readonly string[])[];
  readonly hasRows: boolean;
}

export interface LoadRequest {
  /** Under which the position, and the load's progress, are kept. */
  readonly pairId: string;
  /** Number of the load, from 1. A later load knows nothing of an earlier one's progress; an earlier one is refused. */
  readonly number: number;
  readonly tables: readonly TableName[];
  /** What happens to rows that are there before the load's first chunk: noted, so that it happens once. */
  readonly existingRows: 'refuse' | 'replace';
  /**
   * Rows are kept beside the tables, which stay as they are until the load's end puts all of them in place in one transaction with the
   * position; so {@link Target.takeBack} gives back what was there at any moment before.
   */
  readonly staged?: boolean;
  /**
   * Those whose rows come just as the source has them, so that what is unique there is unique here: their primary keys may be made once all rows
   * are there. None when left out.
   */
  readonly unaltered?: readonly TableName[];
  /**
   * What the load has begun with, whatever that is: where its stream begins, what its tables look like. What was loaded with another one is
   * emptied as the load is opened.
   */
  readonly begun: string;
}

/** A table of a load, as the target's foreign keys want it. */
export interface LoadTable {
  readonly table: TableName;
  /** Tables of the load that must be whole before this one begins. */
  readonly after: readonly TableName[];
  /**
   * Tables that point to each other, or to themselves (then it is the table alone): all of them go over whole, in one target transaction.
   * Empty: chunk by chunk.
   */
  readonly together: readonly TableName[];
  readonly primaryKey: readonly string[];
  /** By column: in which format a value can be received as bytes. See `SourceSnapshot.binaryFormats`. */
  readonly binaryFormats: ReadonlyMap<string, string>;
}

/** The snapshot that a chunk was read in. */
export interface ChunkSnapshot {
  readonly until: Lsn;
  readonly shown: string | undefined;
}

/** A chunk as the target holds it. */
export interface LoadChunk {
  readonly table: TableName;
  /** From 0, within the table. */
  readonly number: number;
  /** What the source's plan said, kept as it was given. */
  readonly range: ChunkRange;
  /** Written in the transaction of the chunk's rows; undefined until then. */
  readonly finished: { readonly rows: number; readonly bytes: number; readonly snapshot: ChunkSnapshot } | undefined;
}

/**
 * A load: rows come chunk by chunk, each chunk in a transaction of its own with the note that it is there. Killed anywhere, the next
 * `openLoad` of the same number finds what is there. Who opens it last has it: what an earlier one still sends is refused. (TARGET_FENCED)
 */
export interface TargetLoad extends AsyncDisposable {
  /** The tables in an order in which they can be filled. */
  readonly tables: readonly LoadTable[];
  /** What was planned by now, finished or not. Asked anew each time. */
  chunks(): Promise<readonly LoadChunk[]>;
  /** Notes the chunks of tables that have none yet, durably: their numbers are their places in the list. */
  plan(tables: readonly { readonly table: TableName; readonly ranges: readonly ChunkRange[] }[]): Promise<void>;
  /** Empties the tables and forgets their chunks, in one transaction. */
  reset(tables: readonly TableName[]): Promise<void>;
  /** A connection of its own for chunks; several may write at the same time. */
  openSession(context: ConnectorContext): Promise<LoadSession>;
  /** Makes the table's primary key, where that was kept for when all rows are there. @throws TARGET_CONFLICT when rows have one in common */
  makeKey(table: TableName): Promise<void>;
  /** Tells the target's planner what has come; also after `commit`. A table that it cannot do that for is left out. */
  analyze(tables: readonly TableName[]): Promise<void>;
  /** Stores the position: the load is done. */
  commit(applied: Applied): Promise<void>;
}

/** Writes chunks one after the other: `begin`, the rows, `finish`, `commit`. After a rejection it is done: open a new one. */
export interface LoadSession extends AsyncDisposable {
  /** @param together the transaction's tables point to each other: constraints that can wait do so until its end */
  begin(together: boolean): void;
  /** Rows in COPY's text or binary format, pieces of any cut. @throws TARGET_ROW_REJECTED also when the bytes are not what they were taken for */
  copyIn(table: TableName, columns: readonly string[], format: RawFormat, pieces: AsyncIterable<Buffer>): Promise<void>;
  /** A block of inserts, already processed. */
  write(block: Buffer): Promise<void>;
  /** Notes the chunk in the transaction that has its rows. */
  finish(chunk: Pick<LoadChunk, 'table' | 'number'> & { readonly finished: NonNullable<LoadChunk['finished']> }): void;
  /** Resolves once rows and note are there, both or (rejecting) neither. @throws TARGET_ROW_REJECTED, TARGET_CONFLICT … with the place */
  commit(): Promise<void>;
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
  /** What is to be done to the target's tables before the blocks, in the same target transaction. The batch is the first after its planning. */
  readonly schema?: SchemaPlan;
}

/** A table that the target follows through changes of its shape: as it was at the source when last applied, and as what it stands here. */
export interface HeldTable {
  readonly source: SourceTable;
  readonly target: TableName;
  /** Attribute numbers of columns whose older rows could not be read again yet. */
  readonly unread: readonly number[];
}

export interface AlteredTable extends HeldTable {
  /** Columns that do not go over. */
  readonly exclude: readonly string[];
  /** Its columns are the source's: the table is altered likewise. */
  readonly follows: boolean;
}

/** What has changed at the source, at one place in the stream. */
export interface SchemaNews {
  /** Tables as they stand from here on. */
  readonly tables: readonly NewsTable[];
  /** Oids of tables that are gone. */
  readonly dropped: readonly number[];
}

export interface NewsTable {
  readonly source: SourceTable;
  readonly target: TableName;
  /** Columns that do not go over. */
  readonly exclude: readonly string[];
  /**
   * What is known of changes of values that no row's change tells. no: there was none. cast: where a column's type changed, the values were
   * cast. perhaps: where a column's type changed, by any expression. all: any column's values may have changed.
   */
  readonly rewritten: 'no' | 'cast' | 'perhaps' | 'all';
  /** Whether partitions that are new to the table may have brought rows with them. */
  readonly attached: 'empty' | 'perhaps';
  /** Columns of which it is not known which older column they are: nobody told, and the table has been altered again since. */
  readonly guessed: readonly string[];
}

/**
 * additive: nothing is lost, and a later change can undo it. destructive: values, a column, a table go.
 * unknown: what the rows should hold afterwards cannot be told from here: the table has to be loaded anew.
 */
export type SchemaStepKind = 'additive' | 'destructive' | 'unknown';

/** One thing to do at the target. */
export interface SchemaStep {
  readonly kind: SchemaStepKind;
  /** In a person's words: what has happened at the source, and what follows. */
  readonly what: string;
  readonly sql: readonly string[];
  /** Columns to read again from the source, once the statements have run. */
  readonly refill?: Refill;
}

export interface Refill {
  readonly request: ColumnsRequest;
  readonly table: TableName;
  /** Names at the target: the key's, then the others', as in the request. */
  readonly keys: readonly string[];
  readonly columns: readonly string[];
  /** Columns that must not be NULL, as far as the rows allow. */
  readonly notNull: readonly string[];
}

export interface SchemaPlan {
  readonly steps: readonly SchemaStep[];
  /** What is noted with the steps: tables as they stand now, and the oids of those to forget. */
  readonly held: readonly HeldTable[];
  readonly forget: readonly number[];
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
  /** Tables are altered, their transaction is open. */
  schemaAltered?(): void;
  /** Rows and position are written at the target, their transaction is open. */
  beforeCommit?(): void;
  /** In ordered and immediate mode: some changes are written, their transaction is open. */
  betweenChanges?(): void;
}

export interface TargetWriter extends AsyncDisposable {
  /** What the target held when the writer was opened; undefined before a first load. */
  readonly held: Applied | undefined;
  /** What is noted of the pair's tables, when the writer was opened. */
  readonly tables: readonly HeldTable[];
  /**
   * What would have to be done at the target, as it stands after all batches so far. Changes nothing.
   * @throws {TerraFusionError} SCHEMA_CHANGE_IMPOSSIBLE when the target holds something that is in the way
   */
  plan(news: SchemaNews): Promise<SchemaPlan>;
  /**
   * Applies the batch within the writer's target transaction; commits at a source transaction's end, with the position, in one.
   * (Promises 2 and 3) May be called again before the earlier call has resolved (two in flight keep the target busy); order is kept.
   * After a rejection the target holds what it held after the last committed batch, all later calls reject, and the writer is done:
   * open a new one. TARGET_CONSTRAINT asks for a repetition in the next stricter mode: ordered after set, immediate after ordered.
   */
  apply(batch: TargetBatch, reject: (letters: readonly DeadLetter[]) => Promise<void>): Promise<BatchOutcome>;
}
