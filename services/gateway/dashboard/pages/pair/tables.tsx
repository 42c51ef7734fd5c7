import { useState } from 'preact/hooks';
import type { PairTableView, PairView } from '#schemas/http/pairs.ts';
import { changePair, resyncPair } from '../../api/pairs.ts';
import { asApi } from '../../app/hooks.ts';
import type { ApiError } from '../../app/client.ts';
import { may } from '../../app/session.ts';
import { words } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Empty } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { SearchField } from '../../ui/filters.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { progressColumns } from '../../ui/pair-progress.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { toast } from '../../ui/toast.tsx';
import type { PairTabProps } from './pair.tsx';

const shown: readonly Column<PairTableView>[] = [
  ...progressColumns,
  {
    title: 'Schema',
    cell: ({ schema_version }) => <span class="soft">v{schema_version}</span>,
    sort: ({ schema_version }) => schema_version,
  },
];

/** Every table with how far it is, and what can be done with it alone. */
export function TablesTab({ pair, view, reload }: PairTabProps) {
  const [wanted, setWanted] = useState('');
  const [adding, setAdding] = useState(false);
  const tables = view?.tables.filter(({ source, target }) =>
    `${source} ${target}`.toLowerCase().includes(wanted.toLowerCase()),
  );
  const states = Map.groupBy(view?.tables ?? [], ({ state }) => state);
  const columns: readonly Column<PairTableView>[] = may('operator')
    ? [
        ...shown,
        {
          title: 'Actions',
          cell: (table) => (view === undefined ? null : <TableActions view={view} table={table} reload={reload} />),
        },
      ]
    : shown;
  return (
    <Card flush>
      <div class="filters">
        <SearchField label="Search tables" placeholder="Name of a table" value={wanted} onInput={setWanted} />
        {view?.definition.tables && may('editor') ? (
          <button
            type="button"
            onClick={() => {
              setAdding(true);
            }}
          >
            Add a table
          </button>
        ) : null}
        <span class="soft">{[...states].map(([state, some]) => `${some.length} ${words(state)}`).join(' · ')}</span>
      </div>
      <Table
        label={`Tables of ${pair.name}`}
        rows={tables}
        columns={columns}
        rowKey={({ source, target }) => `${source} ${target}`}
        empty={
          wanted === '' ? (
            <Empty title="No table yet">They are listed once the pair has begun.</Empty>
          ) : (
            <Empty title="No table is named like this" />
          )
        }
      />
      {adding && view !== undefined ? (
        <AddTable
          view={view}
          onClose={() => {
            setAdding(false);
          }}
          reload={reload}
        />
      ) : null}
    </Card>
  );
}

function TableActions({
  view,
  table,
  reload,
}: {
  readonly view: PairView;
  readonly table: PairTableView;
  readonly reload: () => void;
}) {
  if (table.state === 'removed') return null;
  const listed = view.definition.tables;
  return (
    <span class="actions">
      <Action
        label="Resync"
        role="operator"
        size="small"
        run={() => resyncPair(view.id, [table.source]).then(reload)}
        done={`${table.source} is being loaded anew, beside the stream.`}
        confirm={{
          title: `Load ${table.target} anew?`,
          text: `The rows of ${table.source} are taken from the source again and replace those at the target. The pair streams on; this table lags behind until it has caught up.`,
        }}
      />
      {listed === null || listed.length < 2 ? null : (
        <Action
          label="Remove"
          role="editor"
          size="small"
          kind="danger"
          run={() =>
            changePair(view.id, { tables: listed.filter(({ source }) => source !== table.source) }).then(reload)
          }
          done={`${table.source} is no part of the pair any more.`}
          confirm={{
            title: `Take ${table.source} out of the pair?`,
            text: `${table.target} is not kept in step any more. Its rows stay at the target.`,
            name: table.source,
          }}
        />
      )}
    </span>
  );
}

function AddTable({
  view,
  onClose,
  reload,
}: {
  readonly view: PairView;
  readonly onClose: () => void;
  readonly reload: () => void;
}) {
  const [source, setSource] = useState('');
  const [target, setTarget] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const listed = view.definition.tables ?? [];
  const path = `tables[${listed.length}]`;
  return (
    <Dialog title="Add a table" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          const added = { source: source.trim(), ...(target.trim() === '' ? {} : { target: target.trim() }) };
          changePair(view.id, { tables: [...listed, added] })
            .then(
              () => {
                toast(`${added.source} is being loaded, beside the stream.`);
                reload();
                onClose();
              },
              (failed: unknown) => {
                setError(asApi(failed));
              },
            )
            .finally(() => {
              setBusy(false);
            });
        }}
      >
        <TextField
          label="Source table"
          help="schema.table, upper and lower case as the source has it."
          placeholder="pacs.property"
          required
          spellcheck={false}
          value={source}
          onInput={setSource}
          problem={error?.fields.get(`${path}.source`)}
        />
        <TextField
          label="Target table"
          help="The same name when left empty. Every column is taken; the mapping can be changed afterwards."
          spellcheck={false}
          value={target}
          onInput={setTarget}
          problem={error?.fields.get(`${path}.target`)}
        />
        <Failure error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="main" disabled={busy || source.trim() === ''} aria-busy={busy}>
            Check and add
          </button>
        </div>
      </form>
    </Dialog>
  );
}
