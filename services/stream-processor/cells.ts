import { Cell, type BlockWriter } from '#schemas/block/index.ts';
import { WireReader } from '#schemas/block/wire.ts';
import { decodeBytes, readText, type CelValue, type ValueKind } from './values.ts';

/**
 * Where the cells of one row lie in a block. Filled again for every row; nothing is decoded.
 * Only for offsets that `BlockReader` has stepped over: it has checked the bytes.
 */
export class CellIndex {
  bytes: Buffer = Buffer.alloc(0);
  #wire = new WireReader(this.bytes);
  /** Cells that were found; -1 when there is no row. */
  count = -1;
  readonly #kinds: Uint8Array;
  /** First byte of the cell, its kind included. */
  readonly #starts: Int32Array;
  /** First byte of the value. */
  readonly #from: Int32Array;
  /** Byte after the cell. */
  readonly #to: Int32Array;

  /** @param columns most cells that a row may have */
  constructor(columns: number) {
    this.#kinds = new Uint8Array(columns);
    this.#starts = new Int32Array(columns);
    this.#from = new Int32Array(columns);
    this.#to = new Int32Array(columns);
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
        // A row in one piece is none of texts.
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

  /** The value of a cell that has a text, as expressions see it. @throws {RowFailure} */
  value(column: number, kind: ValueKind, name: string): CelValue {
    return decodeBytes(this.bytes, this.#from[column]!, this.#to[column]!, kind, name);
  }

  /** The text of a cell that has one. @throws {RowFailure} */
  text(column: number): string {
    return readText(this.bytes, this.#from[column]!, this.#to[column]!);
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
