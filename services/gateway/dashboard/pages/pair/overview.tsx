import { seriesOf, useTick } from '../../app/live.ts';
import { bytes, count, counted, duration, rate, words } from '../../format.ts';
import { Card, Figure } from '../../ui/page.tsx';
import { ProgressBar } from '../../ui/progress.tsx';
import { Time } from '../../ui/time.tsx';
import { Trends } from '../trends/trends.tsx';
import type { PairTabProps } from './pair.tsx';
import { WaitingChange } from './waiting-change.tsx';

export function OverviewTab({ pair, view, reload }: PairTabProps) {
  return (
    <>
      {!view?.schema_change ? null : <WaitingChange pair={pair.id} change={view.schema_change} reload={reload} />}
      <Figures pair={pair} />
      {view === undefined ? null : <LoadProgress view={view} />}
      <Trends live={() => seriesOf(pair.id)} pair={pair.name} />
      <Card title="Facts">
        <dl class="figures">
          <Figure label="State" value={words(pair.state)} />
          <Figure label="Wanted" value={pair.desired} />
          <Figure label="Position at the target" value={<code>{pair.position ?? '–'}</code>} />
          <Figure label="Version of its settings" value={pair.version} />
          <Figure label="Made" value={<Time at={pair.created_at} />} />
          <Figure label="Changed" value={<Time at={pair.updated_at} />} />
        </dl>
      </Card>
      {view === undefined || view.warnings.length === 0 ? null : <Warnings view={view} />}
    </>
  );
}

function Figures({ pair }: Pick<PairTabProps, 'pair'>) {
  useTick();
  return (
    <dl class="figures wide">
      <Figure label="Lag" value={duration(pair.lag_seconds)} note={lagInBytes(pair.lag_bytes)} />
      <Figure label="Changes a second" value={rate(seriesOf(pair.id).rate)} />
      <Figure label="Changes applied" value={count(pair.changes_applied)} />
      <Figure label="Open dead letters" value={count(pair.dead_letters)} />
    </dl>
  );
}

const lagInBytes = (value: number | null): string | undefined =>
  value === null ? undefined : `${bytes(value)} of the source's log`;

/** All tables that are being loaded, as one. */
function LoadProgress({ view }: { readonly view: NonNullable<PairTabProps['view']> }) {
  const loading = view.tables.filter(({ state }) => state === 'loading' || state === 'waiting');
  if (!loading.some(({ state }) => state === 'loading')) return null;
  const sum = (figures: readonly (number | null)[]): number | null =>
    figures.reduce<number | null>((all, each) => (all === null || each === null ? null : all + each), 0);
  const speed = loading.reduce((all, { rows_per_second }) => all + (rows_per_second ?? 0), 0);
  const done = loading.reduce((all, { rows_copied }) => all + rows_copied, 0);
  const total = sum(loading.map(({ rows_copied, rows_total }) => rows_total && Math.max(rows_total, rows_copied)));
  return (
    <Card title={`Loading ${loading.length} of ${view.tables.length} tables`}>
      <ProgressBar
        label="Rows of all tables"
        done={done}
        total={total}
        rate={speed}
        secondsLeft={total === null || speed === 0 ? null : (total - done) / speed}
      />
    </Card>
  );
}

function Warnings({ view }: { readonly view: NonNullable<PairTabProps['view']> }) {
  return (
    <Card title="What the check before its first start found">
      <details>
        <summary>{counted(view.warnings.length, 'finding')} that did not stop it</summary>
        <ul class="findings">
          {view.warnings.map(({ table, column, name, message }) => (
            <li key={`${table} ${column ?? ''} ${name}`}>
              <span class="strong">
                {table}
                {column === null ? '' : `.${column}`}
              </span>{' '}
              <span class="soft">{message}</span>
            </li>
          ))}
        </ul>
      </details>
    </Card>
  );
}
