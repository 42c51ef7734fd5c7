import type { HealingActionView } from '#schemas/http/self-healing.ts';
import { readSelfHealing, switchSelfHealing } from '../../api/self-healing.ts';
import { useLoaded } from '../../app/hooks.ts';
import { count } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { actionName, sorted, switchState, whyText } from './healing.ts';

const columnsOf = (reload: () => void): readonly Column<HealingActionView>[] => [
  {
    title: 'Action',
    cell: (action) => (
      <>
        {actionName(action)}
        <span class="soft ends">{action.what}</span>
        <span class="soft ends">{action.when}</span>
      </>
    ),
    sort: ({ action }) => action,
    wide: true,
  },
  {
    title: 'State',
    cell: (action) => {
      const { label, tone } = switchState(action);
      const { switched_at: at, switched_by: by, enabled } = action;
      return (
        <>
          <Badge state={label} label={label} tone={tone} />
          {at === null || enabled ? null : (
            <span class="soft ends">
              by {by}, <Time at={at} />
            </span>
          )}
        </>
      );
    },
    sort: ({ enabled }) => String(enabled),
  },
  {
    title: 'Times',
    cell: ({ times, since }) => (
      <>
        {count(times)}
        {since === null ? null : (
          <span class="soft ends">
            since <Time at={since} />
          </span>
        )}
      </>
    ),
    sort: ({ times }) => times,
    number: true,
  },
  {
    title: 'Last time',
    cell: (action) =>
      action.last === null ? (
        <span class="soft">never</span>
      ) : (
        <>
          {action.last.subject}, <Time at={action.last.at} />
          <span class="soft ends">{whyText(action)}</span>
        </>
      ),
    wide: true,
  },
  {
    title: 'Switch',
    cell: (action) => <Switch action={action} reload={reload} />,
  },
];

function Switch({ action, reload }: { readonly action: HealingActionView; readonly reload: () => void }) {
  if (!action.can_switch_off) return <span class="soft ends">{action.fixed}</span>;
  const { enabled, off } = action;
  const run = async (): Promise<void> => {
    await switchSelfHealing(action.action, !enabled);
    reload();
  };
  const name = actionName(action);
  return (
    <Action
      label={enabled ? 'Switch off' : 'Switch on'}
      role="admin"
      size="small"
      run={run}
      done={`${name} is switched ${enabled ? 'off' : 'on'}`}
      {...(enabled ? { confirm: { title: `Switch off: ${name}`, text: off ?? '' } } : {})}
    />
  );
}

/** What is done without anybody asking for it: how often, about what, and whether it may be. */
export function SelfHealing() {
  const { data, error, reload } = useLoaded('self-healing', (signal) => readSelfHealing({ signal }), { every: 10_000 });
  return (
    <Card title="What is done by itself" flush>
      <Table
        label="Self-healing"
        rows={data && sorted(data.actions)}
        columns={columnsOf(reload)}
        rowKey={({ action }) => action}
        error={error}
        empty={null}
      />
    </Card>
  );
}
