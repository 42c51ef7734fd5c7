import { Cell, type BlockWriter } from '#schemas/block/index.ts';
import type { CellIndex } from './cells.ts';
import { UnchangedNeeded } from './row-failure.ts';
import type { CelValue, ValueKind } from './values.ts';

/** A table's columns as expressions and transforms see them. */
export interface ViewColumns {
  readonly names: readonly string[];
  readonly kinds: readonly ValueKind[];
  /** Columns that a key-only before row has values for. */
  readonly isKey: readonly boolean[];
}

/**
 * One row at a time, decoded cell by cell when somebody looks. A value that the source did not send because it did not change is
 * taken from the before row, where that has it: all columns of a full one, the key's of a key.
 */
export class RowView {
  readonly #columns: ViewColumns;
  readonly #decoded: CelValue[];
  /** Row number at which the value was decoded. */
  readonly #decodedAt: Float64Array;
  #row = 0;
  #cells!: CellIndex;
  #before: CellIndex | undefined;
  #beforeIsFull = false;

  constructor(columns: ViewColumns) {
    this.#columns = columns;
    this.#decoded = new Array<CelValue>(columns.names.length).fill(null);
    this.#decodedAt = new Float64Array(columns.names.length);
  }

  /** Points at a row. @param before the row before the change, when the source sent one */
  show(cells: CellIndex, before?: CellIndex, beforeIsFull = false): void {
    this.#row++;
    this.#cells = cells;
    this.#before = before;
    this.#beforeIsFull = beforeIsFull;
  }

  /** Whether the value is not known: the source did not send it, and no before row has it. */
  isUnchanged(column: number): boolean {
    const cells = this.#holder(column);
    return cells.isUnchanged(column);
  }

  /** @throws {UnchangedNeeded} */
  text(column: number): string | null {
    const cells = this.#readable(column);
    return cells?.text(column) ?? null;
  }

  /** Whether the cell itself has a value: it is not NULL and not unchanged. */
  hasValue(column: number): boolean {
    const kind = this.#cells.kind(column);
    return kind === Cell.text || kind === Cell.bytes;
  }

  allHaveValues(columns: readonly number[]): boolean {
    for (const column of columns) if (!this.hasValue(column)) return false;
    return true;
  }

  /** Its cells, when they lie as COPY takes them; undefined when they do not. */
  get inOnePiece(): CellIndex | undefined {
    return this.#cells.inOnePiece ? this.#cells : undefined;
  }

  /** The cells that hold the column's value; undefined when it is NULL. */
  #readable(column: number): CellIndex | undefined {
    const cells = this.#holder(column);
    switch (cells.kind(column)) {
      case Cell.null:
        return undefined;
      case Cell.text:
      case Cell.bytes:
        return cells;
      case Cell.unchanged:
        throw new UnchangedNeeded(this.#columns.names[column]!);
    }
  }

  /** The cell as expressions see it. An arrow, so that it can be handed to them as it is. */
  readonly value = (column: number): CelValue => {
    if (this.#decodedAt[column] === this.#row) return this.#decoded[column]!;
    const { kinds, names } = this.#columns;
    const value = this.#readable(column)?.value(column, kinds[column]!, names[column]!) ?? null;
    this.#decoded[column] = value;
    this.#decodedAt[column] = this.#row;
    return value;
  };

  /** @param fill whether a cell that was not sent is filled from a full before row: for rows that may be new to the target */
  copy(column: number, writer: BlockWriter, fill: boolean): void {
    (fill ? this.#holder(column) : this.#cells).copy(column, writer);
  }

  copyRange(first: number, last: number, writer: BlockWriter, fill: boolean): void {
    const filling = fill && this.#before !== undefined && this.#cells.hasUnchanged;
    if (!filling && this.#cells.copyRange(first, last, writer)) return;
    for (let column = first; column <= last; column++) this.copy(column, writer, fill);
  }

  #holder(column: number): CellIndex {
    const before = this.#before;
    if (before === undefined || !this.#cells.isUnchanged(column)) return this.#cells;
    return this.#beforeIsFull || this.#columns.isKey[column]! ? before : this.#cells;
  }
}
