import { place, setQuery } from '../../app/router.ts';
import type { TableDraft } from './draft.ts';
import { draft } from './store.ts';

/** The table of the pair that is being worked on; it is in the address. */
export function currentTable(): TableDraft {
  const { tables } = draft.value;
  const wanted = place.value.query.get('table');
  return tables.find(({ source }) => source === wanted) ?? tables[0]!;
}

export function TableChoice() {
  const { tables } = draft.value;
  const { source } = currentTable();
  if (tables.length === 1) {
    return (
      <p>
        Table <b>{source}</b>
      </p>
    );
  }
  return (
    <label class="table-choice">
      Table
      <select
        value={source}
        onChange={(event) => {
          setQuery({ table: event.currentTarget.value });
        }}
      >
        {tables.map((table) => (
          <option key={table.source} value={table.source}>
            {table.source}
            {table.columns !== undefined || table.where !== '' ? ' · changed' : ''}
            {table.rules.length > 0 ? ` · ${table.rules.length} rules` : ''}
          </option>
        ))}
      </select>
    </label>
  );
}
