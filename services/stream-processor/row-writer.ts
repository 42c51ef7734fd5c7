import type { BlockWriter } from '#schemas/block/index.ts';
import type { CellIndex } from './cells.ts';
import type { PlanColumn } from './columns.ts';
import type { RowView } from './row-view.ts';
import type { TablePlan } from './table-plan.ts';
import type { CelValue } from './values.ts';

/**
 * What a row's computed cells are made of, by target column: the text, or the value where the column takes that in binary; undefined is "unchanged". Columns
 * that are copied have no entry.
 */
export type Made = (CelValue | undefined)[];

/** A run of neighbouring columns that are copied together, or one computed column. */
type Segment =
  | { readonly copy: true; readonly first: number; readonly last: number }
  | { readonly copy: false; readonly column: number };

/** Writes a target row: copied cells straight from the source row's bytes, computed ones from what they are made of. */
export class RowWriter {
  readonly #columns: readonly PlanColumn[];
  readonly #segments: readonly Segment[];
  #value = Buffer.allocUnsafe(64);

  constructor(plan: TablePlan) {
    this.#columns = plan.columns;
    this.#segments = segmentsOf(plan);
  }

  /** @param fill whether cells that were not sent are filled from a full row before */
  row(row: RowView, made: Made, writer: BlockWriter, fill: boolean): void {
    const cells = row.inOnePiece;
    if (cells !== undefined && this.#isWhole(made)) {
      this.#image(cells, made, writer);
      return;
    }
    writer.beginRow(this.#columns.length);
    for (const segment of this.#segments) {
      if (!segment.copy) this.#cell(segment.column, made, writer);
      else if (cells === undefined) row.copyRange(segment.first, segment.last, writer, fill);
      else for (let column = segment.first; column <= segment.last; column++) row.copy(column, writer, fill);
    }
    writer.endRow();
  }

  /** The key's cells; the others are null, as in what a source sends. */
  key(row: RowView, made: Made, writer: BlockWriter): void {
    const columns = this.#columns;
    writer.beginRow(columns.length);
    for (const [index, { step, header }] of columns.entries()) {
      if (!header.key) writer.nullCell();
      else if (step.how === 'copy') row.copy(step.source, writer, true);
      else this.#cell(index, made, writer);
    }
    writer.endRow();
  }

  /** Whether no computed cell is unchanged. */
  #isWhole(made: Made): boolean {
    for (const segment of this.#segments) if (!segment.copy && made[segment.column] === undefined) return false;
    return true;
  }

  /** As COPY takes it, like the row that it is made of. */
  #image(cells: CellIndex, made: Made, writer: BlockWriter): void {
    let room = 2;
    for (const segment of this.#segments) {
      room += segment.copy ? cells.rangeLength(segment.first, segment.last) : this.#room(segment.column, made);
    }
    const start = writer.beginImage(room, room);
    const { buffer, view } = writer;
    const { length } = this.#columns;
    let pos = start;
    buffer[pos++] = length >>> 8;
    buffer[pos++] = length;
    for (const segment of this.#segments) {
      if (segment.copy) {
        pos = cells.putRange(segment.first, segment.last, buffer, view, pos);
        continue;
      }
      const value = made[segment.column] ?? null;
      if (value === null) {
        view.setInt32(pos, -1);
        pos += 4;
        continue;
      }
      const end = this.#columns[segment.column]!.form!.put(value, buffer, pos + 4);
      view.setInt32(pos, end - pos - 4);
      pos = end;
    }
    writer.endImage(start, pos);
  }

  #room(column: number, made: Made): number {
    const value = made[column] ?? null;
    return value === null ? 4 : 4 + this.#columns[column]!.form!.room(value);
  }

  #cell(column: number, made: Made, writer: BlockWriter): void {
    const value = made[column];
    const { form } = this.#columns[column]!;
    if (value === undefined) writer.unchangedCell();
    else if (value === null) writer.nullCell();
    else if (form === undefined || form.isText) writer.textCellOf(value as string);
    else {
      const room = form.room(value);
      if (room > this.#value.length) this.#value = Buffer.allocUnsafe(room);
      writer.bytesCell(this.#value, 0, form.put(value, this.#value, 0));
    }
  }
}

function segmentsOf({ columns }: TablePlan): Segment[] {
  const segments: Segment[] = [];
  for (const [column, { step }] of columns.entries()) {
    if (step.how === 'value') {
      segments.push({ copy: false, column });
      continue;
    }
    const last = segments.at(-1);
    if (last?.copy && last.last === step.source - 1) segments[segments.length - 1] = { ...last, last: step.source };
    else segments.push({ copy: true, first: step.source, last: step.source });
  }
  return segments;
}
