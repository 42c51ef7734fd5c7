import type { AuditView } from '#schemas/http/audit.ts';
import { listAudit } from '../../api/audit.ts';
import { listOperations } from '../../api/operations.ts';
import { useList } from '../../app/hooks.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { operationColumns } from '../operations/operations.tsx';
import type { PairTabProps } from './pair.tsx';

const ofOnePair = operationColumns.filter(({ title }) => title !== 'Pair');

const auditColumns: readonly Column<AuditView>[] = [
  { title: 'When', cell: ({ at }) => <Time at={at} /> },
  { title: 'Who', cell: ({ actor }) => actor },
  { title: 'What', cell: ({ action }) => <code>{action}</code> },
  { title: 'Outcome', cell: ({ outcome }) => <Badge state={outcome} /> },
  { title: 'Now', cell: ({ after }) => <span class="soft">{short(after)}</span>, wide: true },
];

const LONGEST = 160;

function short(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** What has run for this pair, and who did what to it. */
export function HistoryTab({ pair }: PairTabProps) {
  const operations = useList(
    `operations of ${pair.id}`,
    (cursor, signal) => listOperations({ pair: pair.id, cursor, limit: 20 }, { signal }),
    { every: 5000 },
  );
  const entries = useList(
    `audit of ${pair.id}`,
    (cursor, signal) => listAudit({ entity: 'sync_pair', entity_id: pair.id, cursor, limit: 20 }, { signal }),
    { every: 10_000 },
  );
  return (
    <>
      <Card title="Operations" flush>
        <Table
          label={`Operations of ${pair.name}`}
          {...operations}
          rows={operations.items}
          columns={ofOnePair}
          rowKey={({ id }) => id}
          empty={<Empty title="Nothing has run yet">Start the pair: its first load is its first operation.</Empty>}
        />
      </Card>
      <Card title="Who did what" flush>
        <Table
          label={`Audit of ${pair.name}`}
          {...entries}
          rows={entries.items}
          columns={auditColumns}
          rowKey={({ seq }) => seq}
          empty={<Empty title="Nobody has changed it" />}
        />
      </Card>
    </>
  );
}
