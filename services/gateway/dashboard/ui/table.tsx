import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiError } from '../app/client.ts';
import { Failure } from './problem.tsx';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** What the column is sorted by; a column without it is not. */
  readonly sort?: (row: Row) => string | number | null;
  /** Figures stand at the right, one under the other. */
  readonly number?: boolean;
  /** Takes the room that the others leave. */
  readonly wide?: boolean;
}

export interface TableProps<Row> {
  /** What the rows are, for who does not see the heading above. */
  readonly label: string;
  /** undefined: not there yet. */
  readonly rows: readonly Row[] | undefined;
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string;
  /** Shown when there is no row. */
  readonly empty: ComponentChildren;
  readonly error?: ApiError | undefined;
  readonly loading?: boolean;
  /** Reads the next page; undefined when all is shown. */
  readonly more?: (() => void) | undefined;
  /** The row that a link points at. */
  readonly marked?: (row: Row) => boolean;
}

interface Sorting {
  readonly column: string;
  readonly down: boolean;
}

/**
 * Rows with sorting by column; the arrow keys go from row to row. On a narrow screen each row is a card of its own. The roles are
 * written out since a table that is not laid out as one is none to screen readers.
 */
export function Table<Row>(props: TableProps<Row>) {
  const { label, rows, columns, rowKey, empty, error, loading = false, more, marked = () => false } = props;
  const [sorting, setSorting] = useState<Sorting | undefined>(undefined);
  const by = columns.find(({ title }) => title === sorting?.column)?.sort;
  const shown = rows === undefined || !by ? rows : sorted(rows, by, sorting?.down === true);
  return (
    <div class="table-box" aria-busy={loading}>
      <Failure error={error} />
      {shown === undefined ? (
        error === undefined ? (
          <p class="soft loading">Loading …</p>
        ) : null
      ) : shown.length === 0 ? (
        empty
      ) : (
        <table role="table" aria-label={label} onKeyDown={moveByRow}>
          <thead role="rowgroup">
            <tr role="row">
              {columns.map((column) => (
                <Head key={column.title} column={column} sorting={sorting} sort={setSorting} />
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {shown.map((row) => (
              <tr role="row" key={rowKey(row)} class={marked(row) ? 'marked' : ''}>
                {columns.map(({ title, cell, number, wide }) => (
                  <td key={title} role="cell" data-label={title} class={classes({ number, wide })}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {more === undefined || shown === undefined || shown.length === 0 ? null : (
        <button type="button" class="load-more" disabled={loading} onClick={more}>
          Load more
        </button>
      )}
    </div>
  );
}

function Head<Row>({
  column,
  sorting,
  sort,
}: {
  readonly column: Column<Row>;
  readonly sorting: Sorting | undefined;
  readonly sort: (sorting: Sorting | undefined) => void;
}) {
  const mine = sorting?.column === column.title ? (sorting.down ? 'descending' : 'ascending') : 'none';
  const shape = classes(column);
  if (!column.sort) {
    return (
      <th role="columnheader" scope="col" class={shape}>
        {column.title}
      </th>
    );
  }
  // Up, down, and back to the order in which the rows came.
  const next = { none: { down: false }, ascending: { down: true }, descending: undefined }[mine];
  return (
    <th role="columnheader" scope="col" class={shape} aria-sort={mine}>
      <button
        type="button"
        class="sort"
        onClick={() => {
          sort(next && { column: column.title, ...next });
        }}
      >
        {column.title}
        <span class="sort-sign" aria-hidden="true">
          {{ none: '', ascending: '↑', descending: '↓' }[mine]}
        </span>
      </button>
    </th>
  );
}

function sorted<Row>(rows: readonly Row[], by: (row: Row) => string | number | null, down: boolean): readonly Row[] {
  return [...rows].sort((left, right) => {
    const [a, b] = [by(left), by(right)];
    // What is not known stands at the end either way.
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
    return down ? -order : order;
  });
}

function moveByRow(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || !(event.target instanceof HTMLElement) || event.target.matches('input, select, textarea'))
    return;
  const row = event.target.closest('tbody tr');
  const rows = [...(row?.parentElement?.children ?? [])];
  const next = rows[rows.findIndex((each) => each === row) + step]?.querySelector<HTMLElement>('a, button');
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function classes({ number, wide }: { readonly number?: boolean | undefined; readonly wide?: boolean | undefined }) {
  return [number ? 'number' : '', wide ? 'wide' : ''].join(' ').trim();
}
