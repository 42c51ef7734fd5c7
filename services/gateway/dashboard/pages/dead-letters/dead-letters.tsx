import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import { listDeadLetters } from '../../api/dead-letters.ts';
import { useList } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';
import { place } from '../../app/router.ts';
import { rowText } from '../../format.ts';
import { Empty } from '../../ui/empty.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';

const columns: readonly Column<DeadLetterView>[] = [
  { title: 'When', cell: ({ created_at }) => <Time at={created_at} />, sort: ({ created_at }) => created_at },
  {
    title: 'Pair',
    cell: ({ pair }) => <a href={pathOf('/dashboard/pairs/:pair', { pair: pair.name })}>{pair.name}</a>,
    sort: ({ pair }) => pair.name,
  },
  { title: 'Table', cell: ({ source_table }) => source_table, sort: ({ source_table }) => source_table },
  { title: 'Reason', cell: ({ reason }) => reason, sort: ({ reason }) => reason, wide: true },
  { title: 'Row', cell: ({ row }) => <span class="soft">{rowText(row)}</span>, wide: true },
];

export function DeadLetters() {
  const pair = place.value.query.get('pair') ?? undefined;
  const letters = useList(
    `dead-letters ${pair ?? ''}`,
    (cursor, signal) => listDeadLetters({ pair, state: 'open', cursor }, { signal }),
    { every: 5000 },
  );
  return (
    <>
      <PageHead title="Dead letters" />
      <Card flush>
        <Table
          label="Open dead letters"
          {...letters}
          rows={letters.items}
          columns={columns}
          rowKey={({ id }) => id}
          empty={
            <Empty title="No dead letters are open">
              Every row was accepted. Rows that break a rule, or that the target refuses, are kept here until they are
              mended.
            </Empty>
          }
        />
      </Card>
    </>
  );
}
