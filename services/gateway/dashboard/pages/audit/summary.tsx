import type { AuditSummaryView } from '#schemas/http/audit.ts';
import type { Loaded } from '../../app/hooks.ts';
import { place } from '../../app/router.ts';
import { count } from '../../format.ts';
import { Empty } from '../../ui/empty.tsx';
import { Card, Figure } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';
import { actionText } from './words.ts';

/** The trail in figures: what is done, by whom, when. */
export function AuditSummary({ summary: { data, error } }: { readonly summary: Loaded<AuditSummaryView> }) {
  if (data === undefined) {
    return error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={error} />;
  }
  if (data.entries === 0)
    return <Empty title="No entry is like this">Take a filter away, or choose a longer time.</Empty>;
  const failures = data.by_outcome.find(({ value }) => value === 'failure')?.count ?? 0;
  return (
    <>
      <Failure error={error} />
      <dl class="figures wide">
        <Figure label="Entries" value={count(data.entries)} />
        <Figure label="Failures" value={count(failures)} />
        <Figure label="First" value={<Time at={data.first_at} />} />
        <Figure label="Last" value={<Time at={data.last_at} />} />
      </dl>
      <div class="columns">
        <Bars
          title="By action"
          name="action"
          lines={data.by_action.map(({ value, count: n }) => ({ value, label: actionText(value), count: n }))}
        />
        <Bars
          title="By actor"
          name="actor"
          lines={data.by_actor.map(({ value, count: n }) => ({ value, label: value, count: n }))}
        />
        <Bars
          title="By day (UTC)"
          lines={data.by_day.map(({ day, count: n, failures: failed }) => ({
            value: day,
            label: failed === 0 ? day : `${day}, ${count(failed)} failed`,
            count: n,
          }))}
        />
      </div>
    </>
  );
}

interface BarLine {
  readonly value: string;
  readonly label: string;
  readonly count: number;
}

const SHOWN = 20;

/** Counts as bars; a value leads to its entries when `name` is a filter. */
function Bars({
  title,
  lines,
  name,
}: {
  readonly title: string;
  readonly lines: readonly BarLine[];
  readonly name?: string;
}) {
  const most = Math.max(1, ...lines.map((line) => line.count));
  const link = (value: string): string => {
    const query = new URLSearchParams(place.value.query);
    query.set(name!, value);
    return `/dashboard/audit?${query.toString()}`;
  };
  return (
    <Card title={title}>
      <ul class="bars">
        {lines.slice(0, SHOWN).map(({ value, label, count: n }) => (
          <li key={value}>
            <span class="bar-label">{name === undefined ? label : <a href={link(value)}>{label}</a>}</span>
            <span class="bar-count">{count(n)}</span>
            <span class="bar" aria-hidden="true">
              <span class="bar-fill" style={{ width: `${(n / most) * 100}%` }} />
            </span>
          </li>
        ))}
      </ul>
      {lines.length > SHOWN ? <p class="soft">and {lines.length - SHOWN} more</p> : null}
    </Card>
  );
}
