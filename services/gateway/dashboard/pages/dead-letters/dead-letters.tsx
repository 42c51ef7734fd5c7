import type { DeadLetterState, DeadLettersSummary, DeadLetterView } from '#schemas/http/dead-letters.ts';
import {
  deadLettersCsvPath,
  deadLettersSummary,
  listDeadLetters,
  type DeadLetterChoice,
} from '../../api/dead-letters.ts';
import { useList, useLoaded } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';
import { place } from '../../app/router.ts';
import { counted, rowText } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import {
  filterKey,
  Filters,
  PairFilter,
  SelectFilter,
  TextFilter,
  TIME_FILTERS,
  TimeFilter,
  timeQuery,
} from '../../ui/filters.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { Causes } from './causes.tsx';
import { DiscardMany, ReplayMany } from './many.tsx';
import { causeText, reasonText } from './why.ts';

const letterPath = ({ id }: DeadLetterView): string => pathOf('/dashboard/dead-letters/:letter', { letter: id });

const columns: readonly Column<DeadLetterView>[] = [
  {
    title: 'When',
    cell: (letter) => (
      <a href={letterPath(letter)}>
        <Time at={letter.created_at} />
      </a>
    ),
    sort: ({ created_at }) => created_at,
  },
  {
    title: 'Pair',
    cell: ({ pair }) => <a href={pathOf('/dashboard/pairs/:pair', { pair: pair.name })}>{pair.name}</a>,
    sort: ({ pair }) => pair.name,
  },
  {
    title: 'Table',
    cell: ({ source_table, op }) => (
      <>
        {source_table}
        <span class="soft ends">{op}</span>
      </>
    ),
    sort: ({ source_table }) => source_table,
  },
  {
    title: 'Reason',
    cell: (letter) => (
      <>
        <a href={letterPath(letter)}>{causeText(letter)}</a>
        <span class="soft ends">{reasonText(letter)}</span>
      </>
    ),
    sort: causeText,
    wide: true,
  },
  { title: 'Row', cell: ({ row }) => <span class="soft row-text">{rowText(row)}</span>, wide: true },
];
const stateColumn: Column<DeadLetterView> = {
  title: 'State',
  cell: ({ state, resolved_by }) => (
    <Badge
      state={state}
      tone={state === 'open' ? 'bad' : state === 'replayed' ? 'good' : 'calm'}
      {...(resolved_by === null ? {} : { title: `by ${resolved_by}` })}
    />
  ),
  sort: ({ state }) => state,
};

const filters = ['pair', 'table', 'rule', 'code', 'sqlstate', 'state', 'text', ...TIME_FILTERS];

/** What the address chooses. Nothing said about the state means the open ones: they are what somebody has to look at. */
function choiceOf(query: URLSearchParams): { choice: DeadLetterChoice; state: DeadLetterState | undefined } {
  const given = (name: string) => query.get(name) ?? undefined;
  const state = given('state') ?? 'open';
  return {
    state: state === 'every' ? undefined : (state as DeadLetterState),
    choice: {
      pair: given('pair'),
      table: given('table'),
      rule: given('rule'),
      code: given('code'),
      sqlstate: given('sqlstate'),
      text: given('text'),
      ...timeQuery(query),
    },
  };
}

/** Changes that were set aside: why, and what to do with them, one by one or all of one cause. */
export function DeadLetters() {
  const { query } = place.value;
  const key = filterKey(query, filters);
  const letters = useList(
    `dead-letters ${key}`,
    (cursor, signal) => {
      const { choice, state } = choiceOf(query);
      return listDeadLetters({ ...choice, state, cursor }, { signal });
    },
    { every: 5000 },
  );
  const summary = useLoaded(
    `dead-letters summary ${key}`,
    (signal) => {
      const { choice, state } = choiceOf(query);
      return deadLettersSummary({ ...choice, state }, { signal });
    },
    { every: 5000 },
  );
  const { choice, state } = choiceOf(query);
  const reload = (): void => {
    letters.reload();
    summary.reload();
  };
  const total = summary.data?.total;
  const filtered = filters.some((name) => name !== 'state' && query.has(name));
  return (
    <>
      <PageHead title="Dead letters">
        <a class="button" href={deadLettersCsvPath({ ...choice, state })} download="dead-letters.csv">
          Export CSV
        </a>
        {state === 'open' && summary.data !== undefined ? (
          <>
            <ReplayMany choice={choice} summary={summary.data} reload={reload} />
            <DiscardMany choice={choice} summary={summary.data} reload={reload} />
          </>
        ) : null}
      </PageHead>
      <p class="soft under-title">
        Changes that a rule or the target refused. They hold nothing up and are not lost: each can be mended and
        replayed.
      </p>
      <LetterFilters summary={summary.data} told={total === undefined ? undefined : counted(total, 'letter')} />
      {summary.data === undefined || summary.data.groups.length < 2 ? null : <Causes groups={summary.data.groups} />}
      <Card flush>
        <Table
          label={state === undefined ? 'Dead letters' : `Dead letters that are ${state}`}
          {...letters}
          rows={letters.items}
          columns={state === 'open' ? columns : [...columns, stateColumn]}
          rowKey={({ id }) => id}
          empty={
            filtered ? (
              <Empty title="No dead letter is like this">Take a filter away, or look at other states.</Empty>
            ) : state === 'open' ? (
              <Empty title="No dead letters are open">
                Every row was accepted. Rows that break a rule, or that the target refuses, are kept here until they are
                mended.
              </Empty>
            ) : (
              <Empty title="There is none" />
            )
          }
        />
      </Card>
    </>
  );
}

const unique = (values: readonly (string | null)[]): string[] =>
  [...new Set(values.filter((value) => value !== null))].sort();

function LetterFilters({
  summary,
  told,
}: {
  readonly summary: DeadLettersSummary | undefined;
  readonly told: string | undefined;
}) {
  const groups = summary?.groups ?? [];
  const asOptions = (values: readonly string[]) => values.map((value) => ({ value, label: value }));
  return (
    <Card flush>
      <Filters names={filters} told={told}>
        <TextFilter name="text" label="Search" placeholder="In reason and row" />
        <PairFilter />
        <SelectFilter
          name="table"
          label="Table"
          every="Every table"
          options={asOptions(unique(groups.map(({ source_table }) => source_table)))}
        />
        <SelectFilter
          name="rule"
          label="Rule"
          every="Every rule"
          options={asOptions(unique(groups.map(({ rule }) => rule)))}
        />
        <SelectFilter
          name="sqlstate"
          label="SQLSTATE of the target"
          every="Every SQLSTATE"
          options={asOptions(unique(groups.map(({ sqlstate }) => sqlstate)))}
        />
        <SelectFilter
          name="state"
          label="State"
          every="Open"
          options={[
            { value: 'replayed', label: 'Replayed' },
            { value: 'discarded', label: 'Discarded' },
            { value: 'every', label: 'Every state' },
          ]}
        />
        <TimeFilter />
      </Filters>
    </Card>
  );
}
