import type { Lsn } from '../lsn.ts';
import { LAST_ORDINAL, type Position } from '../position.ts';
import {
  type Before,
  BLOCK_FORMAT,
  CELL_FORMATS,
  REPLICA_IDENTITIES,
  type BlockTable,
  type BlockTransaction,
  type Op,
  ROW_IMAGE,
} from './model.ts';
import { type BlockSummary, noteSummary } from './summary.ts';
import { copyWords, LastView, NATIVE_FROM } from './view.ts';
import { putAscii, putBigLong, putLong } from './wire.ts';

/** Room that the fixed parts of a change, a transaction's head and end take at most. */
const SLACK = 96;

/**
 * Writes one block after the other, straight from the bytes it is given: no object per row or cell.
 *
 * Call order: `beginTransaction`, then any number of changes, each `beginChange`, the before row or none, the after row or none;
 * then `endTransaction`; at last `finish`. Within a row: `beginRow(cells)`, the cells, `endRow`.
 * Avro arrays of unknown length are written as runs of one item, which the specification allows.
 */
export class BlockWriter {
  #buf: Buffer;
  readonly #out = new LastView();
  readonly #source = new LastView();
  #pos = 0;
  #tables: BlockTable[] = [];
  #inTransaction = false;
  #transactions = 0;
  #changes = 0;
  /** Of the transaction that was begun last. */
  #commitLsn: Lsn = 0n;
  #commitTime = 0;
  #firstChange: { readonly commitLsn: Lsn; readonly ordinal: number } | undefined;
  /** Where the transaction that was ended last ends in this block. */
  #lastOrdinal = LAST_ORDINAL;

  /** @param capacity bytes to start with; grows as needed */
  constructor(capacity = 320 * 1024) {
    this.#buf = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes of transactions and changes written so far, the header not counted. */
  get byteLength(): number {
    return this.#pos;
  }

  get changes(): number {
    return this.#changes;
  }

  get transactions(): number {
    return this.#transactions;
  }

  get isEmpty(): boolean {
    return this.#transactions === 0;
  }

  /** Adds a table to the block's header and returns its index. The caller remembers it until `finish`. */
  addTable(table: BlockTable): number {
    return this.#tables.push(table) - 1;
  }

  beginTransaction(transaction: BlockTransaction): void {
    this.#need(SLACK + (transaction.origin?.length ?? 0) * 3);
    const buf = this.#buf;
    let pos = putLong(buf, this.#pos, 1); // a run of one transaction
    pos = putLong(buf, pos, transaction.xid);
    pos = putBigLong(buf, pos, transaction.commitLsn);
    pos = putLong(buf, pos, transaction.commitTime);
    if (transaction.origin === undefined) {
      buf[pos++] = 0;
      this.#pos = pos;
    } else {
      buf[pos++] = 2;
      this.#pos = pos;
      this.#string(transaction.origin);
    }
    this.#inTransaction = true;
    this.#transactions++;
    this.#commitLsn = transaction.commitLsn;
    this.#commitTime = transaction.commitTime;
  }

  /** @param lastOrdinal ordinal up to which this slice speaks for its transaction, filtered changes included; ignored when complete */
  endTransaction(complete: boolean, lastOrdinal: number): void {
    this.#need(SLACK);
    const buf = this.#buf;
    let pos = this.#pos;
    this.#lastOrdinal = complete ? LAST_ORDINAL : lastOrdinal;
    buf[pos++] = 0; // no further changes
    pos = putLong(buf, pos, this.#lastOrdinal);
    buf[pos++] = complete ? 1 : 0;
    this.#pos = pos;
    this.#inTransaction = false;
  }

  /** @param table index from `addTable`, -1 for a message */
  beginChange(table: number, op: Op, ordinal: number): void {
    this.#need(SLACK);
    const buf = this.#buf;
    let pos = this.#pos;
    buf[pos++] = 2; // a run of one change
    pos = putLong(buf, pos, table);
    buf[pos++] = op << 1;
    this.#pos = putLong(buf, pos, ordinal);
    this.#changes++;
    this.#firstChange ??= { commitLsn: this.#commitLsn, ordinal };
  }

  /** The before part: absent needs nothing more; key and full are followed by `beginRow`. */
  before(kind: Before): void {
    this.#need(1);
    this.#buf[this.#pos++] = kind << 1;
  }

  /** The after part: absent needs nothing more; present is followed by `beginRow`. */
  after(present: boolean): void {
    this.#need(1);
    this.#buf[this.#pos++] = present ? 2 : 0;
  }

  /** @param cells how many cells follow; at least 0 */
  beginRow(cells: number): void {
    this.#need(SLACK);
    if (cells > 0) this.#pos = putLong(this.#buf, this.#pos, cells);
  }

  endRow(): void {
    this.#need(1);
    this.#buf[this.#pos++] = 0;
  }

  nullCell(): void {
    this.#need(1);
    this.#buf[this.#pos++] = 0;
  }

  unchangedCell(): void {
    this.#need(1);
    this.#buf[this.#pos++] = 4;
  }

  /** A text cell from bytes that are valid UTF-8. */
  textCell(src: Buffer, start: number, end: number): void {
    this.#value(2, src, start, end);
  }

  bytesCell(src: Buffer, start: number, end: number): void {
    this.#value(6, src, start, end);
  }

  textCellOf(text: string): void {
    this.#need(1);
    this.#buf[this.#pos++] = 2;
    this.#string(text);
  }

  /**
   * Begins a row in one piece, instead of `beginRow`, cells and `endRow`: the caller writes it into `buffer`, from the position returned on, and tells with
   * `endImage` where it ends. Until then nothing has happened.
   * @param most bytes that the row takes at most
   * @param likely bytes that it will probably take: where that is about right, nothing has to be moved afterwards
   */
  beginImage(most: number, likely: number): number {
    this.#need(most + SLACK);
    return this.#pos + 2 + lengthSize(likely);
  }

  /** @param start as `beginImage` returned it */
  endImage(start: number, end: number): void {
    const buf = this.#buf;
    const length = end - start;
    buf[this.#pos] = 2; // a run of one item
    buf[this.#pos + 1] = ROW_IMAGE;
    const row = this.#pos + 2 + lengthSize(length);
    // It was thought to have more or fewer digits.
    if (row !== start) buf.copyWithin(row, start, end);
    putLong(buf, this.#pos + 2, length);
    buf[row + length] = 0; // no further items
    this.#pos = row + length + 1;
  }

  /**
   * Begins a row that the caller writes itself, as `beginRow`, cells and `endRow` would: into `buffer`, from the position returned on. Until `endCells` nothing
   * has happened.
   * @param most bytes that it takes at most
   */
  beginCells(most: number): number {
    this.#need(most + SLACK);
    return this.#pos;
  }

  /** @param end position after the row, the end of its array included */
  endCells(end: number): void {
    this.#pos = end;
  }

  /** Where rows are written in place; asked for anew after each `beginImage` and `beginCells`. */
  get buffer(): Buffer {
    return this.#buf;
  }

  /** The same, for more than a byte at a time. */
  get view(): DataView {
    return this.#out.of(this.#buf);
  }

  /**
   * A stretch of bytes that another block holds, copied as it is: a row's cells from its `beginRow` to its `endRow`,
   * or everything after a change's ordinal.
   */
  raw(src: Buffer, start: number, end: number): void {
    this.#need(end - start);
    src.copy(this.#buf, this.#pos, start, end);
    this.#pos += end - start;
  }

  /**
   * Closes the block and starts the next one, empty and without tables.
   * @returns the block's bytes, its own copy
   */
  finish(source: string, generation: number, after: Position, inputOffset = -1n): Buffer {
    if (this.#inTransaction) throw new Error('a block is finished only between transactions');
    const body = this.#buf;
    const bodyLength = this.#pos;
    const header = new BlockWriter(
      64 + source.length * 3 + this.#tables.reduce((sum, table) => sum + 80 + table.columns.length * 96, 0),
    );
    header.#header(source, generation, after, inputOffset, this.#tables);
    const block = Buffer.allocUnsafeSlow(header.#pos + bodyLength + 1);
    header.#buf.copy(block, 0, 0, header.#pos);
    body.copy(block, header.#pos, 0, bodyLength);
    block[block.length - 1] = 0; // no further transactions
    if (this.#transactions > 0 || bodyLength === 0) noteSummary(block, this.#summary(generation, after));
    this.reset();
    return block;
  }

  #summary(generation: number, after: Position): BlockSummary {
    const first = this.#firstChange;
    const last =
      this.#transactions === 0 ? after : { generation, commitLsn: this.#commitLsn, ordinal: this.#lastOrdinal };
    return {
      first: first && { generation, ...first },
      last,
      complete: last.ordinal === LAST_ORDINAL,
      transactions: this.#transactions,
      changes: this.#changes,
      lastCommitTime: this.#transactions === 0 ? 0 : this.#commitTime,
    };
  }

  /** Drops what was written since the last `finish`. */
  reset(): void {
    this.#pos = 0;
    this.#tables = [];
    this.#inTransaction = false;
    this.#transactions = 0;
    this.#changes = 0;
    this.#firstChange = undefined;
    // One giant value must not keep its buffer for ever. (Promise 6)
    if (this.#buf.length > 4 * 1024 * 1024) this.#buf = Buffer.allocUnsafeSlow(512 * 1024);
  }

  #header(
    source: string,
    generation: number,
    after: Position,
    inputOffset: bigint,
    tables: readonly BlockTable[],
  ): void {
    this.#long(BLOCK_FORMAT);
    this.#string(source);
    this.#long(generation);
    this.#long(after.generation);
    this.#bigLong(after.commitLsn);
    this.#long(after.ordinal);
    this.#bigLong(inputOffset);
    if (tables.length > 0) this.#long(tables.length);
    for (const table of tables) {
      this.#long(table.relationId);
      this.#string(table.schema);
      this.#string(table.name);
      this.#long(REPLICA_IDENTITIES.indexOf(table.identity));
      this.#boolean(table.tolerant);
      if (table.columns.length > 0) this.#long(table.columns.length);
      for (const column of table.columns) {
        this.#string(column.name);
        this.#long(column.typeOid);
        this.#string(column.typeSchema);
        this.#string(column.typeName);
        this.#long(column.typmod);
        this.#boolean(column.key);
        this.#long(CELL_FORMATS.indexOf(column.format));
      }
      this.#boolean(false); // end of columns
    }
    this.#boolean(false); // end of tables
  }

  #long(value: number): void {
    this.#need(10);
    this.#pos = putLong(this.#buf, this.#pos, value);
  }

  #bigLong(value: bigint): void {
    this.#need(10);
    this.#pos = putBigLong(this.#buf, this.#pos, value);
  }

  #boolean(value: boolean): void {
    this.#need(1);
    this.#buf[this.#pos++] = value ? 1 : 0;
  }

  #string(text: string): void {
    if (text.length < 64 && this.#shortAscii(text)) return;
    const length = Buffer.byteLength(text);
    this.#need(length + 10);
    this.#pos = putLong(this.#buf, this.#pos, length);
    this.#pos += this.#buf.write(text, this.#pos, 'utf8');
  }

  /** Numbers, names and the like, without a call out of the engine. @returns whether it is one; otherwise nothing is written */
  #shortAscii(text: string): boolean {
    this.#need(64);
    const end = putAscii(text, this.#buf, this.#pos + 1);
    if (end < 0) return false;
    this.#buf[this.#pos] = text.length << 1;
    this.#pos = end;
    return true;
  }

  #value(kind: number, src: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#need(length + 11);
    const buf = this.#buf;
    let pos = this.#pos;
    buf[pos++] = kind;
    if (length < 64) buf[pos++] = length << 1;
    else pos = putLong(buf, pos, length);
    if (length < NATIVE_FROM) {
      this.#pos = copyWords(this.#source.of(src), start, end, this.#out.of(buf), pos);
    } else {
      // Natively, and without a view of the bytes: one for each long value would be most of the garbage there is.
      src.copy(buf, pos, start, end);
      this.#pos = pos + length;
    }
  }

  #need(bytes: number): void {
    if (this.#pos + bytes > this.#buf.length) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buf.length * 2, this.#pos + bytes));
    this.#buf.copy(larger, 0, 0, this.#pos);
    this.#buf = larger;
  }
}

/** Bytes of the zig-zag varint of a length. */
function lengthSize(length: number): number {
  let size = 1;
  for (let left = length * 2; left > 0x7f; left = Math.floor(left / 128)) size++;
  return size;
}
