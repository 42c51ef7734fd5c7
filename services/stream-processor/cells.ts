import { type BlockColumn, Cell, type BlockWriter, ROW_IMAGE } from '#schemas/block/index.ts';
import { copyWords, LastView, NATIVE_FROM } from '#schemas/block/view.ts';
import { WireReader } from '#schemas/block/wire.ts';
import { binaryText, decodeBinary } from './binary-values.ts';
import { decodeBytes, readText, type CelValue, type ValueKind } from './values.ts';

/**
 * Where the cells of one row lie in a block. Filled again for every row; nothing is decoded.
 * Only for offsets that `BlockReader` has stepped over: it has checked the bytes.
 */
export class CellIndex {
  bytes: Buffer = Buffer.alloc(0);
  #wire = new WireReader(this.bytes);
  readonly #source = new LastView();
  /** Cells that were found; -1 when there is no row. */
  count = -1;
  /** The row is in one piece: its cells lie in it as COPY takes them. */
  inOnePiece = false;
  readonly #columns: readonly BlockColumn[];
  /** By column: 1 where the bytes of a cell are its text, whatever its kind. */
  readonly #isText: Uint8Array;
  readonly #kinds: Uint8Array;
  /** First byte of the cell, its kind (in a row in one piece: its length) included. */
  readonly #starts: Int32Array;
  /** First byte of the value. */
  readonly #from: Int32Array;
  /** Byte after the cell. */
  readonly #to: Int32Array;

  /** @param columns of the row's table */
  constructor(columns: readonly BlockColumn[]) {
    const { length } = columns;
    this.#columns = columns;
    this.#isText = Uint8Array.from(columns, ({ format }) => (format === 'text' ? 1 : 0));
    this.#kinds = new Uint8Array(length);
    this.#starts = new Int32Array(length);
    this.#from = new Int32Array(length);
    this.#to = new Int32Array(length);
  }

  clear(): void {
    this.count = -1;
  }

  /**
   * @param offset of the row's cells, as `BlockReader` tells it
   * @param needed how many cells from the first on will be looked at; all when left out
   * @throws {RangeError} when the row has not exactly as many cells as there are columns
   */
  load(bytes: Buffer, offset: number, needed = this.#kinds.length): void {
    const { length } = this.#kinds;
    // One reader for all rows of a block.
    if (this.#wire.buf !== bytes) this.#wire = new WireReader(bytes);
    this.inOnePiece = bytes[offset] === 2 && bytes[offset + 1] === ROW_IMAGE;
    if (this.inOnePiece) {
      this.#loadImage(bytes, offset + 2, needed);
      return;
    }
    const wire = this.#wire;
    wire.pos = offset;
    let count = 0;
    for (let run = wire.run(); run > 0; run = wire.run()) {
      if (count + run > length) throw new RangeError(`a row has more cells than the table's ${length} columns`);
      // All cells in one run, as our writer and most others put them: their number is right, the rest can stay unseen.
      const partial = run === length && needed < length;
      if (partial) run = needed;
      let pos = wire.pos;
      for (; run > 0; run--, count++) {
        this.#starts[count] = pos;
        const kind = bytes[pos++]! >>> 1;
        if (kind > Cell.bytes) throw new RangeError(`${kind} is not a kind of cell here`);
        this.#kinds[count] = kind;
        if (kind === Cell.null || kind === Cell.unchanged) {
          this.#from[count] = pos;
          this.#to[count] = pos;
          continue;
        }
        let size = bytes[pos++]!;
        if (size >= 0x80) {
          wire.pos = pos - 1;
          size = wire.long() * 2;
          pos = wire.pos;
        }
        this.#from[count] = pos;
        pos += size / 2;
        this.#to[count] = pos;
      }
      if (partial) {
        count = length;
        break;
      }
      wire.pos = pos;
    }
    if (count !== length) throw new RangeError(`a row has ${count} cells, but the table ${length} columns`);
    this.bytes = bytes;
    this.count = count;
  }

  #loadImage(bytes: Buffer, offset: number, needed: number): void {
    const kinds = this.#kinds;
    const wire = this.#wire;
    wire.pos = offset;
    wire.length();
    let { pos } = wire;
    const count = (bytes[pos]! << 8) | bytes[pos + 1]!;
    if (count !== kinds.length) throw new RangeError(`a row has ${count} cells, but the table ${kinds.length} columns`);
    pos += 2;
    for (let column = 0; column < needed; column++) {
      this.#starts[column] = pos;
      const length = (bytes[pos]! << 24) | (bytes[pos + 1]! << 16) | (bytes[pos + 2]! << 8) | bytes[pos + 3]!;
      pos += 4;
      this.#from[column] = pos;
      if (length < 0) kinds[column] = Cell.null;
      else {
        kinds[column] = this.#isText[column] === 1 ? Cell.text : Cell.bytes;
        pos += length;
      }
      this.#to[column] = pos;
    }
    this.bytes = bytes;
    this.count = count;
  }

  get present(): boolean {
    return this.count >= 0;
  }

  kind(column: number): Cell {
    return this.#kinds[column]! as Cell;
  }

  isUnchanged(column: number): boolean {
    return this.#kinds[column] === Cell.unchanged;
  }

  get hasUnchanged(): boolean {
    return this.#kinds.includes(Cell.unchanged);
  }

  /** The value of a cell that has one, as expressions see it. @throws {RowFailure}; {TerraFusionError} BLOCK_CORRUPT */
  value(column: number, kind: ValueKind, name: string): CelValue {
    const from = this.#from[column]!;
    const to = this.#to[column]!;
    if (this.#isBinary(column)) return decodeBinary(this.bytes, from, to, this.#columns[column]!.typeOid, kind, name);
    return decodeBytes(this.bytes, from, to, kind, name);
  }

  /** The text of a cell that has a value. @throws {RowFailure}; {TerraFusionError} BLOCK_CORRUPT */
  text(column: number): string {
    const from = this.#from[column]!;
    const to = this.#to[column]!;
    if (this.#isBinary(column)) return binaryText(this.bytes, from, to, this.#columns[column]!.typeOid);
    return readText(this.bytes, from, to);
  }

  #isBinary(column: number): boolean {
    return this.#kinds[column] === Cell.bytes && this.#isText[column] === 0;
  }

  /** Bytes that neighbouring cells of a row in one piece take in it. */
  rangeLength(first: number, last: number): number {
    return this.#to[last]! - this.#starts[first]!;
  }

  /** Copies neighbouring cells of a row in one piece into another one. @returns the position after them */
  putRange(first: number, last: number, out: Buffer, view: DataView, pos: number): number {
    const from = this.#starts[first]!;
    const to = this.#to[last]!;
    if (to - from < NATIVE_FROM) return copyWords(this.#source.of(this.bytes), from, to, view, pos);
    return pos + this.bytes.copy(out, pos, from, to);
  }

  copy(column: number, writer: BlockWriter): void {
    switch (this.#kinds[column]! as Cell) {
      case Cell.null:
        writer.nullCell();
        return;
      case Cell.unchanged:
        writer.unchangedCell();
        return;
      case Cell.text:
        writer.textCell(this.bytes, this.#from[column]!, this.#to[column]!);
        return;
      case Cell.bytes:
        writer.bytesCell(this.bytes, this.#from[column]!, this.#to[column]!);
    }
  }

  /** Copies neighbouring cells in one go; false, and nothing copied, when they do not lie side by side. */
  copyRange(first: number, last: number, writer: BlockWriter): boolean {
    for (let i = first; i < last; i++) if (this.#to[i] !== this.#starts[i + 1]) return false;
    writer.raw(this.bytes, this.#starts[first]!, this.#to[last]!);
    return true;
  }

  /** Whether two cells hold the same bytes in the same form. */
  sameCell(column: number, other: CellIndex): boolean {
    return (
      this.#kinds[column] === other.#kinds[column] &&
      this.bytes.compare(other.bytes, other.#from[column], other.#to[column], this.#from[column], this.#to[column]) ===
        0
    );
  }
}
