import type { OperationView } from '#schemas/http/operations.ts';
import { readTables } from '../../api/pairs.ts';
import { useList } from '../../app/hooks.ts';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { progressColumns } from '../../ui/pair-progress.tsx';
import { Table } from '../../ui/table.tsx';
import { isOpen } from './progress.tsx';

/** Tables that are read at once: what is under way should be seen first, wherever in the list it is. */
const AT_ONCE = 1000;

/** How far each table of the pair is; of an operation that is over, as the tables are now. */
export function OperationTables({ operation }: { readonly operation: OperationView }) {
  const { pair } = operation;
  const running = isOpen(operation);
  const { items, error, loading, more } = useList(
    `tables of ${pair.id} ${String(running)}`,
    (cursor, signal) => readTables(pair.id, { cursor, limit: AT_ONCE }, { signal }),
    { every: running ? 2000 : 15_000 },
  );
  // What is under way first; the rest as it came.
  const rows = items?.toSorted((a, b) => Number(b.state === 'loading') - Number(a.state === 'loading'));
  return (
    <Card title={running ? 'Tables' : 'Tables of the pair, as they are now'} flush>
      <Table
        label={`Tables of ${pair.name}`}
        rows={rows}
        columns={progressColumns}
        rowKey={({ source, target }) => `${source} ${target}`}
        error={error}
        loading={loading && items === undefined}
        more={more}
        empty={<Empty title="No table yet">They are listed once the pair has begun.</Empty>}
      />
    </Card>
  );
}
