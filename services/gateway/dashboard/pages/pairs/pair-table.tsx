import type { PairSummary } from '#schemas/http/pairs.ts';
import { seriesOf, useTick } from '../../app/live.ts';
import { pathOf } from '../../app/paths.ts';
import { may } from '../../app/session.ts';
import { bytes, count, duration, rate } from '../../format.ts';
import { Empty } from '../../ui/empty.tsx';
import { PairBadge } from '../../ui/pair-badge.tsx';
import { Table, type Column } from '../../ui/table.tsx';

const columns: readonly Column<PairSummary>[] = [
  {
    title: 'Pair',
    cell: ({ name, source, target }) => (
      <>
        <a class="strong" href={pathOf('/dashboard/pairs/:pair', { pair: name })}>
          {name}
        </a>
        <span class="soft ends">
          {source.name} → {target.name}
        </span>
      </>
    ),
    sort: ({ name }) => name,
  },
  { title: 'State', cell: (pair) => <PairBadge pair={pair} />, sort: ({ state }) => state },
  {
    title: 'Lag',
    cell: ({ lag_seconds, lag_bytes }) => (
      <span title={lag_bytes === null ? 'not known' : `${bytes(lag_bytes)} of the source's log`}>
        {duration(lag_seconds)}
      </span>
    ),
    sort: ({ lag_seconds }) => lag_seconds,
    number: true,
  },
  {
    title: 'Changes/s',
    cell: ({ id }) => <CurrentRate id={id} />,
    sort: ({ id }) => seriesOf(id).rate,
    number: true,
  },
  {
    title: 'Applied',
    cell: ({ changes_applied }) => count(changes_applied),
    sort: ({ changes_applied }) => changes_applied,
    number: true,
  },
  {
    title: 'Dead letters',
    cell: ({ dead_letters }) => <span class={dead_letters > 0 ? 'problem-text' : 'soft'}>{count(dead_letters)}</span>,
    sort: ({ dead_letters }) => dead_letters,
    number: true,
  },
];

function CurrentRate({ id }: { readonly id: string }) {
  useTick();
  return <>{rate(seriesOf(id).rate)}</>;
}

/** Pairs as rows, live. */
export function PairTable({
  pairs,
  filtered = false,
}: {
  readonly pairs: readonly PairSummary[] | undefined;
  /** Whether the list could be longer without its filter. */
  readonly filtered?: boolean;
}) {
  return (
    <Table
      label="Pairs"
      rows={pairs}
      columns={columns}
      rowKey={({ id }) => id}
      empty={
        filtered ? (
          <Empty title="No pair is like this">Take the filter away to see all pairs.</Empty>
        ) : (
          <Empty
            title="There are no pairs yet"
            action={
              may('editor') ? (
                <a class="button main" href="/dashboard/pairs/new/step/systems">
                  Make the first pair
                </a>
              ) : undefined
            }
          >
            A pair keeps tables of one system in step at another one.
          </Empty>
        )
      }
    />
  );
}
