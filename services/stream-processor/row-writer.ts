import type { BlockWriter } from '#schemas/block/index.ts';
import type { PlanColumn } from './columns.ts';
import type { RowView } from './row-view.ts';
import type { TablePlan } from './table-plan.ts';

/** Texts of a row's computed cells by target column: undefined is "unchanged". Columns that are copied have no entry. */
export type Texts = (string | null | undefined)[];

/** A run of neighbouring columns that are copied together, or one computed column. */
type Segment =
  | { readonly copy: true; readonly first: number; readonly last: number }
  | { readonly copy: false; readonly column: number };

/** Writes a target row: copied cells straight from the source row's bytes, computed ones from their texts. */
export class RowWriter {
  readonly #columns: readonly PlanColumn[];
  readonly #segments: readonly Segment[];

  constructor(plan: TablePlan) {
    this.#columns = plan.columns;
    this.#segments = segmentsOf(plan);
  }

  /** @param fill whether cells that were not sent are filled from a full row before */
  row(row: RowView, texts: Texts, writer: BlockWriter, fill: boolean): void {
    writer.beginRow(this.#columns.length);
    for (const segment of this.#segments) {
      if (segment.copy) row.copyRange(segment.first, segment.last, writer, fill);
      else writeText(texts[segment.column], writer);
    }
    writer.endRow();
  }

  /** The key's cells; the others are null, as in what a source sends. */
  key(row: RowView, texts: Texts, writer: BlockWriter): void {
    const columns = this.#columns;
    writer.beginRow(columns.length);
    for (const [index, { step, header }] of columns.entries()) {
      if (!header.key) writer.nullCell();
      else if (step.how === 'copy') row.copy(step.source, writer, true);
      else writeText(texts[index], writer);
    }
    writer.endRow();
  }
}

function writeText(text: string | null | undefined, writer: BlockWriter): void {
  if (text === undefined) writer.unchangedCell();
  else if (text === null) writer.nullCell();
  else writer.textCellOf(text);
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
