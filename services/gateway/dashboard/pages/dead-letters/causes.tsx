import type { DeadLettersSummary } from '#schemas/http/dead-letters.ts';
import { setQuery } from '../../app/router.ts';
import { count } from '../../format.ts';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { causeText } from './why.ts';

type Group = DeadLettersSummary['groups'][number];

const columns: readonly Column<Group>[] = [
  {
    title: 'Cause',
    cell: (group) => (
      <button
        type="button"
        class="link"
        onClick={() => {
          setQuery({
            pair: group.pair.name,
            table: group.source_table,
            rule: group.rule ?? undefined,
            sqlstate: group.sqlstate ?? undefined,
            code: group.rule === null && group.sqlstate === null ? group.code : undefined,
          });
        }}
      >
        {causeText(group)}
      </button>
    ),
    sort: causeText,
    wide: true,
  },
  { title: 'Pair', cell: ({ pair }) => pair.name, sort: ({ pair }) => pair.name },
  { title: 'Table', cell: ({ source_table }) => source_table, sort: ({ source_table }) => source_table },
  { title: 'Letters', cell: (group) => count(group.count), sort: (group) => group.count, number: true },
  { title: 'Last', cell: ({ latest_at }) => <Time at={latest_at} />, sort: ({ latest_at }) => latest_at },
];

/** Many letters often have one cause: then it is mended once, and all of them are replayed. */
export function Causes({ groups }: { readonly groups: readonly Group[] }) {
  return (
    <Card title="Why they are here" flush>
      <Table
        label="Causes of these dead letters"
        rows={groups}
        columns={columns}
        rowKey={({ pair, source_table, rule, code, sqlstate }) =>
          [pair.id, source_table, rule, code, sqlstate].join('\u0000')
        }
        empty={null}
      />
    </Card>
  );
}
