import { useState } from 'preact/hooks';
import type { SystemTableView } from '#schemas/http/system-tables.ts';
import { listSystemTables } from '../../api/new-pair.ts';
import { useList, useLoaded } from '../../app/hooks.ts';
import { place } from '../../app/router.ts';
import { bytes, count, counted } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Filters, SelectFilter, TextFilter } from '../../ui/filters.tsx';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { toastFailure } from '../../ui/toast.tsx';
import { newTable } from './draft.ts';
import { change, draft } from './store.ts';
import { StepButtons } from './wizard.tsx';

/** What keeps it out of a pair; advice does not. */
const refused = ({ warnings }: SystemTableView): boolean => warnings.some(({ required }) => required);

function take(tables: readonly string[]): void {
  const known = new Set(draft.value.tables.map(({ source }) => source));
  change({ tables: [...draft.value.tables, ...tables.filter((table) => !known.has(table)).map(newTable)] });
}

function leave(tables: readonly string[]): void {
  const gone = new Set(tables);
  change({ tables: draft.value.tables.filter(({ source }) => !gone.has(source)) });
}

const filters = ['text', 'schema'];

export function TablesStep() {
  const { source, tables: chosen } = draft.value;
  const { query } = place.value;
  const [text, schema] = filters.map((name) => query.get(name) ?? '');
  const list = useList(`tables of ${source} ${text} ${schema}`, (cursor, signal) =>
    listSystemTables(source, { text, schema, cursor, limit: 100 }, { signal }),
  );
  const schemas = useLoaded(`schemas of ${source}`, (signal) => listSystemTables(source, { limit: 1 }, { signal }));
  const taken = new Set(chosen.map(({ source }) => source));
  const columns: readonly Column<SystemTableView>[] = [
    {
      title: 'Table',
      cell: (table) => (
        <label class="check">
          <input
            type="checkbox"
            checked={taken.has(table.table)}
            disabled={refused(table) && !taken.has(table.table)}
            onChange={(event) => {
              (event.currentTarget.checked ? take : leave)([table.table]);
            }}
          />
          <span class="strong">{table.table}</span>
        </label>
      ),
      sort: ({ table }) => table,
    },
    { title: 'Key', cell: ({ key }) => (key.length === 0 ? <span class="soft">none</span> : key.join(', ')) },
    {
      title: 'Columns',
      cell: ({ columns }) => count(columns.length),
      sort: ({ columns }) => columns.length,
      number: true,
    },
    {
      title: 'About rows',
      cell: ({ estimated_rows }) => count(estimated_rows),
      sort: ({ estimated_rows }) => estimated_rows,
      number: true,
    },
    { title: 'Size', cell: (table) => bytes(table.bytes), sort: (table) => table.bytes, number: true },
    { title: 'Worth knowing', cell: (table) => <Warnings table={table} />, wide: true },
  ];
  return (
    <>
      <Card flush>
        <Filters names={filters} told={`${counted(chosen.length, 'table')} chosen`}>
          <TextFilter name="text" label="Search tables" placeholder="Part of a name" />
          <SelectFilter
            name="schema"
            label="Schema"
            every="Every schema"
            options={(schemas.data?.schemas ?? []).map(({ name, tables }) => ({
              value: name,
              label: `${name} (${counted(tables, 'table')})`,
            }))}
          />
          <SelectAll source={source} text={text ?? ''} schema={schema ?? ''} />
        </Filters>
        <Table
          label={`Tables of ${source}`}
          {...list}
          rows={list.items}
          columns={columns}
          rowKey={({ table }) => table}
          empty={<Empty title="No table is like this">Other names or another schema show more.</Empty>}
        />
      </Card>
      <StepButtons next="mapping" disabled={chosen.length === 0} />
    </>
  );
}

function Warnings({ table }: { readonly table: SystemTableView }) {
  if (table.warnings.length === 0) return <span class="soft">–</span>;
  return (
    <ul class="findings">
      {table.warnings.map(({ name, message, fix, required }) => (
        <li key={name}>
          <Badge
            state={required ? 'failed' : 'advice'}
            tone={required ? 'bad' : 'busy'}
            label={required ? 'not possible' : 'advice'}
          />{' '}
          {message}
          {fix === undefined ? null : <span class="soft"> {fix}</span>}
        </li>
      ))}
    </ul>
  );
}

/** All that the filter shows, also what is not on the screen yet. */
function SelectAll({
  source,
  text,
  schema,
}: {
  readonly source: string;
  readonly text: string;
  readonly schema: string;
}) {
  const [busy, setBusy] = useState(false);
  const all = async (): Promise<void> => {
    setBusy(true);
    try {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await listSystemTables(source, { text, schema, cursor, limit: 200 });
        found.push(...page.items.filter((table) => !refused(table)).map(({ table }) => table));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      take(found);
    } catch (error) {
      toastFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" disabled={busy} aria-busy={busy} onClick={() => void all()}>
        Select all{schema === '' ? '' : ` of ${schema}`}
      </button>
      <button
        type="button"
        disabled={draft.value.tables.length === 0}
        onClick={() => {
          change({ tables: [] });
        }}
      >
        None
      </button>
    </>
  );
}
