import type { ComponentType } from 'preact';
import type { PairSummary, PairView } from '#schemas/http/pairs.ts';
import { pausePair, readPair, resumePair, startPair } from '../../api/pairs.ts';
import { useLoaded } from '../../app/hooks.ts';
import { findPair } from '../../app/live.ts';
import { pathOf, withQuery } from '../../app/paths.ts';
import { may } from '../../app/session.ts';
import { Action } from '../../ui/action.tsx';
import { Empty } from '../../ui/empty.tsx';
import { PageHead } from '../../ui/page.tsx';
import { PairBadge } from '../../ui/pair-badge.tsx';
import { Failure, Problem } from '../../ui/problem.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { HistoryTab } from './history.tsx';
import { MappingTab } from './mapping.tsx';
import { OverviewTab } from './overview.tsx';
import { SchemaTab } from './schema.tsx';
import { SettingsTab } from './settings.tsx';
import { SlotTab } from './slot.tsx';
import { TablesTab } from './tables.tsx';

/** What each tab is given. */
export interface PairTabProps {
  /** As last told by the event stream. */
  readonly pair: PairSummary;
  /** As last read: undefined until it is there. */
  readonly view: PairView | undefined;
  readonly reload: () => void;
}

const tabs: readonly { readonly name: string; readonly label: string; readonly Body: ComponentType<PairTabProps> }[] = [
  { name: '', label: 'Overview', Body: OverviewTab },
  { name: 'tables', label: 'Tables', Body: TablesTab },
  { name: 'mapping', label: 'Mapping', Body: MappingTab },
  { name: 'schema', label: 'Schema', Body: SchemaTab },
  { name: 'slot', label: 'Slot', Body: SlotTab },
  { name: 'history', label: 'History', Body: HistoryTab },
  { name: 'settings', label: 'Settings', Body: SettingsTab },
];

const under = { label: 'Pairs', href: '/dashboard/pairs' };

export function PairPage({ pair: wanted, tab = '' }: { readonly pair: string; readonly tab?: string }) {
  const {
    data: view,
    error,
    reload,
  } = useLoaded(`pair ${wanted}`, (signal) => readPair(wanted, { signal }), { every: 3000 });
  // The stream knows it earlier than the last reading.
  const pair = findPair(wanted) ?? view;
  const shown = tabs.find(({ name }) => name === tab);
  if (pair === undefined || error?.status === 404) {
    return (
      <>
        <PageHead title={wanted} under={under} />
        {error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={error} />}
      </>
    );
  }
  const base = pathOf('/dashboard/pairs/:pair', { pair: wanted });
  return (
    <>
      <PageHead
        title={pair.name}
        subtitle={`${pair.source.name} → ${pair.target.name}`}
        under={under}
        badge={<PairBadge pair={pair} />}
      >
        <RunActions pair={pair} reload={reload} />
      </PageHead>
      <Failure error={error} />
      {pair.error === null ? null : <Problem {...pair.error} />}
      {pair.warning === null ? null : <Problem {...pair.warning} tone="busy" />}
      <Tabs
        label={`Parts of ${pair.name}`}
        tabs={[
          ...tabs.map(({ name, label }) => ({ label, href: name === '' ? base : `${base}/${name}` })),
          ...(may('operator')
            ? [
                {
                  label: 'Dead letters',
                  href: withQuery('/dashboard/dead-letters', { pair: pair.name }),
                  count: pair.dead_letters,
                },
              ]
            : []),
        ]}
      />
      {shown === undefined ? (
        <Empty title={`A pair has no part “${tab}”`} action={<a href={base}>To its overview</a>} />
      ) : (
        <shown.Body pair={pair} view={view} reload={reload} />
      )}
    </>
  );
}

/** What is done most: stop, go on, try again. The rest is among the settings. */
function RunActions({ pair, reload }: { readonly pair: PairSummary; readonly reload: () => void }) {
  const { id, name } = pair;
  if (pair.desired === 'running' && pair.state !== 'failed') {
    return (
      <Action label="Pause" role="operator" run={() => pausePair(id).then(reload)} done={`${name} is being paused.`} />
    );
  }
  const [label, run, done] =
    pair.state === 'created'
      ? ['Start', startPair, `${name} is being started.`]
      : pair.state === 'failed'
        ? ['Try again', resumePair, `${name} is tried again.`]
        : ['Resume', resumePair, `${name} goes on.`];
  return <Action label={label} role="operator" kind="main" run={() => run(id).then(reload)} done={done} />;
}
