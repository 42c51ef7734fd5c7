import { useState } from 'preact/hooks';
import { diffOf, type DiffLine } from '../app/diff.ts';

const signs = { same: ' ', changed: '~', added: '+', removed: '−' } as const;
const told = { same: 'unchanged', changed: 'changed', added: 'added', removed: 'removed' } as const;

/** What was and what is, value by value. What has not changed is left out until somebody wants it. */
export function Diff({ before, after }: { readonly before: unknown; readonly after: unknown }) {
  const [all, setAll] = useState(false);
  const lines = diffOf(before, after);
  const changed = lines.filter(({ kind }) => kind !== 'same');
  const same = lines.length - changed.length;
  const shown = all || changed.length === 0 ? lines : changed;
  if (lines.length === 0) return <p class="soft">Nothing was noted beside the fact itself.</p>;
  return (
    <>
      <div class="table-box">
        <table role="table" aria-label="Before and after" class="diff">
          <thead role="rowgroup">
            <tr role="row">
              {['What', 'Before', 'After'].map((title) => (
                <th key={title} role="columnheader" scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {shown.map((line) => (
              <Line key={line.path} line={line} />
            ))}
          </tbody>
        </table>
      </div>
      {same === 0 || changed.length === 0 ? null : (
        <button
          type="button"
          class="link"
          onClick={() => {
            setAll(!all);
          }}
        >
          {all ? 'Only what has changed' : `Also the ${same} that ${same === 1 ? 'is' : 'are'} unchanged`}
        </button>
      )}
    </>
  );
}

function Line({ line: { path, before, after, kind } }: { readonly line: DiffLine }) {
  return (
    <tr role="row" class={`diff-${kind}`}>
      <th role="rowheader" scope="row" data-label="What">
        <span class="diff-sign" aria-hidden="true">
          {signs[kind]}
        </span>
        <span class="sr-only">{told[kind]}: </span>
        {path === '' ? 'value' : path}
      </th>
      <td role="cell" data-label="Before">
        {before === undefined ? <span class="soft">–</span> : <span class="cell">{before}</span>}
      </td>
      <td role="cell" data-label="After">
        {after === undefined ? <span class="soft">–</span> : <span class="cell">{after}</span>}
      </td>
    </tr>
  );
}
