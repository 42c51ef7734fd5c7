import { listAudit } from '../../api/audit.ts';
import { useList } from '../../app/hooks.ts';
import { Card } from '../../ui/page.tsx';
import { AuditEntries } from './entries.tsx';

/** Who did what to one thing. */
export function EntityTrail({ kind, id }: { readonly kind: string; readonly id: string }) {
  const entries = useList(
    `audit of ${kind} ${id}`,
    (cursor, signal) => listAudit({ entity: kind, entity_id: id, cursor, limit: 20 }, { signal }),
    { every: 5000 },
  );
  return (
    <Card title="Who did what" flush>
      <AuditEntries label="Audit entries" entries={entries} filtered={false} withEntity={false} />
    </Card>
  );
}
