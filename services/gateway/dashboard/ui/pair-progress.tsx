import type { PairTableView } from '#schemas/http/pairs.ts';
import { bytes, count } from '../format.ts';
import { Badge } from './badge.tsx';
import { ProgressBar } from './progress.tsx';
import type { Column } from './table.tsx';
import { Time } from './time.tsx';

/** How far the tables of a pair are, wherever they are listed. */
export const progressColumns: readonly Column<PairTableView>[] = [
  {
    title: 'Table',
    cell: ({ source, target }) => (
      <>
        <span class="strong">{target}</span>
        {source === target ? null : <span class="soft ends">from {source}</span>}
      </>
    ),
    sort: ({ target }) => target,
  },
  {
    title: 'State',
    cell: ({ state, error }) => (
      <>
        <Badge state={state} />
        {error === null ? null : <span class="problem-text ends">{`${error.message}. ${error.fix}`}</span>}
      </>
    ),
    sort: ({ state }) => state,
  },
  {
    title: 'Rows copied',
    cell: (table) =>
      table.state === 'loading' ? (
        <ProgressBar
          label={`Rows of ${table.target}`}
          done={table.rows_copied}
          total={table.rows_total}
          rate={table.rows_per_second}
          secondsLeft={table.seconds_left}
        />
      ) : (
        <span title={bytes(table.bytes_copied)}>{count(table.rows_copied)}</span>
      ),
    sort: ({ rows_copied }) => rows_copied,
    number: true,
    wide: true,
  },
  {
    title: 'Changes',
    cell: ({ changes_applied }) => count(changes_applied),
    sort: ({ changes_applied }) => changes_applied,
    number: true,
  },
  {
    title: 'Last change',
    cell: ({ last_change_at }) => <Time at={last_change_at} />,
    sort: ({ last_change_at }) => last_change_at,
  },
];
