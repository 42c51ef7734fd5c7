import { alerts, components, openDeadLetters, pairs, pairsById, seriesOfAll, useTick } from '../../app/live.ts';
import { may } from '../../app/session.ts';
import { count, duration, rate } from '../../format.ts';
import { AlertList } from '../../ui/alert-list.tsx';
import { Card, Figure, PageHead } from '../../ui/page.tsx';
import { PairTable } from '../pairs/pair-table.tsx';
import { Trends } from '../trends/trends.tsx';
import { ComponentList } from './component-list.tsx';
import { StateBar } from './state-bar.tsx';

/** How many pairs are listed here; all are on their own page. */
const LISTED = 8;

/** How everything is: what calls for a look comes first. */
export function Overview() {
  // What needs a look first, then by name.
  const listed = [...pairs.value].sort((a, b) => urgency(b) - urgency(a)).slice(0, LISTED);
  return (
    <>
      <PageHead title="Overview" />
      {alerts.value.length === 0 ? null : <AlertList alerts={alerts.value} />}
      <Figures />
      <Trends live={seriesOfAll} />
      <Card
        title="Pairs"
        flush
        actions={pairs.value.length > LISTED ? <a href="/dashboard/pairs">All {pairs.value.length} pairs</a> : null}
      >
        <StateBar pairs={pairs.value} />
        <PairTable pairs={pairsById.value === undefined ? undefined : listed} />
      </Card>
      <Card title="Components" flush>
        <ComponentList components={components.value} />
      </Card>
    </>
  );
}

function urgency({ state, error, warning, stale }: (typeof pairs.value)[number]): number {
  return (state === 'failed' || error ? 4 : 0) + (warning ? 2 : 0) + (stale ? 1 : 0);
}

function Figures() {
  useTick();
  const all = seriesOfAll();
  const streaming = pairs.value.filter(({ state }) => state === 'streaming').length;
  return (
    <dl class="figures wide">
      <Figure label="Pairs streaming" value={`${streaming} of ${pairs.value.length}`} />
      <Figure label="Changes a second" value={rate(all.rate)} />
      <Figure label="Worst lag" value={duration(all.points.at(-1)?.lag)} />
      <Figure
        label="Changes applied"
        value={count(pairs.value.reduce((sum, { changes_applied }) => sum + changes_applied, 0))}
      />
      <Figure
        label="Open dead letters"
        value={
          may('operator') ? (
            <a href="/dashboard/dead-letters">{count(openDeadLetters.value)}</a>
          ) : (
            count(openDeadLetters.value)
          )
        }
      />
    </dl>
  );
}
