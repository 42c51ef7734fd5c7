import fc from 'fast-check';
import { blockType } from '#schemas/block/avro.ts';
import {
  Before,
  BLOCK_FORMAT,
  BlockReader,
  BlockWriter,
  Cell,
  CELL_FORMATS,
  CellCursor,
  Op,
  OP_NAMES,
  REPLICA_IDENTITIES,
  type BlockColumn,
  type BlockTable,
  type BlockTransaction,
} from '#schemas/block/index.ts';
import { LAST_ORDINAL, type Position } from '#schemas/position.ts';

/** A cell in the open: null, text, bytes, or undefined for "unchanged". */
export type ModelCell = null | string | Uint8Array | undefined;
export type ModelRow = readonly ModelCell[];

export interface ModelChange {
  /** Index into the block's tables; -1 for a message. */
  readonly table: number;
  readonly op: Op;
  readonly ordinal: number;
  readonly before: { readonly kind: 'key' | 'full'; readonly cells: ModelRow } | undefined;
  readonly after: ModelRow | undefined;
}

export interface ModelTransaction extends BlockTransaction {
  readonly changes: readonly ModelChange[];
  readonly complete: boolean;
  readonly lastOrdinal: number;
}

/** A block as plain values: what the codec is compared with. */
export interface ModelBlock {
  readonly source: string;
  readonly generation: number;
  readonly after: Position;
  readonly inputOffset: bigint;
  readonly tables: readonly BlockTable[];
  readonly transactions: readonly ModelTransaction[];
}

export function write(block: ModelBlock, writer = new BlockWriter(64)): Buffer {
  for (const table of block.tables) writer.addTable(table);
  for (const transaction of block.transactions) {
    writer.beginTransaction(transaction);
    for (const change of transaction.changes) {
      writer.beginChange(change.table, change.op, change.ordinal);
      if (change.before) {
        writer.before(change.before.kind === 'key' ? Before.key : Before.full);
        writeRow(change.before.cells, writer);
      } else writer.before(Before.absent);
      writer.after(change.after !== undefined);
      if (change.after) writeRow(change.after, writer);
    }
    writer.endTransaction(transaction.complete, transaction.lastOrdinal);
  }
  return writer.finish(block.source, block.generation, block.after, block.inputOffset);
}

/** Both ways in, for a row that can be in one piece: it is in one when it has an even number of cells. */
function writeRow(cells: ModelRow, writer: BlockWriter): void {
  const inOnePiece = cells.length % 2 === 0 && cells.every((cell) => cell === null || cell instanceof Uint8Array);
  if (inOnePiece) {
    writeImage(cells, writer);
    return;
  }
  writer.beginRow(cells.length);
  for (const cell of cells) {
    if (cell === null) writer.nullCell();
    else if (cell === undefined) writer.unchangedCell();
    else if (typeof cell === 'string') {
      // Both ways in, by what the text is.
      if (cell.length % 2 === 0) writer.textCellOf(cell);
      else {
        const bytes = Buffer.from(`..${cell}.`);
        writer.textCell(bytes, 2, bytes.length - 1);
      }
    } else writer.bytesCell(Buffer.from(cell), 0, cell.length);
  }
  writer.endRow();
}

/** A row in one piece, put together after the documentation of COPY's binary format. */
export function writeImage(
  cells: readonly (Uint8Array | null)[],
  writer: BlockWriter,
  likely = cells.length * 20,
): void {
  const bytes = cells.reduce((sum, cell) => sum + 4 + (cell?.length ?? 0), 2);
  const start = writer.beginImage(bytes, likely);
  const { buffer } = writer;
  let pos = buffer.writeUInt16BE(cells.length, start);
  for (const cell of cells) {
    pos = buffer.writeInt32BE(cell?.length ?? -1, pos);
    if (cell !== null) buffer.set(cell, pos);
    pos += cell?.length ?? 0;
  }
  writer.endImage(start, pos);
}

export function read(bytes: Buffer): ModelBlock {
  const block = BlockReader.open(bytes);
  const { source, generation, after, inputOffset, tables } = block.header;
  const transactions: ModelTransaction[] = [];
  while (block.nextTransaction()) {
    const changes: ModelChange[] = [];
    while (block.nextChange()) {
      changes.push({
        table: block.table,
        op: block.op,
        ordinal: block.ordinal,
        before:
          block.beforeKind === Before.absent
            ? undefined
            : {
                kind: block.beforeKind === Before.key ? 'key' : 'full',
                cells: cellsAt(block.bytes, block.beforeStart),
              },
        after: block.afterStart < 0 ? undefined : cellsAt(block.bytes, block.afterStart),
      });
    }
    const { complete, end } = block;
    transactions.push({ ...block.transaction, changes, complete, lastOrdinal: end.ordinal });
  }
  return { source, generation, after, inputOffset, tables, transactions };
}

function cellsAt(bytes: Buffer, offset: number): ModelCell[] {
  const cells = new CellCursor(bytes);
  const row: ModelCell[] = [];
  cells.start(offset);
  while (cells.next())
    row.push(cells.kind === Cell.bytes ? new Uint8Array(bytes.subarray(cells.from, cells.to)) : cells.text());
  return row;
}

type AvroCell =
  | null
  | { string: string }
  | { 'terrafusion.Unchanged': object }
  | { bytes: Buffer }
  | { 'terrafusion.RowImage': { row: Buffer } };
interface AvroRow {
  readonly cells: readonly AvroCell[];
}

interface AvroBlock {
  readonly format: number;
  readonly source: string;
  readonly generation: number;
  readonly after: { readonly generation: number; readonly commitLsn: bigint; readonly ordinal: bigint };
  readonly inputOffset: bigint;
  readonly tables: readonly (Omit<BlockTable, 'relationId' | 'columns'> & {
    relationId: bigint;
    columns: readonly (Omit<BlockColumn, 'typeOid'> & { typeOid: bigint })[];
  })[];
  readonly transactions: readonly {
    readonly xid: bigint;
    readonly commitLsn: bigint;
    readonly commitTime: bigint;
    readonly origin: { string: string } | null;
    readonly changes: readonly {
      readonly table: number;
      readonly op: (typeof OP_NAMES)[number];
      readonly ordinal: bigint;
      readonly before: { 'terrafusion.Key': AvroRow } | { 'terrafusion.Full': AvroRow } | null;
      readonly after: { 'terrafusion.Row': AvroRow } | null;
    }[];
    readonly lastOrdinal: bigint;
    readonly complete: boolean;
  }[];
}

/** The block as `avsc` reads it by the schema file: an independent reader of the same bytes. */
export function readWithAvro(bytes: Buffer): ModelBlock {
  const block = blockType().fromBuffer(bytes) as AvroBlock;
  return {
    source: block.source,
    generation: block.generation,
    after: {
      generation: block.after.generation,
      commitLsn: block.after.commitLsn,
      ordinal: Number(block.after.ordinal),
    },
    inputOffset: block.inputOffset,
    tables: block.tables.map(({ relationId, schema, name, identity, tolerant, columns }) => ({
      relationId: Number(relationId),
      schema,
      name,
      identity,
      tolerant,
      columns: columns.map(({ typeOid, ...column }) => ({ ...column, typeOid: Number(typeOid) })),
    })),
    transactions: block.transactions.map((transaction) => ({
      xid: Number(transaction.xid),
      commitLsn: transaction.commitLsn,
      commitTime: Number(transaction.commitTime),
      origin: transaction.origin?.string,
      changes: transaction.changes.map(({ table, op, ordinal, before, after }) => ({
        table,
        op: OP_NAMES.indexOf(op) as Op,
        ordinal: Number(ordinal),
        before:
          before === null
            ? undefined
            : 'terrafusion.Key' in before
              ? { kind: 'key' as const, cells: before['terrafusion.Key'].cells.flatMap(fromAvro) }
              : { kind: 'full' as const, cells: before['terrafusion.Full'].cells.flatMap(fromAvro) },
        after: after?.['terrafusion.Row'].cells.flatMap(fromAvro),
      })),
      complete: transaction.complete,
      lastOrdinal: Number(transaction.lastOrdinal),
    })),
  };
}

function fromAvro(cell: AvroCell): ModelCell[] {
  if (cell === null) return [null];
  if ('string' in cell) return [cell.string];
  if ('terrafusion.RowImage' in cell) return fromImage(cell['terrafusion.RowImage'].row);
  return ['bytes' in cell ? new Uint8Array(cell.bytes) : undefined];
}

/** By the documentation of COPY's binary format. */
function fromImage(row: Buffer): ModelCell[] {
  let pos = 2;
  return Array.from({ length: row.readUInt16BE(0) }, () => {
    const length = row.readInt32BE(pos);
    pos += 4 + Math.max(0, length);
    return length < 0 ? null : new Uint8Array(row.subarray(pos - length, pos));
  });
}

/** The block as `avsc` writes it, in any format: what an older version of the product, or a tool, has left behind. */
export function writeWithAvro(block: ModelBlock, format = BLOCK_FORMAT): Buffer {
  const row = (cells: ModelRow): AvroRow => ({ cells: cells.map(toAvro) });
  const after = { ...block.after, ordinal: BigInt(block.after.ordinal) };
  const value = {
    ...block,
    format,
    after,
    tables: block.tables.map((table) => ({
      ...table,
      relationId: BigInt(table.relationId),
      columns: table.columns.map((column) => ({ ...column, typeOid: BigInt(column.typeOid) })),
    })),
    transactions: block.transactions.map((transaction) => ({
      ...transaction,
      xid: BigInt(transaction.xid),
      commitTime: BigInt(transaction.commitTime),
      origin: transaction.origin === undefined ? null : { string: transaction.origin },
      changes: transaction.changes.map((change) => ({
        ...change,
        op: OP_NAMES[change.op],
        ordinal: BigInt(change.ordinal),
        before:
          change.before === undefined
            ? null
            : { [change.before.kind === 'key' ? 'terrafusion.Key' : 'terrafusion.Full']: row(change.before.cells) },
        after: change.after === undefined ? null : { 'terrafusion.Row': row(change.after) },
      })),
      lastOrdinal: BigInt(transaction.lastOrdinal),
    })),
  };
  return blockType(format).toBuffer(value);
}

function toAvro(cell: ModelCell): AvroCell {
  if (cell === null) return null;
  if (cell === undefined) return { 'terrafusion.Unchanged': {} };
  return typeof cell === 'string' ? { string: cell } : { bytes: Buffer.from(cell) };
}

// Generators.

export const arbLsn = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

export const arbPosition: fc.Arbitrary<Position> = fc.record({
  generation: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  commitLsn: arbLsn,
  ordinal: fc.oneof(fc.integer({ min: -1, max: 1e15 - 1 }), fc.constant(LAST_ORDINAL)),
});

/** Well-formed text of any characters, now and then longer than what is copied byte by byte. */
export const arbText = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'grapheme' }) },
  { weight: 1, arbitrary: fc.string({ minLength: 30, maxLength: 300, unit: 'binary' }) },
);

export const arbCell: fc.Arbitrary<ModelCell> = fc.oneof(
  { weight: 4, arbitrary: arbText },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
);

const arbColumn: fc.Arbitrary<BlockColumn> = fc.record({
  name: arbText,
  typeOid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  typeSchema: arbText,
  typeName: arbText,
  typmod: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  key: fc.boolean(),
  format: fc.constantFrom(...CELL_FORMATS),
});

const arbTable: fc.Arbitrary<BlockTable> = fc.record({
  relationId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  schema: arbText,
  name: arbText,
  identity: fc.constantFrom(...REPLICA_IDENTITIES),
  tolerant: fc.boolean(),
  columns: fc.array(arbColumn, { maxLength: 4 }),
});

/** Such as may be in one piece, and any. */
const arbRow = fc.oneof(
  { weight: 1, arbitrary: fc.array(fc.option(fc.uint8Array({ maxLength: 100 })), { maxLength: 6 }) },
  { weight: 2, arbitrary: fc.array(arbCell, { maxLength: 5 }) },
);

function arbChange(tables: number): fc.Arbitrary<ModelChange> {
  return fc.record({
    table: fc.integer({ min: -1, max: tables - 1 }),
    op: fc.constantFrom(...Object.values(Op)),
    ordinal: fc.integer({ min: 0, max: 1e12 }),
    before: fc.option(fc.record({ kind: fc.constantFrom('key' as const, 'full' as const), cells: arbRow }), {
      nil: undefined,
    }),
    after: fc.option(arbRow, { nil: undefined }),
  });
}

function arbTransaction(tables: number): fc.Arbitrary<ModelTransaction> {
  return fc
    .record({
      xid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      commitLsn: arbLsn,
      commitTime: fc.maxSafeInteger(),
      origin: fc.option(arbText, { nil: undefined }),
      changes: fc.array(arbChange(tables), { maxLength: 4 }),
      complete: fc.boolean(),
      lastOrdinal: fc.integer({ min: -1, max: 1e12 }),
    })
    .map((transaction) => (transaction.complete ? { ...transaction, lastOrdinal: LAST_ORDINAL } : transaction));
}

export const arbBlock: fc.Arbitrary<ModelBlock> = fc.array(arbTable, { maxLength: 3 }).chain((tables) =>
  fc.record({
    source: arbText,
    generation: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    after: arbPosition,
    inputOffset: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }),
    tables: fc.constant(tables),
    transactions: fc.array(arbTransaction(tables.length), { maxLength: 3 }),
  }),
);
