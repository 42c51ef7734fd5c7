import { useState } from 'preact/hooks';
import type { RuleInput, TransformInput } from '#schemas/pairs.ts';
import { pathOf } from '../../app/paths.ts';
import { may } from '../../app/session.ts';
import { Empty } from '../../ui/empty.tsx';
import { SearchField } from '../../ui/filters.tsx';
import { Card } from '../../ui/page.tsx';
import type { StoredTable } from '../new-pair/draft.ts';
import { EditMapping } from './edit-mapping.tsx';
import type { PairTabProps } from './pair.tsx';

interface GivenColumn {
  readonly from?: string;
  readonly concat?: readonly string[];
  readonly separator?: string;
  readonly compute?: string;
  readonly transforms?: readonly TransformInput[];
  readonly type?: string | undefined;
}

/** What becomes of each column on its way, in words. */
export function MappingTab({ pair, view, reload }: PairTabProps) {
  const [wanted, setWanted] = useState('');
  const [editing, setEditing] = useState(false);
  if (view === undefined) return <p class="soft loading">Loading …</p>;
  const tables = view.definition.tables as readonly StoredTable[] | null;
  if (tables === null) {
    return (
      <Card>
        <Empty
          title="Every table of the source, as it is"
          action={<a href={pathOf('/dashboard/pairs/:pair/tables', { pair: pair.name })}>To the tables</a>}
        >
          The pair takes every table of the source's schemas under the same name, with all columns, and follows tables
          that are made later if its settings say so.
        </Empty>
      </Card>
    );
  }
  if (editing) {
    return (
      <EditMapping
        view={view}
        reload={reload}
        onClose={() => {
          setEditing(false);
        }}
      />
    );
  }
  const shown = tables.filter((table) => JSON.stringify(table).toLowerCase().includes(wanted.toLowerCase()));
  return (
    <>
      <div class="filters bare">
        {may('editor') ? (
          <button
            type="button"
            onClick={() => {
              setEditing(true);
            }}
          >
            Edit mapping and rules
          </button>
        ) : null}
        {tables.length < 4 ? null : (
          <SearchField
            label="Search the mapping"
            placeholder="A table, column or expression"
            value={wanted}
            onInput={setWanted}
          />
        )}
        {tables.length < 4 ? null : (
          <span class="soft">
            {shown.length} of {tables.length} tables
          </span>
        )}
      </div>
      {shown.length === 0 ? <Empty title="Nothing in the mapping is like this" /> : null}
      {shown.map((table) => (
        <TableMapping key={table.source} table={table} />
      ))}
    </>
  );
}

function TableMapping({ table }: { readonly table: StoredTable }) {
  const { source, target = source, columns = 'same', exclude = [], where, rules = [] } = table;
  return (
    <Card title={source === target ? target : `${target} ← ${source}`} flush>
      <div class="mapping-facts">
        {where === undefined ? null : (
          <p>
            Only rows for which <code>{where}</code>
          </p>
        )}
        {columns === 'same' ? (
          <p>
            Every column under its own name
            {exclude.length === 0 ? '' : `, without ${exclude.join(', ')}`}
          </p>
        ) : null}
      </div>
      {columns === 'same' ? null : <Columns columns={columns} />}
      {rules.length === 0 ? null : <Rules rules={rules} />}
    </Card>
  );
}

function Columns({ columns }: { readonly columns: Readonly<Record<string, GivenColumn>> }) {
  const typed = Object.values(columns).some(({ type }) => type !== undefined);
  return (
    <table role="table" aria-label="Columns">
      <thead role="rowgroup">
        <tr role="row">
          {['Target column', 'Comes from', 'Then', ...(typed ? ['Type'] : [])].map((title) => (
            <th key={title} role="columnheader" scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {Object.entries(columns).map(([name, column]) => (
          <tr role="row" key={name}>
            <td role="cell" data-label="Target column" class="strong">
              {name}
            </td>
            <td role="cell" data-label="Comes from" class="wide">
              <Origin column={column} />
            </td>
            <td role="cell" data-label="Then" class="wide soft">
              {(column.transforms ?? []).map(transformText).join(', then ')}
            </td>
            {typed ? (
              <td role="cell" data-label="Type" class="soft">
                {column.type ?? '–'}
              </td>
            ) : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Origin({ column: { from, concat, separator = ' ', compute } }: { readonly column: GivenColumn }) {
  if (from !== undefined) return <span>{from}</span>;
  if (compute !== undefined) return <code>{compute}</code>;
  return (
    <span>
      {(concat ?? []).join(' + ')}
      <span class="soft"> joined by {JSON.stringify(separator)}</span>
    </span>
  );
}

/** "trim", "pad left to 10 with “0”". */
function transformText(transform: TransformInput): string {
  if (typeof transform === 'string') return transform.replaceAll('_', ' ');
  const [[name, given] = ['', '']] = Object.entries(transform) as [string, unknown][];
  const words = name.replaceAll('_', ' ');
  if (typeof given !== 'object' || given === null) return `${words} ${JSON.stringify(given)}`;
  const parts = (Object.entries(given) as [string, unknown][]).map(([key, value]) =>
    typeof value === 'object' && value !== null
      ? `${Object.keys(value).length} ${key}`
      : `${key.replaceAll('_', ' ')} ${JSON.stringify(value)}`,
  );
  return `${words} (${parts.join(', ')})`;
}

const consequences: Readonly<Record<NonNullable<RuleInput['on_failure']>, string>> = {
  quarantine: 'set aside as a dead letter',
  warn: 'counted and written all the same',
  halt: 'the pair stops',
};

function Rules({ rules }: { readonly rules: readonly RuleInput[] }) {
  return (
    <div class="mapping-rules">
      <h3>Rules</h3>
      <ul class="findings">
        {rules.map(({ name, check, on_failure }) => (
          <li key={name}>
            <span class="strong">{name}</span>: <code>{check}</code>{' '}
            <span class="soft">
              else {on_failure === undefined ? "as the pair's settings say" : consequences[on_failure]}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
