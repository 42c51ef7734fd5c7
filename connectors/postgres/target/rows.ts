import { Cell, CellCursor } from '#schemas/block/index.ts';
import { putLong } from '#schemas/block/wire.ts';
import { noValue } from './copy-lines.ts';
import { type ColumnArray, TEXT_OID } from './column-array.ts';
import type { RowStatement } from './statements.ts';

/** Bytes of a buffer for rows that are put together; a larger row gets one of its own. */
const OWN = 64 * 1024;
/** Kind, and length of a value, at most. */
const CELL_HEAD = 11;

/**
 * The rows of a batch, where they lie: a row is the number of a buffer and an offset in it. The buffers are the batch's blocks;
 * rows that had to be put together from two (an "unchanged" cell keeps the older value) are written behind them, in the same form.
 */
export class Rows {
  readonly #buffers: Buffer[] = [];
  readonly #cursors: CellCursor[] = [];
  #ownEnd = OWN;
  /** Number of the buffer that `merge` wrote into last. */
  mergedIn = -1;

  /** @returns the buffer's number */
  add(buffer: Buffer): number {
    this.#cursors.push(new CellCursor(buffer));
    return this.#buffers.push(buffer) - 1;
  }

  buffer(source: number): Buffer {
    return this.#buffers[source]!;
  }

  /** The buffer's cursor, for one walk at a time. */
  cursor(source: number): CellCursor {
    return this.#cursors[source]!;
  }

  /**
   * Puts a row together: the newer one's cells, and where they are "unchanged", the older one's.
   * @param only by cell: 1 where the older row is asked; undefined when it is everywhere
   * @returns the offset in the buffer `mergedIn`
   */
  merge(newer: number, newerAt: number, older: number, olderAt: number, only: Uint8Array | undefined): number {
    const over = new CellCursor(this.#buffers[newer]!);
    const under = new CellCursor(this.#buffers[older]!);
    let bytes = CELL_HEAD;
    let cells = 0;
    over.start(newerAt);
    under.start(olderAt);
    for (; over.next(); cells++) {
      under.next();
      bytes += CELL_HEAD + Math.max(over.to - over.from, under.to - under.from);
    }
    const out = this.#room(bytes);
    const at = this.#ownEnd;
    let pos = putLong(out, at, cells);
    over.start(newerAt);
    under.start(olderAt);
    for (let cell = 0; over.next(); cell++) {
      under.next();
      const older_ = over.kind === Cell.unchanged && (only === undefined || only[cell] === 1);
      const { kind, from, to } = older_ ? under : over;
      out[pos++] = kind << 1;
      if (kind !== Cell.text && kind !== Cell.bytes) continue;
      pos = putLong(out, pos, to - from);
      pos += this.#buffers[older_ ? older : newer]!.copy(out, pos, from, to);
    }
    out[pos++] = 0;
    this.#ownEnd = pos;
    return at;
  }

  /**
   * Adds the row's cells to the arrays.
   * @param places by cell: the array it goes to, -1 for none
   * @param statement what the arrays are of, and by cell how its text is made where it is in binary
   */
  fill(
    source: number,
    at: number,
    places: Int16Array,
    arrays: readonly ColumnArray[],
    { forms, elements }: Pick<RowStatement, 'forms' | 'elements'>,
  ): void {
    const bytes = this.#buffers[source]!;
    const cells = this.#cursors[source]!;
    cells.start(at);
    for (let cell = 0; cells.next(); cell++) {
      const place = places[cell]!;
      if (place < 0) continue;
      const { kind } = cells;
      const array = arrays[place]!;
      const ofTexts = elements[place] === TEXT_OID;
      if (kind === Cell.null) array.addNull();
      else if (kind === Cell.unchanged) throw noValue(kind);
      else {
        const form = forms[cell];
        const made = ofTexts && form !== undefined && kind === Cell.bytes;
        if (made) array.addBinary(form, bytes, cells.from, cells.to);
        else if (ofTexts || kind === Cell.bytes) array.add(bytes, cells.from, cells.to);
        else throw noValue(kind);
      }
    }
  }

  /** By cell: 1 where the row has no value of its own. Undefined for a whole row. */
  unchanged(source: number, at: number, cellsInRow: number): Uint8Array | undefined {
    const cells = this.#cursors[source]!;
    let found: Uint8Array | undefined;
    cells.start(at);
    for (let cell = 0; cells.next(); cell++) {
      if (cells.kind === Cell.unchanged) (found ??= new Uint8Array(cellsInRow))[cell] = 1;
    }
    return found;
  }

  #room(bytes: number): Buffer {
    if (this.mergedIn !== -1) {
      const own = this.#buffers[this.mergedIn]!;
      if (this.#ownEnd + bytes <= own.length) return own;
    }
    const own = Buffer.allocUnsafeSlow(Math.max(OWN, bytes));
    this.mergedIn = this.add(own);
    this.#ownEnd = 0;
    return own;
  }
}
