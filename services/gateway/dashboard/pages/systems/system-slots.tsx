import type { SystemSlotView } from '#schemas/http/system-slots.ts';
import type { SystemView } from '#schemas/http/systems.ts';
import { dropSlot, listSlots } from '../../api/systems.ts';
import { useList } from '../../app/hooks.ts';
import { bytes, type Tone } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';

const kinds: Readonly<Record<SystemSlotView['kind'], { readonly label: string; readonly tone: Tone }>> = {
  needed: { label: 'needed', tone: 'good' },
  orphan: { label: 'orphan', tone: 'busy' },
  other_installation: { label: 'of another installation', tone: 'calm' },
};

/** Replication slots and publications of ours at a source; what nothing needs can be dropped. */
export function SystemSlots({ system }: { readonly system: SystemView }) {
  const slots = useList(`slots ${system.id}`, (cursor, signal) => listSlots(system.id, cursor, { signal }), {
    every: 15_000,
  });
  const columns: readonly Column<SystemSlotView>[] = [
    {
      title: 'Slot',
      cell: ({ name, publication }) => (
        <>
          <code>{name}</code>
          {publication === null || publication === name ? null : (
            <span class="soft ends">publication {publication}</span>
          )}
        </>
      ),
      sort: ({ name }) => name,
      wide: true,
    },
    {
      title: 'Whose',
      cell: ({ kind }) => <Badge state={kind} {...kinds[kind]} />,
      sort: ({ kind }) => kind,
    },
    { title: 'State', cell: ({ state }) => state ?? 'publication only', sort: ({ state }) => state },
    {
      title: 'Kept for it',
      cell: ({ retained_bytes }) => bytes(retained_bytes),
      sort: ({ retained_bytes }) => retained_bytes,
      number: true,
    },
    {
      title: 'Read by',
      cell: ({ active, active_pid, inactive_since }) =>
        active ? (
          <span>process {active_pid ?? 'unknown'}</span>
        ) : (
          <span class="soft">
            nobody{inactive_since === null ? '' : ' since '}
            {inactive_since === null ? null : <Time at={inactive_since} />}
          </span>
        ),
    },
    {
      title: 'Action',
      cell: (slot) =>
        slot.kind === 'needed' ? (
          <span class="soft">goes with its last pair</span>
        ) : (
          <Action
            label="Drop"
            role="admin"
            kind="danger"
            size="small"
            run={() => dropSlot(system.id, slot).then(slots.reload)}
            done={`${slot.name} is dropped.`}
            confirm={{
              title: `Drop ${slot.name}?`,
              text:
                slot.kind === 'orphan'
                  ? 'Nothing of this installation needs it. What the source keeps for it is gone for good.'
                  : 'Another installation made it. If it still runs, its pairs lose changes and have to be loaded anew: be sure that it is gone for good.',
              name: slot.name,
            }}
          />
        ),
    },
  ];
  return (
    <Card flush>
      <Table
        label="Slots"
        {...slots}
        rows={slots.items}
        columns={columns}
        rowKey={({ name }) => name}
        empty={
          <Empty title="Nothing of ours is at this system">
            A slot is made when the first pair that reads from it is started.
          </Empty>
        }
      />
    </Card>
  );
}
