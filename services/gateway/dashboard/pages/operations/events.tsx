import type { JobEvent } from '#schemas/http/jobs.ts';
import type { OperationView } from '#schemas/http/operations.ts';
import { listOperationEvents } from '../../api/operations.ts';
import { useList } from '../../app/hooks.ts';
import { withQuery } from '../../app/paths.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { actionText } from '../audit/words.ts';

const columns: readonly Column<JobEvent>[] = [
  { title: 'When', cell: ({ at }) => <Time at={at} /> },
  { title: 'Who', cell: ({ actor }) => actor },
  { title: 'What', cell: ({ action }) => actionText(action), wide: true },
  { title: 'Outcome', cell: ({ outcome }) => <Badge state={outcome} /> },
];

/** The audit trail of the operation, and of its pair while it ran. */
export function OperationEvents({ operation: { id } }: { readonly operation: OperationView }) {
  const events = useList(`events of ${id}`, (cursor, signal) => listOperationEvents(id, cursor, { signal }), {
    every: 5000,
  });
  return (
    <Card
      title="What happened"
      flush
      actions={<a href={withQuery('/dashboard/audit', { entity_id: id })}>In the audit trail</a>}
    >
      <Table
        label="Audit entries of this operation"
        {...events}
        rows={events.items}
        columns={columns}
        rowKey={({ at, action }) => `${at} ${action}`}
        empty={<Empty title="Nothing is noted about it" />}
      />
    </Card>
  );
}
