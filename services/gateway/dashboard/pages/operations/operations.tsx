import { useState } from 'preact/hooks';
import { operationWords } from '../../format.ts';
import { listOperations, operationsCsvPath, type OperationFilter } from '../../api/operations.ts';
import { useList } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';
import { place } from '../../app/router.ts';
import { may } from '../../app/session.ts';
import { duration, words } from '../../format.ts';
import type { OperationState, OperationType, OperationView } from '#schemas/http/operations.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import {
  filterKey,
  Filters,
  PairFilter,
  SelectFilter,
  TIME_FILTERS,
  TimeFilter,
  timeQuery,
} from '../../ui/filters.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { OperationProgress } from './progress.tsx';
import { StartOperation } from './start.tsx';

export const operationColumns: readonly Column<OperationView>[] = [
  {
    title: 'Operation',
    cell: ({ id, type }) => (
      <a href={pathOf('/dashboard/operations/:operation', { operation: id })}>{operationWords[type]}</a>
    ),
    sort: ({ type }) => type,
  },
  {
    title: 'Pair',
    cell: ({ pair }) => <a href={pathOf('/dashboard/pairs/:pair', { pair: pair.name })}>{pair.name}</a>,
    sort: ({ pair }) => pair.name,
  },
  { title: 'State', cell: ({ state }) => <Badge state={state} />, sort: ({ state }) => state },
  { title: 'Progress', cell: (operation) => <OperationProgress operation={operation} />, wide: true },
  { title: 'Asked by', cell: ({ started_by }) => started_by, sort: ({ started_by }) => started_by },
  {
    title: 'Begun',
    cell: ({ started_at, created_at }) => <Time at={started_at ?? created_at} />,
    sort: ({ started_at, created_at }) => started_at ?? created_at,
  },
  { title: 'Took', cell: (operation) => duration(took(operation)), sort: took, number: true },
];

const types: readonly OperationType[] = ['full', 'incremental', 'resync', 'verify'];
const states: readonly OperationState[] = [
  'pending',
  'running',
  'stopping',
  'stopped',
  'completed',
  'failed',
  'cancelled',
];
const filters = ['pair', 'type', 'state', ...TIME_FILTERS];

/** In seconds; of one that has not ended, nothing yet. */
function took({ started_at, finished_at }: OperationView): number | null {
  return started_at === null || finished_at === null ? null : (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
}

/** What has run and what runs, the latest first. */
export function Operations() {
  const { query } = place.value;
  const [starting, setStarting] = useState(false);
  const given = (name: string) => query.get(name) ?? undefined;
  const chosen = (): OperationFilter => ({
    pair: given('pair'),
    type: given('type') as OperationType | undefined,
    state: given('state') as OperationState | undefined,
    ...timeQuery(query),
  });
  const operations = useList(
    `operations ${filterKey(query, filters)}`,
    (cursor, signal) => listOperations({ ...chosen(), cursor }, { signal }),
    { every: 3000 },
  );
  const filtered = filters.some((name) => query.has(name));
  return (
    <>
      <PageHead title="Operations">
        <a class="button" href={operationsCsvPath(chosen())} download="operations.csv">
          Export CSV
        </a>
        {may('operator') ? (
          <button
            type="button"
            class="main"
            onClick={() => {
              setStarting(true);
            }}
          >
            Start an operation
          </button>
        ) : null}
      </PageHead>
      <Card flush>
        <Filters names={filters}>
          <PairFilter />
          <SelectFilter
            name="type"
            label="Type"
            every="Every type"
            options={types.map((value) => ({ value, label: operationWords[value] }))}
          />
          <SelectFilter
            name="state"
            label="State"
            every="Every state"
            options={states.map((value) => ({ value, label: words(value) }))}
          />
          <TimeFilter />
        </Filters>
        <Table
          label="Operations"
          {...operations}
          rows={operations.items}
          columns={operationColumns}
          rowKey={({ id }) => id}
          empty={
            filtered ? (
              <Empty title="No operation is like this">Take a filter away, or choose a longer time.</Empty>
            ) : (
              <Empty title="Nothing has run yet" action={<a href="/dashboard/pairs">To the pairs</a>}>
                Starting a pair, or loading its tables anew, is an operation.
              </Empty>
            )
          }
        />
      </Card>
      {starting ? (
        <StartOperation
          pair={given('pair')}
          onClose={() => {
            setStarting(false);
          }}
        />
      ) : null}
    </>
  );
}
