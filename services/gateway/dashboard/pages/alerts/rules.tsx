import type { AlertRulesView } from '#schemas/http/alerts.ts';
import { readAlertRules } from '../../api/alerts.ts';
import { useLoaded } from '../../app/hooks.ts';
import { count, duration } from '../../format.ts';
import { Card, Figure } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { alertColumns } from './columns.tsx';

type Rule = AlertRulesView['rules'][number];

const columns: readonly Column<Rule>[] = [
  ...alertColumns<Rule>(({ what }) => what),
  {
    title: 'Above',
    cell: ({ threshold, default_threshold }) => (
      <>
        {count(threshold)}
        {threshold === default_threshold ? null : <span class="soft ends">default {count(default_threshold)}</span>}
      </>
    ),
    sort: ({ threshold }) => threshold,
    number: true,
  },
  {
    title: 'For',
    cell: ({ for_s }) => (for_s === 0 ? 'at once' : duration(for_s)),
    sort: ({ for_s }) => for_s,
    number: true,
  },
  { title: 'Sent', cell: ({ sent }) => (sent ? 'yes' : <span class="soft">shown only</span>) },
  {
    title: 'Setting',
    cell: ({ setting }) => (setting === null ? <span class="soft">fixed</span> : <code>{setting}</code>),
  },
  { title: 'Runbook', cell: ({ runbook }) => <a href={runbook}>{runbook.replace('/runbooks/', '')}</a> },
];

/** What raises alerts, with the thresholds in force, and where alerts are sent. */
export function AlertRules() {
  const { data, error } = useLoaded('alert rules', (signal) => readAlertRules({ signal }));
  return (
    <>
      <Failure error={error} />
      {data === undefined ? null : (
        <Card title="Where alerts are sent">
          <dl class="figures">
            {data.channels.length === 0 ? (
              <Figure label="Channels" value="none: they are shown here only" />
            ) : (
              data.channels.map(({ channel, to }) => <Figure key={`${channel} ${to}`} label={channel} value={to} />)
            )}
            <Figure label="Gathered for" value={duration(data.group_s)} />
            <Figure label="Sent again after" value={duration(data.repeat_minutes * 60)} />
          </dl>
        </Card>
      )}
      <Card title="What raises them" flush>
        <Table
          label="Alert rules"
          rows={data?.rules}
          columns={columns}
          rowKey={({ code }) => code}
          error={error}
          empty={null}
        />
      </Card>
    </>
  );
}
