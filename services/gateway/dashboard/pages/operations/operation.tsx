import type { OperationView } from '#schemas/http/operations.ts';
import { readOperation, reportPath, startOperation } from '../../api/operations.ts';
import { useLoaded } from '../../app/hooks.ts';
import { now } from '../../app/clock.ts';
import { pathOf, withQuery } from '../../app/paths.ts';
import { navigate } from '../../app/router.ts';
import { may } from '../../app/session.ts';
import { count, duration, operationWords } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Card, Figure, PageHead } from '../../ui/page.tsx';
import { Failure, Problem } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';
import { CancelAction, ResumeAction, StopAction } from './commands.tsx';
import { OperationEvents } from './events.tsx';
import { isOpen, OperationProgress } from './progress.tsx';
import { OperationTables } from './tables.tsx';

const under = { label: 'Operations', href: '/dashboard/operations' };

/** One run: how far it is, what it has done, what went wrong, who did what to it. */
export function Operation({ operation: id }: { readonly operation: string }) {
  const {
    data: operation,
    error,
    reload,
  } = useLoaded(`operation ${id}`, (signal) => readOperation(id, { signal }), {
    every: 2000,
  });
  if (operation === undefined) {
    return (
      <>
        <PageHead title="Operation" under={under} />
        {error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={error} />}
      </>
    );
  }
  return (
    <>
      <PageHead
        title={`${operationWords[operation.type]} of ${operation.pair.name}`}
        under={under}
        badge={<Badge state={operation.state} />}
      >
        <StopAction operation={operation} reload={reload} />
        <CancelAction operation={operation} reload={reload} />
        <ResumeAction operation={operation} reload={reload} />
        <Again operation={operation} />
      </PageHead>
      <Failure error={error} />
      {operation.error === null ? null : <Problem {...operation.error} />}
      <Resting operation={operation} />
      {isOpen(operation) ? (
        <Card title="Progress">
          <OperationProgress operation={operation} />
        </Card>
      ) : null}
      <Counts operation={operation} />
      <OperationTables operation={operation} />
      <OperationEvents operation={operation} />
      <Reports id={operation.id} />
    </>
  );
}

function Counts({ operation }: { readonly operation: OperationView }) {
  const { counts, pair, started_at, finished_at, created_at } = operation;
  const letters = withQuery('/dashboard/dead-letters', {
    pair: pair.name,
    state: 'every',
    since: started_at ?? created_at,
    until: finished_at ?? undefined,
  });
  return (
    <>
      <dl class="figures wide">
        <Figure label="Rows copied" value={count(counts.rows_copied)} />
        <Figure label="Inserted" value={count(counts.inserted)} />
        <Figure label="Updated" value={count(counts.updated)} />
        <Figure label="Deleted" value={count(counts.deleted)} />
        <Figure
          label="Set aside"
          value={count(counts.dead_letters)}
          note={counts.dead_letters > 0 && may('operator') ? <a href={letters}>Dead letters</a> : undefined}
        />
      </dl>
      <Card title="Facts">
        <dl class="figures">
          <Figure
            label="Pair"
            value={<a href={pathOf('/dashboard/pairs/:pair', { pair: pair.name })}>{pair.name}</a>}
          />
          <Figure label="Asked by" value={operation.started_by} />
          <Figure label="Asked for" value={<Time at={created_at} />} />
          <Figure label="Begun" value={<Time at={started_at} />} />
          <Figure label="Ended" value={<Time at={finished_at} />} />
          <Figure label={finished_at === null ? 'Runs for' : 'Took'} value={duration(secondsOf(operation))} />
        </dl>
      </Card>
    </>
  );
}

function secondsOf({ started_at, finished_at }: OperationView): number | null {
  if (started_at === null) return null;
  const end = finished_at === null ? now.value : Date.parse(finished_at);
  return Math.max(0, end - Date.parse(started_at)) / 1000;
}

/** A load may wait for the hours in which its source is to be read. */
function Resting({ operation: { progress, state } }: { readonly operation: OperationView }) {
  const until = progress['resting_until'];
  if (typeof until !== 'string' || state !== 'running') return null;
  return (
    <div class="notice busy">
      <p class="notice-title">
        Rests until its load window opens: <Time at={until} />
      </p>
      <p>What is loaded stays; the source is not read meanwhile. The pair's settings hold the window.</p>
    </div>
  );
}

/** A new one of the same kind, once this one is over. */
function Again({ operation }: { readonly operation: OperationView }) {
  const { type, state, pair } = operation;
  if (isOpen(operation) || state === 'stopped') return null;
  const start = async (kind: 'full' | 'incremental'): Promise<void> => {
    const { id } = await startOperation(pair.id, kind);
    navigate(pathOf('/dashboard/operations/:operation', { operation: id }));
  };
  return (
    <>
      <Action
        label="Run an incremental one"
        role="operator"
        kind={type === 'incremental' ? 'main' : 'plain'}
        run={() => start('incremental')}
        done={`${pair.name} catches up.`}
      />
      <Action
        label="Load everything anew"
        role="operator"
        run={() => start('full')}
        done={`${pair.name} is being loaded anew.`}
        confirm={{
          title: `Load all tables of ${pair.name} anew?`,
          text: 'The rows of the source are read again and replace those at the target. The target shows older rows until the load has ended.',
          name: pair.name,
        }}
      />
    </>
  );
}

function Reports({ id }: { readonly id: string }) {
  return (
    <Card title="Report">
      <p class="soft">The operation, its tables and what happened, to keep or to hand on.</p>
      <p class="actions report-links">
        <a class="button" href={reportPath(id, 'html')} target="_blank" rel="noreferrer">
          For printing
        </a>
        <a class="button" href={reportPath(id, 'csv')} download={`operation-${id}.csv`}>
          CSV
        </a>
        <a class="button" href={reportPath(id, 'json')} download={`operation-${id}.json`}>
          JSON
        </a>
      </p>
    </Card>
  );
}
