import type { ComponentChildren } from 'preact';
import type { AlertRecordView } from '#schemas/http/alerts.ts';
import { listAlerts } from '../../api/alerts.ts';
import { useList } from '../../app/hooks.ts';
import { place } from '../../app/router.ts';
import { words } from '../../format.ts';
import { Empty } from '../../ui/empty.tsx';
import { filterKey, Filters, PairFilter, SelectFilter } from '../../ui/filters.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Time } from '../../ui/time.tsx';
import { alertColumns } from './columns.tsx';
import { OpenAlert } from './open-alert.tsx';
import { AlertRules } from './rules.tsx';
import { SelfHealing } from './self-healing.tsx';

/** What is wrong now. */
export const Alerts = () => (
  <Page>
    <OpenAlerts />
  </Page>
);
/** What was wrong. */
export const AlertHistory = () => (
  <Page>
    <History />
  </Page>
);
/** What raises alerts, and where they are sent. */
export const AlertThresholds = () => (
  <Page>
    <AlertRules />
  </Page>
);

/** What is done without anybody asking for it. */
export const Healing = () => (
  <Page>
    <SelfHealing />
  </Page>
);

function Page({ children }: { readonly children: ComponentChildren }) {
  return (
    <>
      <PageHead title="Alerts" />
      <Tabs
        label="Parts of the alerts"
        tabs={[
          { label: 'Open', href: '/dashboard/alerts' },
          { label: 'History', href: '/dashboard/alerts/history' },
          { label: 'Thresholds', href: '/dashboard/alerts/rules' },
          { label: 'Self-healing', href: '/dashboard/alerts/self-healing' },
        ]}
      />
      {children}
    </>
  );
}

const rank = ({ state, severity, acknowledged_at }: AlertRecordView): number =>
  (state === 'firing' ? 0 : 4) + (acknowledged_at === null ? 0 : 2) + (severity === 'critical' ? 0 : 1);

/** The worst first; what somebody sees to already, and what may still pass by itself, below. */
function OpenAlerts() {
  const alerts = useList('alerts open', (cursor, signal) => listAlerts({ state: 'open', cursor }, { signal }), {
    every: 5000,
  });
  if (alerts.items === undefined) {
    return alerts.error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={alerts.error} />;
  }
  return (
    <>
      <Failure error={alerts.error} />
      {alerts.items.length === 0 ? (
        <Card>
          <Empty title="Nothing calls for a look">
            An alert appears here when a pair fails or falls behind, a part is down, a source keeps much WAL, or rows
            are set aside.
          </Empty>
        </Card>
      ) : (
        <ul class="alert-cards" aria-label="Open alerts">
          {alerts.items
            .toSorted((a, b) => rank(a) - rank(b))
            .map((alert) => (
              <OpenAlert key={alert.id} alert={alert} reload={alerts.reload} />
            ))}
        </ul>
      )}
      {alerts.more === undefined ? null : (
        <button type="button" disabled={alerts.loading} onClick={alerts.more}>
          Load more
        </button>
      )}
    </>
  );
}

const columns: readonly Column<AlertRecordView>[] = [
  ...alertColumns<AlertRecordView>(({ message }) => message),
  {
    title: 'About',
    cell: ({ pair, subject }) => pair ?? subject ?? <span class="soft">–</span>,
    sort: ({ pair, subject }) => pair ?? subject,
  },
  { title: 'Since', cell: ({ since }) => <Time at={since} />, sort: ({ since }) => since },
  { title: 'Gone', cell: ({ resolved_at }) => <Time at={resolved_at} />, sort: ({ resolved_at }) => resolved_at },
  {
    title: 'Seen to by',
    cell: ({ acknowledged_by, comment }) => (
      <>
        {acknowledged_by ?? <span class="soft">–</span>}
        {comment === null ? null : <span class="soft ends">{comment}</span>}
      </>
    ),
  },
];

const filters = ['pair', 'severity', 'code'];

function History() {
  const { query } = place.value;
  const given = (name: string) => query.get(name) ?? undefined;
  const alerts = useList(
    `alerts history ${filterKey(query, filters)}`,
    (cursor, signal) =>
      listAlerts(
        { state: 'resolved', pair: given('pair'), severity: given('severity'), code: given('code'), cursor },
        { signal },
      ),
    { every: 15_000 },
  );
  const codes = [...new Set(alerts.items?.map(({ code }) => code))].sort();
  return (
    <Card flush>
      <Filters names={filters}>
        <PairFilter />
        <SelectFilter
          name="severity"
          label="Severity"
          every="Every severity"
          options={['critical', 'warning'].map((value) => ({ value, label: value }))}
        />
        <SelectFilter
          name="code"
          label="Kind"
          every="Every kind"
          options={codes.map((value) => ({ value, label: words(value) }))}
        />
      </Filters>
      <Table
        label="Alerts that are gone"
        {...alerts}
        rows={alerts.items}
        columns={columns}
        rowKey={({ id }) => id}
        empty={<Empty title="No alert has come and gone">What was is kept for 90 days.</Empty>}
      />
    </Card>
  );
}
