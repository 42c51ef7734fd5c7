import type { SourceBlock } from '#connectors/contract/source.ts';
import { Before, BlockWriter, type CellFormat, Op } from '#schemas/block/index.ts';
import { LastView } from '#schemas/block/view.ts';
import { endOf, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import { lsnAt, MessageReader, malformed, timeAt } from './message-reader.ts';
import { type Relation, RelationCache } from './relations.ts';
import { writeRowCells, writeRowImage } from './rows-in-place.ts';

export interface DecoderOptions {
  readonly sourceId: string;
  readonly generation: number;
  /** The first block continues from here; changes at or below it are skipped, one by one. */
  readonly from: Position;
  /** See {@link RelationCache}. */
  readonly builtinTypes: ReadonlyMap<number, string>;
  /** In which the stream was asked for values. */
  readonly format: CellFormat;
  /** A block is closed before the first change beyond so many bytes. */
  readonly blockBytes: number;
  onBlock(block: SourceBlock): void;
}

/**
 * Decodes pgoutput's messages (protocol version 1, values as text or in binary) straight into blocks: a row's bytes become cells in place, without an
 * object a row or cell. (Promise 4: nothing on this way knows numbers, dates or JSON.)
 *
 * Ordinals count the changes as the server sends them, skipped ones included, so that they repeat after a restart.
 * After an error the decoder is of no more use; blocks that were closed before are whole.
 */
export class PgoutputDecoder {
  readonly #options: DecoderOptions;
  readonly #relations: RelationCache;
  readonly #writer: BlockWriter;
  readonly #views = new LastView();
  /** The end of the last closed block. */
  #position: Position;
  /** Counts blocks, so that relations know whether they are in the open one's header. */
  #block = 0;

  #inTransaction = false;
  #xid = 0;
  #commitLsn = 0n;
  #commitTime = 0;
  #origin: string | undefined;
  /** Of the last change the server sent for the transaction. */
  #ordinal = -1;
  /** Changes up to here are held already. */
  #skipThrough = -1;
  /** The open block holds changes of the transaction. */
  #begun = false;
  /** Changes of the transaction are in earlier blocks: its end is news even if nothing else follows. */
  #sliced = false;
  /** Of the last transaction in the open block. */
  #lastCommitTime = 0;
  /** The end of the last transaction in the open block, when complete. */
  #completeThrough: Position | undefined;
  #receivedLsn = 0n;

  constructor(options: DecoderOptions) {
    this.#options = options;
    this.#position = options.from;
    this.#relations = new RelationCache(options.builtinTypes, options.format);
    this.#writer = new BlockWriter(options.blockBytes + 64 * 1024);
  }

  /** The end of the last closed block. */
  get position(): Position {
    return this.#position;
  }

  /** The WAL location after the last commit that came in. */
  get receivedLsn(): bigint {
    return this.#receivedLsn;
  }

  /** Bytes in the open block. */
  get openBytes(): number {
    return this.#writer.byteLength;
  }

  /** The stream stands between two transactions. */
  get betweenTransactions(): boolean {
    return !this.#inTransaction;
  }

  /** Closes the open block, also in the midst of a transaction; nothing happens when it is empty. */
  flush(): void {
    if (!this.#writer.isEmpty) this.#close(this.#ordinal);
  }

  /**
   * One message.
   * @throws {TerraFusionError} SOURCE_PROTOCOL for whatever is malformed or out of place; {@link OnlyAsText}
   */
  message(buf: Buffer, start: number, end: number): void {
    if (start >= end) malformed('an empty message');
    switch (buf[start]) {
      case 0x49: // I
        this.#insert(buf, start + 1, end);
        return;
      case 0x55: // U
        this.#update(buf, start + 1, end);
        return;
      case 0x44: // D
        this.#delete(buf, start + 1, end);
        return;
      case 0x42: // B
        this.#begin(buf, start + 1, end);
        return;
      case 0x43: // C
        this.#commit(buf, start + 1, end);
        return;
      case 0x52: // R
        this.#relations.readRelation(buf, start + 1, end);
        return;
      case 0x59: // Y
        this.#relations.readType(buf, start + 1, end);
        return;
      case 0x54: // T
        this.#truncate(buf, start + 1, end);
        return;
      case 0x4d: // M
        this.#logicalMessage(buf, start + 1, end);
        return;
      case 0x4f: // O
        this.#readOrigin(buf, start + 1, end);
        return;
      default:
        malformed(`a message of the unknown type ${buf[start]}`);
    }
  }

  #begin(buf: Buffer, start: number, end: number): void {
    if (this.#inTransaction) malformed('a transaction within a transaction');
    // In place, like rows: with one-row transactions this is as frequent as they are.
    if (end - start !== 20) malformed(`a begin of ${end - start} bytes`);
    this.#commitLsn = lsnAt(buf, start);
    this.#commitTime = timeAt(buf, start + 8);
    this.#xid = buf.readUInt32BE(start + 16);
    this.#inTransaction = true;
    this.#origin = undefined;
    this.#ordinal = -1;
    this.#begun = false;
    const { commitLsn, ordinal } = this.#completeThrough ?? this.#position;
    // After a restart the server may send again what is held already, whole transactions or the beginning of one.
    this.#skipThrough = this.#commitLsn < commitLsn ? LAST_ORDINAL : this.#commitLsn === commitLsn ? ordinal : -1;
    this.#sliced = this.#skipThrough !== -1;
  }

  #commit(buf: Buffer, start: number, end: number): void {
    if (!this.#inTransaction) malformed('a commit outside of a transaction');
    // Flags (none are defined), the commit's location, its end, its time.
    if (end - start !== 25) malformed(`a commit of ${end - start} bytes`);
    if (lsnAt(buf, start + 1) !== this.#commitLsn)
      malformed('a commit at another WAL location than its transaction announced');
    const endLsn = lsnAt(buf, start + 9);
    if (endLsn > this.#receivedLsn) this.#receivedLsn = endLsn;
    this.#inTransaction = false;
    if (this.#skipThrough === LAST_ORDINAL) return;
    // A transaction without any change for us leaves no trace; one whose beginning was stored needs its end.
    if (!this.#begun && !this.#sliced) return;
    if (!this.#begun) this.#beginInBlock();
    this.#writer.endTransaction(true, this.#ordinal);
    this.#begun = false;
    this.#completeThrough = endOf(this.#options.generation, this.#commitLsn);
  }

  #insert(buf: Buffer, start: number, end: number): void {
    if (!this.#nextChange()) return;
    const relation = this.#relationAt(buf, start, end);
    this.#open(relation, Op.insert);
    this.#writer.before(Before.absent);
    if (end - start < 5 || buf[start + 4] !== 0x4e) malformed('an insert without its row');
    this.#writer.after(true);
    const pos = this.#row(buf, start + 5, end, relation);
    if (pos !== end) malformed('an insert with bytes too many');
  }

  #update(buf: Buffer, start: number, end: number): void {
    if (!this.#nextChange()) return;
    const relation = this.#relationAt(buf, start, end);
    this.#open(relation, Op.update);
    let pos = start + 4;
    if (buf[pos] === 0x4e || pos >= end) this.#writer.before(Before.absent);
    else pos = this.#beforeRow(buf, pos, end, relation);
    if (pos >= end || buf[pos] !== 0x4e) malformed('an update without its new row');
    this.#writer.after(true);
    pos = this.#row(buf, pos + 1, end, relation);
    if (pos !== end) malformed('an update with bytes too many');
  }

  #delete(buf: Buffer, start: number, end: number): void {
    if (!this.#nextChange()) return;
    const relation = this.#relationAt(buf, start, end);
    this.#open(relation, Op.delete);
    const pos = this.#beforeRow(buf, start + 4, end, relation);
    this.#writer.after(false);
    if (pos !== end) malformed('a delete with bytes too many');
  }

  /** One change a table, all with the same ordinal and never in different blocks: who holds one of them holds all. */
  #truncate(buf: Buffer, start: number, end: number): void {
    if (!this.#nextChange()) return;
    const reader = new MessageReader(buf, start, end);
    const count = reader.uint32();
    const options = reader.uint8();
    if (count > (end - start) / 4) malformed('a truncate of more tables than it names');
    const relations: Relation[] = [];
    for (let i = 0; i < count; i++) relations.push(this.#relations.get(reader.uint32()));
    reader.expectEnd();
    if (relations.length === 0) return;
    this.#makeRoom();
    const writer = this.#writer;
    for (const relation of relations) {
      writer.beginChange(this.#tableIndex(relation), Op.truncate, this.#ordinal);
      writer.before(Before.absent);
      writer.after(true);
      writer.beginRow(2);
      if ((options & 1) === 0) writer.nullCell();
      else writer.textCellOf('cascade');
      if ((options & 2) === 0) writer.nullCell();
      else writer.textCellOf('restart identity');
      writer.endRow();
    }
  }

  #logicalMessage(buf: Buffer, start: number, end: number): void {
    const reader = new MessageReader(buf, start, end);
    // One that is not part of a transaction has no position: it could be neither repeated nor skipped.
    if ((reader.uint8() & 1) === 0) return;
    if (!this.#nextChange()) return;
    reader.lsn();
    const prefix = reader.string();
    const length = reader.uint32();
    const content = reader.skip(length);
    reader.expectEnd();
    this.#makeRoom();
    const writer = this.#writer;
    writer.beginChange(-1, Op.message, this.#ordinal);
    writer.before(Before.absent);
    writer.after(true);
    writer.beginRow(2);
    writer.textCellOf(prefix);
    writer.bytesCell(buf, content, content + length);
    writer.endRow();
  }

  #readOrigin(buf: Buffer, start: number, end: number): void {
    if (!this.#inTransaction || this.#ordinal !== -1)
      malformed('an origin that is not at the beginning of a transaction');
    const reader = new MessageReader(buf, start, end);
    reader.lsn();
    this.#origin = reader.string();
    reader.expectEnd();
  }

  /** Counts a change. @returns false when it is held already */
  #nextChange(): boolean {
    if (!this.#inTransaction) malformed('a change outside of a transaction');
    return ++this.#ordinal > this.#skipThrough;
  }

  #relationAt(buf: Buffer, start: number, end: number): Relation {
    if (end - start < 4) malformed('a change that names no table');
    return this.#relations.get(
      ((buf[start]! << 24) | (buf[start + 1]! << 16) | (buf[start + 2]! << 8) | buf[start + 3]!) >>> 0,
    );
  }

  #open(relation: Relation, op: Op): void {
    this.#makeRoom();
    this.#writer.beginChange(this.#tableIndex(relation), op, this.#ordinal);
  }

  /** Before a change is written: the block is closed if it is full, and the transaction begun in it. (Promise 6) */
  #makeRoom(): void {
    if (this.#writer.byteLength >= this.#options.blockBytes) this.#close(this.#ordinal - 1);
    if (!this.#begun) this.#beginInBlock();
  }

  #beginInBlock(): void {
    this.#writer.beginTransaction({
      xid: this.#xid,
      commitLsn: this.#commitLsn,
      commitTime: this.#commitTime,
      origin: this.#origin,
    });
    this.#lastCommitTime = this.#commitTime;
    this.#begun = true;
  }

  #tableIndex(relation: Relation): number {
    if (relation.block !== this.#block) {
      relation.block = this.#block;
      relation.index = this.#writer.addTable(relation.table);
    }
    return relation.index;
  }

  /** The old row, or its key. @returns the position after it */
  #beforeRow(buf: Buffer, pos: number, end: number, relation: Relation): number {
    const kind = pos < end ? buf[pos] : 0;
    if (kind === 0x4b) this.#writer.before(Before.key);
    else if (kind === 0x4f) this.#writer.before(Before.full);
    else malformed('a change without its old row or key');
    return this.#row(buf, pos + 1, end, relation);
  }

  /** A row's cells, copied as they are. @returns the position after it */
  #row(buf: Buffer, start: number, end: number, relation: Relation): number {
    if (end - start < 2) malformed('a row without its number of columns');
    const count = (buf[start]! << 8) | buf[start + 1]!;
    if (count !== relation.width) malformed(`a row of ${count} columns for a table of ${relation.width}`);
    const view = this.#views.of(buf);
    if (relation.inOnePiece) {
      const after = writeRowImage(this.#writer, buf, view, start, end);
      if (after !== -1) return after;
    }
    return writeRowCells(this.#writer, buf, view, start, end, relation);
  }

  /** @param lastOrdinal up to which an unfinished transaction is in the block */
  #close(lastOrdinal: number): void {
    const { generation, sourceId } = this.#options;
    const writer = this.#writer;
    let last = this.#completeThrough;
    if (this.#begun) {
      writer.endTransaction(false, lastOrdinal);
      last = { generation, commitLsn: this.#commitLsn, ordinal: lastOrdinal };
      this.#begun = false;
      this.#sliced = true;
    }
    if (last === undefined) throw new Error('a block that is not empty reaches somewhere');
    const { changes, transactions } = writer;
    const bytes = writer.finish(sourceId, generation, this.#position);
    this.#position = last;
    this.#completeThrough = undefined;
    this.#block++;
    this.#options.onBlock({ bytes, last, changes, transactions, lastCommitTime: this.#lastCommitTime });
  }
}
