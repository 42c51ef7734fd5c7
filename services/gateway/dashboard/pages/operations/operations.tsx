import type { OperationView } from '#schemas/http/operations.ts';
import { listOperations } from '../../api/operations.ts';
import { useList } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';
import { place } from '../../app/router.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { OperationProgress } from './progress.tsx';

export const operationColumns: readonly Column<OperationView>[] = [
  {
    title: 'Operation',
    cell: ({ id, type }) => <a href={pathOf('/dashboard/operations/:operation', { operation: id })}>{type}</a>,
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
];

export function Operations() {
  const pair = place.value.query.get('pair') ?? undefined;
  const operations = useList(
    `operations ${pair ?? ''}`,
    (cursor, signal) => listOperations({ pair, cursor }, { signal }),
    { every: 3000 },
  );
  return (
    <>
      <PageHead title="Operations" />
      <Card flush>
        <Table
          label="Operations"
          {...operations}
          rows={operations.items}
          columns={operationColumns}
          rowKey={({ id }) => id}
          empty={
            <Empty title="Nothing has run yet">Starting a pair, or loading its tables anew, is an operation.</Empty>
          }
        />
      </Card>
    </>
  );
}
