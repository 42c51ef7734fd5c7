import type { OperationView } from '#schemas/http/operations.ts';
import { readTables } from '../../api/pairs.ts';
import { useLoaded } from '../../app/hooks.ts';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { progressColumns } from '../../ui/pair-progress.tsx';
import { Table } from '../../ui/table.tsx';
import { isOpen } from './progress.tsx';

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
        columns={progressColumns}
        rowKey={({ source, target }) => `${source} ${target}`}
        error={error}
        loading={loading && data === undefined}
        empty={<Empty title="No table yet">They are listed once the pair has begun.</Empty>}
      />
    </Card>
  );
}
