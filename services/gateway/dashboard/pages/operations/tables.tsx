import type { OperationView } from '#schemas/http/operations.ts';
import type { PairTableView } from '#schemas/http/pairs.ts';
import { readTables } from '../../api/pairs.ts';
import { useLoaded } from '../../app/hooks.ts';
import { count } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { ProgressBar } from '../../ui/progress.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { isOpen } from './progress.tsx';

const columns: readonly Column<PairTableView>[] = [
  {
    title: 'Table',
    cell: ({ source, target }) => (
      <>
        <span class="strong">{target}</span>
        {source === target ? null : <span class="soft ends">from {source}</span>}
      </>
    ),
    sort: ({ target }) => target,
  },
  {
    title: 'State',
    cell: ({ state, error }) => (
      <>
        <Badge state={state} />
        {error === null ? null : <span class="problem-text ends">{`${error.message}. ${error.fix}`}</span>}
      </>
    ),
    sort: ({ state }) => state,
  },
  {
    title: 'Rows copied',
    cell: (table) =>
      table.state === 'loading' ? (
        <ProgressBar
          label={`Rows of ${table.target}`}
          done={table.rows_copied}
          total={table.rows_total}
          rate={table.rows_per_second}
          secondsLeft={table.seconds_left}
        />
      ) : (
        count(table.rows_copied)
      ),
    sort: ({ rows_copied }) => rows_copied,
    number: true,
    wide: true,
  },
  {
    title: 'Changes',
    cell: ({ changes_applied }) => count(changes_applied),
    sort: ({ changes_applied }) => changes_applied,
    number: true,
  },
  {
    title: 'Last change',
    cell: ({ last_change_at }) => <Time at={last_change_at} />,
    sort: ({ last_change_at }) => last_change_at,
  },
];

/** How far each table of the pair is; of an operation that is over, as the tables are now. */
export function OperationTables({ operation }: { readonly operation: OperationView }) {
  const { pair } = operation;
  const running = isOpen(operation);
  const { data, error, loading } = useLoaded(
    `tables of ${pair.id} ${String(running)}`,
    (signal) => readTables(pair.id, { signal }),
    { every: running ? 2000 : 15_000 },
  );
  // What is under way first; the rest as it came.
  const rows = data?.items.toSorted((a, b) => Number(b.state === 'loading') - Number(a.state === 'loading'));
  return (
    <Card title={running ? 'Tables' : 'Tables of the pair, as they are now'} flush>
      <Table
        label={`Tables of ${pair.name}`}
        rows={rows}
        columns={columns}
        rowKey={({ source, target }) => `${source} ${target}`}
        error={error}
        loading={loading && data === undefined}
        empty={<Empty title="No table yet">They are listed once the pair has begun.</Empty>}
      />
    </Card>
  );
}
