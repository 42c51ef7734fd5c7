import { useState } from 'preact/hooks';
import type { AuditView } from '#schemas/http/audit.ts';
import type { Listed } from '../../app/hooks.ts';
import { withQuery } from '../../app/paths.ts';
import { absoluteIn } from '../../format.ts';
import { timeZone, zoneName } from '../../app/time-zone.ts';
import { Badge } from '../../ui/badge.tsx';
import { Diff } from '../../ui/diff.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Figure } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { Entity } from './entity.tsx';
import { actionText } from './words.ts';

/** Entries of the trail; each opens with what was and what is. */
export function AuditEntries({
  label,
  entries,
  filtered,
  withEntity = true,
}: {
  readonly label: string;
  readonly entries: Listed<AuditView>;
  readonly filtered: boolean;
  readonly withEntity?: boolean;
}) {
  const [opened, open] = useState<AuditView | undefined>(undefined);
  const columns: readonly Column<AuditView>[] = [
    { title: 'When', cell: ({ at }) => <Time at={at} /> },
    { title: 'Who', cell: ({ actor }) => actor },
    {
      title: 'What',
      cell: (entry) => (
        <button
          type="button"
          class="link"
          onClick={() => {
            open(entry);
          }}
        >
          {actionText(entry.action)}
        </button>
      ),
      wide: true,
    },
    ...(withEntity
      ? [
          {
            title: 'About',
            cell: ({ entity, entity_id }: AuditView) => <Entity kind={entity} id={entity_id} />,
            wide: true,
          },
        ]
      : []),
    { title: 'Outcome', cell: ({ outcome }) => <Badge state={outcome} /> },
  ];
  return (
    <>
      <Table
        label={label}
        {...entries}
        rows={entries.items}
        columns={columns}
        rowKey={({ seq }) => seq}
        empty={
          filtered ? (
            <Empty title="No entry is like this">Take a filter away, or choose a longer time.</Empty>
          ) : (
            <Empty title="Nothing is noted yet">
              Whatever is changed here, and whatever happens, stands here with its time.
            </Empty>
          )
        }
      />
      {opened === undefined ? null : (
        <Entry
          entry={opened}
          onClose={() => {
            open(undefined);
          }}
        />
      )}
    </>
  );
}

function Entry({ entry, onClose }: { readonly entry: AuditView; readonly onClose: () => void }) {
  const { seq, at, actor, action, entity, entity_id, outcome, request_id, before, after, hash } = entry;
  return (
    <Dialog title={actionText(action)} onClose={onClose} wide>
      <div class="dialog-text">
        <dl class="figures">
          <Figure label="When" value={absoluteIn(at, zoneName(timeZone.value))} />
          <Figure label="Who" value={actor} />
          <Figure label="Action" value={<code>{action}</code>} />
          <Figure label="About" value={<Entity kind={entity} id={entity_id} />} />
          <Figure label="Outcome" value={<Badge state={outcome} />} />
          <Figure label="Entry" value={seq} />
        </dl>
        <Diff before={before} after={after} />
        <p class="notice-facts">
          {request_id === null ? null : (
            <>
              Request{' '}
              <a
                href={withQuery('/dashboard/audit', { text: request_id })}
                title="All that this request has done"
                onClick={onClose}
              >
                <code>{request_id}</code>
              </a>
              <br />
            </>
          )}
          Hash <code class="hash">{hash}</code>
        </p>
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Close
          </button>
        </div>
      </div>
    </Dialog>
  );
}
