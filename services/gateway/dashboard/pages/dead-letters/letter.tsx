import { useState } from 'preact/hooks';
import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import { discardDeadLetter, readDeadLetter, replayDeadLetter, type Cells } from '../../api/dead-letters.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi, useLoaded } from '../../app/hooks.ts';
import { pathOf, withQuery } from '../../app/paths.ts';
import { may } from '../../app/session.ts';
import { words } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Card, Figure, PageHead } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { RowTable } from '../../ui/row-table.tsx';
import { Time } from '../../ui/time.tsx';
import { EntityTrail } from '../audit/entity-trail.tsx';
import { MendRow } from './mend.tsx';
import { RuleText } from './rule.tsx';
import { whyOf } from './why.ts';

const under = { label: 'Dead letters', href: '/dashboard/dead-letters' };

/** What came of the last try. */
type Outcome = { readonly row: Cells | undefined } | { readonly error: ApiError };

/** One change that was set aside: the row, why it was refused, what to mend, replay and discard. */
export function DeadLetter({ letter: id }: { readonly letter: string }) {
  const {
    data: letter,
    error,
    reload,
  } = useLoaded(`dead-letter ${id}`, (signal) => readDeadLetter(id, { signal }), {
    every: 5000,
  });
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined);
  const [mending, setMending] = useState(false);
  if (letter === undefined) {
    return (
      <>
        <PageHead title={`Dead letter ${id}`} under={under} />
        {error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={error} />}
      </>
    );
  }
  const replay = async (row?: Cells): Promise<void> => {
    setOutcome(undefined);
    try {
      await replayDeadLetter(id, row);
      setOutcome({ row });
    } catch (failed) {
      setOutcome({ error: asApi(failed) });
    }
    reload();
  };
  const isOpen = letter.state === 'open';
  const isRow = letter.op === 'insert' || letter.op === 'update';
  return (
    <>
      <PageHead
        title={`Dead letter ${letter.id}`}
        under={under}
        badge={<Badge state={letter.state} tone={isOpen ? 'bad' : letter.state === 'replayed' ? 'good' : 'calm'} />}
      >
        {isOpen ? (
          <>
            {isRow ? <Action label="Replay" role="operator" kind="main" run={() => replay()} /> : null}
            {isRow && may('editor') ? (
              <button
                type="button"
                onClick={() => {
                  setMending(true);
                }}
              >
                Replay with other values
              </button>
            ) : null}
            <Action
              label="Discard"
              role="operator"
              kind="danger"
              run={() => discardDeadLetter(id).then(reload)}
              done={`Dead letter ${id} is discarded.`}
              confirm={{
                title: `Discard dead letter ${id}?`,
                text: 'Its row is not written to the target. The letter is kept as discarded, with your name.',
              }}
            />
          </>
        ) : null}
      </PageHead>
      <Failure error={error} />
      <OutcomeNotice letter={letter} outcome={outcome} />
      <WhyCard letter={letter} />
      <Card title={letter.before === null ? `The ${letter.op}` : `The ${letter.op}, with the row before it`} flush>
        <RowTable
          label={`Row of ${letter.source_table}`}
          row={letter.row}
          before={letter.before}
          titles={{ row: letter.op === 'delete' ? 'Row' : 'New', before: 'Before' }}
        />
      </Card>
      <Facts letter={letter} />
      <EntityTrail kind="dead_letter" id={letter.id} />
      {mending ? (
        <MendRow
          letter={letter}
          replay={replay}
          onClose={() => {
            setMending(false);
          }}
        />
      ) : null}
    </>
  );
}

function OutcomeNotice({
  letter,
  outcome,
}: {
  readonly letter: DeadLetterView;
  readonly outcome: Outcome | undefined;
}) {
  return (
    <div role="status">
      {outcome === undefined ? null : 'error' in outcome ? (
        <div class="notice bad">
          <p class="notice-title">Refused again: the letter stays open</p>
          <p>{outcome.error.message}</p>
          <p>{outcome.error.fix}</p>
          <p class="notice-facts">
            <code>{outcome.error.code}</code>
            {outcome.error.requestId === undefined ? null : (
              <>
                {' · request '}
                <code>{outcome.error.requestId}</code>
              </>
            )}
          </p>
        </div>
      ) : (
        <div class="notice good">
          <p class="notice-title">
            Replayed: the row is at {letter.pair.name}’s target now, in {letter.target_table}
          </p>
          {outcome.row === undefined ? null : <p>With the values that you gave. The source still has its own.</p>}
        </div>
      )}
    </div>
  );
}

function WhyCard({ letter }: { readonly letter: DeadLetterView }) {
  const { title, meaning, mend } = whyOf(letter);
  return (
    <Card title="Why was this rejected?">
      <div class="why">
        <p class="strong">{title}</p>
        <p>{meaning}</p>
        <p class="reason">
          <code>{letter.reason}</code>
        </p>
        {letter.rule === null ? null : <RuleText letter={letter} rule={letter.rule} />}
        {letter.state === 'open' ? (
          <>
            <h3>What to do</h3>
            <ol>
              {mend.map((step) => (
                <li key={step}>{step}</li>
              ))}
            </ol>
          </>
        ) : (
          <p>
            {words(letter.state)} <Time at={letter.resolved_at} />
            {letter.resolved_by === null ? null : ` by ${letter.resolved_by}`}
          </p>
        )}
      </div>
    </Card>
  );
}

function Facts({ letter }: { readonly letter: DeadLetterView }) {
  const { pair, source_table, target_table, position, code, sqlstate, stage, created_at } = letter;
  return (
    <Card title="Facts">
      <dl class="figures">
        <Figure label="Pair" value={<a href={pathOf('/dashboard/pairs/:pair', { pair: pair.name })}>{pair.name}</a>} />
        <Figure
          label="Source table"
          value={
            <a href={withQuery('/dashboard/dead-letters', { pair: pair.name, table: source_table })}>{source_table}</a>
          }
        />
        <Figure label="Target table" value={target_table} />
        <Figure label="Refused by" value={stage === 'process' ? 'the mapping or a rule' : 'the target'} />
        <Figure label="Code" value={<code>{code}</code>} />
        {sqlstate === null ? null : <Figure label="SQLSTATE" value={<code>{sqlstate}</code>} />}
        <Figure label="Position at the source" value={<code>{position}</code>} />
        <Figure label="Set aside" value={<Time at={created_at} />} />
      </dl>
    </Card>
  );
}
