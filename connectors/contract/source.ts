import type { BlockTable, CellFormat } from '#schemas/block/index.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { Position } from '#schemas/position.ts';
import type { SourceTable } from '#schemas/source-tables.ts';
import type { TableName } from '#schemas/tables.ts';
import type { Check } from './check.ts';
import type { ConnectorContext } from './context.ts';
import type { SchemaModel } from './schema.ts';
import type { ProbeType, ProbeValues } from './probe.ts';

/** A stream of changes that the source keeps for us: one a source and generation. */
export interface StreamIdentity {
  readonly slot: string;
  readonly publication: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** The stream holds everything committed after this. */
  readonly consistentPoint: Lsn;
}

/** A table as the source's catalog describes it. */
export interface TableShape {
  /** As it would stand in a block. Columns in attribute order, generated columns left out; `key` = replica identity. */
  readonly table: BlockTable;
  /** Primary key columns in key order; empty without one. */
  readonly primaryKey: readonly string[];
  /** Column types as `format_type` prints them, by column name: for creating the table elsewhere. */
  readonly typeNames: ReadonlyMap<string, string>;
  readonly notNull: ReadonlySet<string>;
  /** pg_class.reltuples, at least 0. */
  readonly estimatedRows: number;
  /** Columns of every unique key, the primary key included, where the source can tell. */
  readonly uniqueKeys?: readonly (readonly string[])[];
}

/** Values of a column that are counted: longer, outside of a range, or NULL. */
export interface SourceBound {
  readonly column: string;
  readonly bound:
    | { readonly kind: 'length'; readonly most: number }
    /** Numbers as text. */
    | { readonly kind: 'range'; readonly least: string; readonly most: string }
    | { readonly kind: 'null' };
}

export interface CountedBeyond {
  /** How many rows were looked at. */
  readonly rows: number;
  /** They are all that there are. */
  readonly complete: boolean;
  /** For each bound how many values are beyond it. */
  readonly found: readonly number[];
}

export interface SlotStatus {
  readonly exists: boolean;
  readonly active: boolean;
  /** reserved, extended, unreserved, lost (pg_replication_slots.wal_status). */
  readonly state: 'reserved' | 'extended' | 'unreserved' | 'lost' | 'missing';
  readonly confirmed: Lsn | undefined;
  /** From where the source keeps WAL for it: behind `confirmed` by what a transaction that is still open there has begun with. */
  readonly restart: Lsn | undefined;
  /** Bytes of WAL the source keeps for the slot. */
  readonly retainedBytes: number | undefined;
  /** Bytes until the source gives the slot up, when it has such a limit. */
  readonly safeBytes: number | undefined;
  /** The source's own limit of what it keeps for a slot (max_slot_wal_keep_size), when it has one. */
  readonly limitBytes: number | undefined;
  readonly invalidationReason: string | undefined;
  /** Whether recovery at a standby has taken rows away that the slot needs. Undefined where the source cannot tell, as below. */
  readonly conflicting: boolean | undefined;
  /** Since when nobody reads from it, ISO 8601. */
  readonly inactiveSince: string | undefined;
  /** Whether standbys keep a copy of it, so that it outlives a failover. */
  readonly failover: boolean | undefined;
  /** Whether it is such a copy. */
  readonly synced: boolean | undefined;
  /** Process that reads from it. */
  readonly activePid: number | undefined;
  /** The source's WAL end. */
  readonly currentLsn: Lsn;
  /** The source is a standby: what it says of its slots is about a copy. */
  readonly inRecovery: boolean;
}

/** A slot that bears a name of ours, with its publication; or a publication without a slot. Whose it is, its name tells. */
export interface SlotAtSource {
  readonly name: string;
  /** As of a {@link SlotStatus}; undefined: a publication whose slot is gone. */
  readonly state: string | undefined;
  readonly active: boolean;
  readonly activePid: number | undefined;
  readonly retainedBytes: number | undefined;
  readonly inactiveSince: string | undefined;
  readonly publication: string | undefined;
}

/** One source system. Every method opens what it needs and closes it; only readers and snapshots stay open. */
export interface Source {
  /** Each precondition by name, with its fix. Never throws for what a check can say. */
  check(
    tables: readonly TableName[] | undefined,
    context: ConnectorContext,
    /** What the source keeps for us already: a slot that is there need not be free. */
    stream?: Pick<StreamIdentity, 'slot' | 'publication'>,
  ): Promise<Check[]>;
  /** The named tables' shapes, or every table's of the non-system schemas. @throws SOURCE_TABLE_MISSING naming all that are missing */
  describe(tables: readonly TableName[] | undefined, context: ConnectorContext): Promise<TableShape[]>;
  /**
   * The named tables with all they rest on (their partitions, types, sequences, extensions), for making them elsewhere. What the role may
   * not see is named in the model. Left out: the source has no schema that a database could take over.
   * @throws SOURCE_TABLE_MISSING naming all that are missing
   */
  describeSchema?(tables: readonly TableName[], context: ConnectorContext): Promise<SchemaModel>;
  /**
   * Makes the stream deliver exactly these tables from now on. Calling again changes nothing.
   * @param keepOthers those that it delivers already stay: some of them are called otherwise than who asks can know yet
   * @returns whether it had to be made: until now no stream could have delivered anything by it
   * @throws SOURCE_TABLE_WITHOUT_KEY before anything is changed: publishing such a table would break the source's own writes (Promise 7)
   */
  publish(
    publication: string,
    tables: readonly TableName[],
    context: ConnectorContext,
    keepOthers?: boolean,
  ): Promise<boolean>;
  /** Makes the slot. @throws SOURCE_SLOT_BLOCKED naming pid and xid when running transactions do not end in time, SOURCE_SLOTS_EXHAUSTED, SOURCE_WAL_LEVEL */
  createStream(slot: string, publication: string, context: ConnectorContext): Promise<StreamIdentity>;
  /**
   * Whether the stream can be gone on with after a position that is held of it. Left out: always.
   * @throws SOURCE_HISTORY_LOST, SOURCE_IDENTITY_CHANGED when the source's history is another one
   */
  checkContinues?(stream: StreamIdentity, held: Position | undefined, context: ConnectorContext): Promise<void>;
  /** Drops the slot, also while somebody reads from it; one that is gone already is no error. */
  dropSlot(slot: string, context: ConnectorContext): Promise<void>;
  /** Drops slot and publication; what is gone already is no error. */
  dropStream(slot: string, publication: string, context: ConnectorContext): Promise<void>;
  slotStatus(slot: string, context: ConnectorContext): Promise<SlotStatus>;
  /** What bears names of ours at the source, this installation's or another's. */
  listStreams(context: ConnectorContext): Promise<readonly SlotAtSource[]>;
  /** Drops what bears that name, its publication with the last slot. Gone already is no error. @throws SOURCE_SLOT_IN_USE naming who reads from it: nobody is sent away */
  dropLeftBehind(name: string, context: ConnectorContext): Promise<void>;
  /**
   * Why the stream's slot is missing: SOURCE_SLOT_MISSING, or SOURCE_IDENTITY_CHANGED when the source is another server by now. Only
   * for a slot that is.
   */
  whyMissing(stream: StreamIdentity, context: ConnectorContext): Promise<TerraFusionError>;
  /**
   * Opens the stream after `after` (undefined: from the stream's beginning).
   * @throws SOURCE_SLOT_MISSING, SOURCE_HISTORY_LOST, SOURCE_IDENTITY_CHANGED, SOURCE_IS_STANDBY, SOURCE_SLOT_IN_USE, SOURCE_UNREACHABLE …
   */
  openReader(request: ReaderRequest, context: ConnectorContext): Promise<SourceReader>;
  /** Whether the source works for a stage of ours (for a writer: rereads columns), not whether it waits for us. Left out: that cannot be asked. */
  isAtWork?(stage: 'reader' | 'load' | 'writer', context: ConnectorContext): Promise<boolean>;
  /** The named tables as they stand, all at one moment. Waits for transactions that were running at the call. @throws SOURCE_SNAPSHOT_BLOCKED */
  openSnapshot(context: ConnectorContext): Promise<SourceSnapshot>;
  /** The tables of these oids as they stand now, which is later than the stream; those that are gone are left out. */
  tableStates(relationIds: readonly number[], context: ConnectorContext): Promise<SourceTable[]>;
  /** What `format_type` makes of each; undefined for a type that is gone. */
  typeNames(types: readonly ColumnType[], context: ConnectorContext): Promise<(string | undefined)[]>;
  /**
   * Columns of a table's rows as they stand now. Those that are not there any more, or have another type by now, are left out; undefined
   * when that is so of the table, one of the key's, or all others.
   */
  readColumns(request: ColumnsRequest, context: ConnectorContext): Promise<ColumnsRead | undefined>;
  /** Writes a transactional message into the source's WAL; the stream delivers it in order. Returns an LSN at or before its commit. */
  emitMessage(prefix: string, content: string, context: ConnectorContext): Promise<Lsn>;
  /**
   * Where the source does not tell of altered tables by itself: looks whether any has been altered since the last look, and if so puts it
   * into the stream, in the words in which the source would have told of it. What is put there is never older than a row before it. Tables
   * that are locked at that moment wait for the next look. @returns undefined when the source tells by itself. Left out: it always does.
   */
  tellAltered?(look: CatalogLook, context: ConnectorContext): Promise<CatalogLooked | undefined>;
  /** Counts values beyond bounds among the table's first rows, within limits. Left out: nobody can look. @throws SOURCE_STATEMENT_FAILED when it takes longer */
  countBeyond?(
    table: TableName,
    bounds: readonly SourceBound[],
    limits: { readonly rows: number; readonly ms: number },
    context: ConnectorContext,
  ): Promise<CountedBeyond>;
  /** A page of the tables that could be in a pair, in the order of their names. Reads no rows. Left out: the source has no list. */
  listTables?(request: TableListRequest, context: ConnectorContext): Promise<TableList>;
  /**
   * Some rows of the table, as blocks of inserts as of a {@link SnapshotReader}; very large rows are passed over. Writes nothing. Left out:
   * nobody can look. @throws SOURCE_STATEMENT_FAILED when it takes longer
   */
  sampleRows?(
    shape: TableShape,
    limits: { readonly rows: number; readonly ms: number },
    context: ConnectorContext,
  ): Promise<Buffer[]>;
  /** Boundary values of the types, in their order, as this source prints them. Writes nothing. Left out: nothing can be proven. */
  probeValues?(types: readonly ProbeType[], context: ConnectorContext): Promise<ProbeValues[]>;
}

export interface TableListRequest {
  readonly schema?: string | undefined;
  /** Part of "schema.table", upper or lower case. */
  readonly text?: string | undefined;
  /** Begins after this one. */
  readonly after?: TableName | undefined;
  readonly limit: number;
}

export interface ListedTable {
  readonly shape: TableShape;
  /** About, values that are stored out of line included, indexes not. */
  readonly bytes: number;
  /** What could keep it from being synchronised whole, as of `check`. */
  readonly checks: readonly Check[];
}

export interface TableList {
  readonly tables: readonly ListedTable[];
  readonly more: boolean;
  /** All schemas that have such tables, with their number. */
  readonly schemas: readonly { readonly name: string; readonly tables: number }[];
}

export interface CatalogLook {
  readonly publication: string;
  /** Whether tables count that are not published: somebody follows new ones. */
  readonly all: boolean;
  /** What the last look returned; empty before the first, which tells of every table. */
  readonly known: CatalogLooked['known'];
}

export interface CatalogLooked {
  /** By the tables' oids; to be given to the next look as it is. */
  readonly known: Readonly<Record<string, string>>;
  /** Tables that were told of, dropped ones included. */
  readonly told: number;
}

export interface ColumnType {
  readonly oid: number;
  readonly typmod: number;
}

/** Columns of one table, by what does not change when they are renamed. */
export interface ColumnsRequest {
  readonly relationId: number;
  readonly keys: readonly NumberedColumn[];
  readonly columns: readonly NumberedColumn[];
}

export interface NumberedColumn {
  readonly attnum: number;
  readonly typeOid: number;
  readonly typmod: number;
}

export interface ColumnsRead {
  /** Numbers of the columns that are there, in the order of the request. */
  readonly columns: readonly number[];
  /** In COPY's text format: the key's columns, then these. The bytes are the consumer's only until it asks for more. */
  readonly rows: AsyncIterable<Buffer>;
}

export interface ReaderRequest {
  /** Id of the source system: goes into every block. */
  readonly sourceId: string;
  readonly generation: number;
  readonly stream: StreamIdentity;
  /** Last position that is stored durably: the reader goes on after it, change by change. */
  readonly after: Position | undefined;
  /**
   * How values are wanted; text when left out. "binary" where whoever takes the blocks reads it: a source gives text all the same
   * where it has types of which only that is known. The columns of each block tell.
   */
  readonly cells?: CellFormat;
}

export interface SourceReader extends AsyncDisposable {
  /**
   * The line of the source's history that it reads from: another than the stream's when the source has failed over and the stream could
   * go on there. To be noted with the stream before anything that it hands over is stored, since the next reader is told by it where we are.
   */
  readonly timeline: number;
  /**
   * Blocks in commit order, each with `header.after` = the end of the one before. A block is closed at about 256 KiB or as soon as
   * the source has nothing more to give; while blocks before it are not acknowledged, what comes may gather for a few milliseconds. Not asking for the next block is the back-pressure; keep-alives are answered all the same.
   * Ends when the context's signal is aborted; throws SOURCE_DISCONNECTED and the like.
   */
  blocks(): AsyncIterable<SourceBlock>;
  /** Promise 1: call only for positions whose blocks are durable. Never moves backwards; only whole transactions reach the source. */
  acknowledge(position: Position): void;
  /** Live numbers for status and metrics. */
  status(): ReaderStatus;
}

export interface SourceBlock {
  readonly bytes: Buffer;
  /** The position that the block reaches. */
  readonly last: Position;
  readonly changes: number;
  readonly transactions: number;
  /** Commit time of the last transaction in it, µs since 1970. */
  readonly lastCommitTime: number;
}

export interface ReaderStatus {
  /** WAL end as the source last told. */
  readonly sourceLsn: Lsn;
  readonly receivedLsn: Lsn;
  readonly acknowledgedLsn: Lsn;
  readonly bufferedBytes: number;
}

/**
 * A part of a table. by "key": the rows whose key lies between the bounds, compared column by column; it means the same in every snapshot.
 * by "place": the rows that lie between two places of the table's file, which means the same only within one snapshot. "whole": all rows.
 */
export type ChunkRange =
  | {
      readonly by: 'key';
      readonly columns: readonly string[];
      /** As the source prints it. The lower bound belongs to the chunk, the upper one does not; null: there is none. */
      readonly lower: readonly string[] | null;
      readonly upper: readonly string[] | null;
    }
  | { readonly by: 'place'; readonly lower: number | null; readonly upper: number | null }
  | { readonly by: 'whole' };

/** How large the parts of a table should be. */
export interface ChunkSize {
  readonly bytes: number;
  /** Rows instead, when somebody wants it so. */
  readonly rows?: number | undefined;
}

export interface SourceSnapshot extends AsyncDisposable {
  /** Everything the snapshot shows was committed before this LSN. */
  readonly until: Lsn;
  /**
   * Which transactions it shows, as `pg_snapshot` prints it; undefined where the source cannot tell. With it the stream is laid over
   * exactly: what the snapshot shows is left out, all else is applied.
   */
  readonly shown: string | undefined;
  /** Cuts each of the tables into parts that have each of its rows once, about as large as asked. In the tables' order. */
  plan(tables: readonly TableShape[], size: ChunkSize, signal: AbortSignal): Promise<(readonly ChunkRange[])[]>;
  /** A session that sees exactly this snapshot: several may read at the same time. @throws SOURCE_DISCONNECTED once the snapshot is gone */
  openReader(context: ConnectorContext): Promise<SnapshotReader>;
  /**
   * By table, in their order, and by column: in which format a value can be sent as bytes. A column that is not named is sent as text. Where
   * the target receives all of a table's columns in the same formats, its rows can go over in the binary one.
   */
  binaryFormats(tables: readonly TableName[]): Promise<readonly ReadonlyMap<string, string>[]>;
  /**
   * Those of the tables that were truncated, rewritten or made anew since the snapshot: reading them shows other rows than the snapshot
   * should, and they have to be read again in a later one.
   */
  altered(tables: readonly TableName[]): Promise<TableName[]>;
}

/** How rows go over as they are: as COPY's text, or as the bytes that both ends mean the same by. */
export type RawFormat = 'text' | 'binary';

/** Some bytes of a COPY, cut anywhere. */
export interface RawPiece {
  /** The consumer's only until it asks for the next piece. */
  readonly bytes: Buffer;
  /** Rows that ended since the piece before it. */
  readonly rows: number;
}

/** Reads one chunk after the other. Between them it holds no lock at the source. (Promise 7) */
export interface SnapshotReader extends AsyncDisposable {
  /** The rows in COPY's text or binary format, columns in the given order. */
  copyOut(
    table: TableName,
    columns: readonly string[],
    range: ChunkRange,
    format: RawFormat,
    signal: AbortSignal,
  ): AsyncIterable<RawPiece>;
  /** The rows as blocks of inserts (position: generation 0, ordinals counting from the one given), for chains that look into them. */
  blocks(shape: TableShape, range: ChunkRange, firstOrdinal: number, signal: AbortSignal): AsyncIterable<SourceBlock>;
}
