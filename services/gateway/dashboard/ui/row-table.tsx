import { useState } from 'preact/hooks';

type Row = Readonly<Record<string, string | null>>;

/** A row as a table: a line for each column, with what was before beside what is. */
export function RowTable({
  label,
  row,
  before,
  titles = { row: 'Value', before: 'Before' },
}: {
  readonly label: string;
  readonly row: Row;
  readonly before: Row | null;
  readonly titles?: { readonly row: string; readonly before: string };
}) {
  const names = [...new Set([...Object.keys(row), ...Object.keys(before ?? {})])];
  return (
    <div class="table-box">
      <table role="table" aria-label={label} class="row-table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">
              Column
            </th>
            {before === null ? null : (
              <th role="columnheader" scope="col">
                {titles.before}
              </th>
            )}
            <th role="columnheader" scope="col">
              {titles.row}
            </th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {names.map((name) => {
            const changed = before !== null && name in before && name in row && before[name] !== row[name];
            return (
              <tr role="row" key={name} class={changed ? 'changed' : ''}>
                <th role="rowheader" scope="row" data-label="Column">
                  {name}
                  {changed ? <span class="sr-only"> (changed)</span> : null}
                </th>
                {before === null ? null : (
                  <td role="cell" data-label={titles.before}>
                    <Cell value={before[name]} />
                  </td>
                )}
                <td role="cell" data-label={titles.row}>
                  <Cell value={row[name]} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Longer values are cut until somebody wants them whole. */
const SHORT = 300;

function Cell({ value }: { readonly value: string | null | undefined }) {
  const [whole, setWhole] = useState(false);
  if (value === undefined) return <span class="soft">not sent</span>;
  if (value === null) return <span class="null">NULL</span>;
  if (value === '') return <span class="soft">empty text</span>;
  if (whole || value.length <= SHORT) return <span class="cell">{value}</span>;
  return (
    <span class="cell">
      {value.slice(0, SHORT)}…{' '}
      <button
        type="button"
        class="link"
        onClick={() => {
          setWhole(true);
        }}
      >
        all {value.length.toLocaleString('en-US')} characters
      </button>
    </span>
  );
}
