import { endOf, LAST_ORDINAL, type Position } from '../position.ts';
import { corrupt, readHeader } from './header.ts';
import { binaryFormOf, textOf } from './binary-text.ts';
import {
  BLOCK_FORMAT,
  type Before,
  type BlockColumn,
  type BlockHeader,
  type BlockTransaction,
  Cell,
  type Op,
  ROW_IMAGE,
} from './model.ts';
import { type BlockSummary, knownSummary, noteSummary } from './summary.ts';
import { upgradeBlock } from './upgrade.ts';
import { WireReader } from './wire.ts';

/**
 * A block's header and a cursor over its changes. Nothing is decoded that nobody looks at: rows are offsets into `bytes`.
 *
 * ```ts
 * const block = BlockReader.open(bytes);
 * while (block.nextTransaction()) {
 *   while (block.nextChange()) { block.op; block.table; block.afterStart … }
 *   block.complete; block.end;
 * }
 * ```
 * @throws {TerraFusionError} BLOCK_CORRUPT, BLOCK_VERSION_UNKNOWN
 */
export class BlockReader {
  /** The block in the current format: the very bytes given, unless they were of an older format. */
  readonly bytes: Buffer;
  readonly header: BlockHeader;
  readonly #wire: WireReader;
  readonly #bodyStart: number;
  /** Items left of the current run of the array of transactions, and of changes. */
  #transactionsLeft = 0;
  #changesLeft = 0;

  /** Of the transaction the cursor is in. */
  transaction: BlockTransaction = NO_TRANSACTION;
  /** After the last `nextChange`: whether the transaction ends in this block. */
  complete = false;
  /** After the last `nextChange`: the position that this block reaches with the transaction. */
  end: Position;

  /** Of the current change: index into `header.tables`, -1 for a message. */
  table = -1;
  op: Op = 0;
  ordinal = 0;
  beforeKind: Before = 0;
  /** Offset of the before row's cells (see {@link CellCursor}); -1 when absent. */
  beforeStart = -1;
  /** Offset of the after row's cells; -1 when absent. */
  afterStart = -1;
  /** Offset of the change's before part (everything from here to `changeEnd` can be copied with `BlockWriter.raw`). */
  imagesStart = 0;
  changeEnd = 0;

  private constructor(bytes: Buffer, header: BlockHeader, wire: WireReader) {
    this.bytes = bytes;
    this.header = header;
    this.end = header.after;
    this.#wire = wire;
    this.#bodyStart = wire.pos;
  }

  static open(bytes: Buffer): BlockReader {
    try {
      const format = new WireReader(bytes).long();
      const current = format === BLOCK_FORMAT ? bytes : upgradeBlock(bytes, format);
      const wire = new WireReader(current);
      return new BlockReader(current, readHeader(wire), wire);
    } catch (cause) {
      throw corrupt(bytes, cause);
    }
  }

  /** Moves the cursor back to before the first transaction. */
  rewind(): void {
    this.#wire.pos = this.#bodyStart;
    this.#transactionsLeft = 0;
    this.#changesLeft = 0;
    this.end = this.header.after;
    this.transaction = NO_TRANSACTION;
    this.complete = false;
  }

  nextTransaction(): boolean {
    const wire = this.#wire;
    try {
      if (this.#transactionsLeft === 0) this.#transactionsLeft = wire.run();
      if (this.#transactionsLeft === 0) {
        if (!wire.atEnd) throw new RangeError('bytes follow the last transaction');
        return false;
      }
      this.#transactionsLeft--;
      const xid = wire.long();
      const commitLsn = wire.bigLong();
      const commitTime = wire.long();
      const origin = wire.present() ? wire.string() : undefined;
      this.transaction = { xid, commitLsn, commitTime, origin };
      this.complete = false;
      return true;
    } catch (cause) {
      throw corrupt(this.bytes, cause);
    }
  }

  nextChange(): boolean {
    const wire = this.#wire;
    try {
      if (this.#changesLeft === 0) this.#changesLeft = wire.run();
      if (this.#changesLeft === 0) {
        const lastOrdinal = wire.long();
        this.complete = wire.boolean();
        const { commitLsn } = this.transaction;
        const { generation } = this.header;
        this.end = this.complete ? endOf(generation, commitLsn) : { generation, commitLsn, ordinal: lastOrdinal };
        return false;
      }
      this.#changesLeft--;
      this.table = wire.long();
      if (this.table < -1 || this.table >= this.header.tables.length)
        throw new RangeError(`table ${this.table} is not in the header`);
      const op = wire.byte() >>> 1;
      if (op > 5) throw new RangeError(`${op} is not an operation`);
      this.op = op as Op;
      this.ordinal = wire.long();
      this.imagesStart = wire.pos;
      const before = wire.byte() >>> 1;
      if (before > 2) throw new RangeError(`${before} is not a kind of before row`);
      this.beforeKind = before as Before;
      if (before === 0) this.beforeStart = -1;
      else {
        this.beforeStart = wire.pos;
        wire.skipCells();
      }
      if (wire.present()) {
        this.afterStart = wire.pos;
        wire.skipCells();
      } else this.afterStart = -1;
      this.changeEnd = wire.pos;
      return true;
    } catch (cause) {
      throw corrupt(this.bytes, cause);
    }
  }

  /** The position that a block reaches, and how many changes and transactions it holds. */
  static summary(bytes: Buffer): BlockSummary {
    const known = knownSummary(bytes);
    if (known !== undefined) return known;
    const block = BlockReader.open(bytes);
    let transactions = 0;
    let changes = 0;
    let first: Position | undefined;
    let lastCommitTime = 0;
    while (block.nextTransaction()) {
      transactions++;
      while (block.nextChange()) {
        changes++;
        first ??= {
          generation: block.header.generation,
          commitLsn: block.transaction.commitLsn,
          ordinal: block.ordinal,
        };
      }
      lastCommitTime = block.transaction.commitTime;
    }
    const summary: BlockSummary = {
      first,
      last: block.end,
      complete: transactions === 0 ? block.end.ordinal === LAST_ORDINAL : block.complete,
      transactions,
      changes,
      lastCommitTime,
    };
    // Who counts, who cuts and who applies ask one after the other.
    noteSummary(bytes, summary);
    return summary;
  }
}

/**
 * Walks the cells of one row.
 *
 * ```ts
 * const cells = new CellCursor(bytes);
 * cells.start(block.afterStart);
 * while (cells.next()) { cells.kind; cells.from; cells.to; }
 * ```
 */
export class CellCursor {
  readonly #bytes: Buffer;
  #pos = 0;
  #left = 0;
  /** Of a row in one piece, its first byte and the one after its last; of any other -1. */
  imageStart = -1;
  imageEnd = -1;
  kind: Cell = Cell.null;
  /** First byte of the value; equal to `to` for null and unchanged. */
  from = 0;
  /** Byte after the value. */
  to = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @param offset of the row's cells, as `BlockReader` tells it: the reader has checked them */
  start(offset: number): void {
    this.#pos = offset;
    this.#left = this.#run();
    if (this.#left === 1 && this.#bytes[this.#pos] === ROW_IMAGE) this.#startImage();
    else this.imageStart = this.imageEnd = -1;
  }

  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    if (this.imageStart !== -1) {
      this.#nextInImage();
      return true;
    }
    const bytes = this.#bytes;
    let pos = this.#pos;
    const kind = (bytes[pos++]! >>> 1) as Cell;
    this.kind = kind;
    if (kind === Cell.text || kind === Cell.bytes) {
      const byte = bytes[pos++]!;
      // The length of a value is twice itself in its encoding, so a value of less than 64 bytes has one byte of it.
      if (byte < 0x80) {
        this.from = pos;
        pos += byte >>> 1;
      } else {
        this.#pos = pos;
        const length = this.#longLength(byte);
        this.from = this.#pos;
        pos = this.from + length;
      }
      this.to = pos;
    } else {
      this.from = pos;
      this.to = pos;
    }
    this.#pos = pos;
    if (this.#left === 0) this.#left = this.#run();
    return true;
  }

  #startImage(): void {
    const bytes = this.#bytes;
    const first = bytes[this.#pos + 1]!;
    this.#pos += 2;
    const length = first < 0x80 ? first >>> 1 : this.#longLength(first);
    const start = this.#pos;
    this.imageStart = start;
    this.imageEnd = start + length;
    this.#left = (bytes[start]! << 8) | bytes[start + 1]!;
    this.#pos = start + 2;
  }

  #nextInImage(): void {
    const bytes = this.#bytes;
    let pos = this.#pos;
    const length = (bytes[pos]! << 24) | (bytes[pos + 1]! << 16) | (bytes[pos + 2]! << 8) | bytes[pos + 3]!;
    pos += 4;
    this.from = pos;
    if (length < 0) this.kind = Cell.null;
    else {
      this.kind = Cell.bytes;
      pos += length;
    }
    this.to = pos;
    this.#pos = pos;
  }

  #longLength(first: number): number {
    const bytes = this.#bytes;
    let pos = this.#pos;
    let doubled = first & 0x7f;
    let scale = 0x80;
    let byte: number;
    do {
      byte = bytes[pos++]!;
      doubled += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    this.#pos = pos;
    return doubled / 2;
  }

  /** The current cell's text; null for a null cell, undefined for an unchanged one. */
  text(): string | null | undefined {
    if (this.kind === Cell.null) return null;
    if (this.kind === Cell.unchanged) return undefined;
    return this.#bytes.toString('utf8', this.from, this.to);
  }

  #run(): number {
    // Less than 64 cells, or the end of them: a byte, for which no reader is made.
    const byte = this.#bytes[this.#pos]!;
    if (byte < 0x80 && (byte & 1) === 0) {
      this.#pos++;
      return byte >>> 1;
    }
    const wire = new WireReader(this.#bytes, this.#pos);
    const count = wire.run();
    this.#pos = wire.pos;
    return count;
  }
}

/**
 * All cells of a row as strings: null, or undefined for "unchanged". For tools, dead letters and tests; not for the hot path.
 * @param columns of the row's table: of a cell in binary they tell the type. Left out: such cells are the bytes of a text, as a message's are.
 */
export function readRow(
  bytes: Buffer,
  offset: number,
  columns: readonly BlockColumn[] = [],
): (string | null | undefined)[] {
  const cells = new CellCursor(bytes);
  const row: (string | null | undefined)[] = [];
  cells.start(offset);
  for (let column = 0; cells.next(); column++) {
    const form = cells.kind === Cell.bytes ? binaryFormOf(columns[column]?.typeOid ?? 0) : undefined;
    row.push(form === undefined ? cells.text() : textOf(form, bytes, cells.from, cells.to));
  }
  return row;
}

const NO_TRANSACTION: BlockTransaction = { xid: 0, commitLsn: 0n, commitTime: 0, origin: undefined };
