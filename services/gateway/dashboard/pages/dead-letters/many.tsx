import { useEffect, useRef, useState } from 'preact/hooks';
import type { DeadLettersSummary, ReplayedReply } from '#schemas/http/dead-letters.ts';
import { discardDeadLetters, replayDeadLetters, type DeadLetterChoice } from '../../api/dead-letters.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';
import { may } from '../../app/session.ts';
import { timeZone, zoneName } from '../../app/time-zone.ts';
import { absoluteIn, count, counted } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Failure } from '../../ui/problem.tsx';
import { ProgressBar } from '../../ui/progress.tsx';
import { toast } from '../../ui/toast.tsx';

interface ManyProps {
  readonly choice: DeadLetterChoice;
  readonly summary: DeadLettersSummary;
  readonly reload: () => void;
}

const names: Readonly<Record<keyof DeadLetterChoice, string>> = {
  pair: 'pair',
  table: 'table',
  rule: 'rule',
  code: 'code',
  sqlstate: 'SQLSTATE',
  text: 'text',
  since: 'since',
  until: 'until',
};

/** Which letters are meant, as a sentence: whoever confirms must not have to look behind the dialog. */
function Chosen({ choice, total }: { readonly choice: DeadLetterChoice; readonly total: number }) {
  const given = Object.entries(choice).filter(([, value]) => typeof value === 'string') as [
    keyof DeadLetterChoice,
    string,
  ][];
  return (
    <>
      <p>
        <strong>{counted(total, 'open letter')}</strong>
        {given.length === 0 ? ', all there are.' : ', chosen by:'}
      </p>
      {given.length === 0 ? null : (
        <ul class="chosen">
          {given.map(([name, value]) => (
            <li key={name}>
              <span class="soft">{names[name]}</span>{' '}
              {name === 'since' || name === 'until' ? absoluteIn(value, zoneName(timeZone.value)) : value}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

export function DiscardMany({ choice, summary, reload }: ManyProps) {
  const { total, latest_id: through } = summary;
  if (total === 0) return null;
  return (
    <Action
      label={total === 1 ? 'Discard it' : `Discard all ${count(total)}`}
      role="operator"
      kind="danger"
      run={async () => {
        const { discarded } = await discardDeadLetters(choice, through!);
        toast(`${counted(discarded, 'letter')} discarded.`);
        reload();
      }}
      confirm={{
        title: `Discard ${counted(total, 'dead letter')}?`,
        text: (
          <>
            <Chosen choice={choice} total={total} />
            <p>Their rows are not written to the target. The letters are kept as discarded, with your name.</p>
          </>
        ),
        name: `discard ${total}`,
      }}
    />
  );
}

export function ReplayMany(props: ManyProps) {
  const [open, setOpen] = useState(false);
  // As they were when the dialog was opened: what comes in meanwhile is not meant.
  const [meant, setMeant] = useState<ManyProps>(props);
  const { total } = props.summary;
  // The outcome stays to be read although nothing is left to replay.
  if (!may('operator') || (total === 0 && !open)) return null;
  return (
    <>
      <button
        type="button"
        class="main"
        disabled={total === 0}
        onClick={() => {
          setMeant(props);
          setOpen(true);
        }}
      >
        {total === 1 ? 'Replay it' : `Replay all ${count(total)}`}
      </button>
      {open ? (
        <ReplayDialog
          {...meant}
          onClose={() => {
            setOpen(false);
          }}
        />
      ) : null}
    </>
  );
}

interface Outcome {
  readonly replayed: number;
  readonly refused: ReplayedReply['refused'];
}

function ReplayDialog({ choice, summary, reload, onClose }: ManyProps & { readonly onClose: () => void }) {
  const { total, latest_id: through } = summary;
  const [state, setState] = useState<'asking' | 'running' | 'done'>('asking');
  const [outcome, setOutcome] = useState<Outcome>({ replayed: 0, refused: [] });
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const wanted = useRef(true);
  useEffect(
    () => () => {
      wanted.current = false;
    },
    [],
  );
  const run = async (): Promise<void> => {
    setState('running');
    let after: string | undefined;
    let sum: Outcome = { replayed: 0, refused: [] };
    try {
      do {
        const part = await replayDeadLetters(choice, through!, after);
        sum = { replayed: sum.replayed + part.replayed, refused: [...sum.refused, ...part.refused] };
        setOutcome(sum);
        after = part.after ?? undefined;
      } while (after !== undefined && wanted.current);
    } catch (failed) {
      setError(asApi(failed));
    }
    setState('done');
    reload();
  };
  const done = outcome.replayed + outcome.refused.length;
  return (
    <Dialog title={state === 'done' ? 'Replayed' : `Replay ${counted(total, 'dead letter')}?`} onClose={onClose}>
      <div class="dialog-text">
        {state === 'asking' ? (
          <>
            <Chosen choice={choice} total={total} />
            <p>
              Their stored rows are written to the target, one after the other in the order of their changes. Rows that
              a rule had refused go through the rules of now. What is refused again stays open.
            </p>
          </>
        ) : (
          <ProgressBar label="Letters replayed" unit="letters" done={done} total={Math.max(total, done)} />
        )}
        {state === 'done' ? <Told outcome={outcome} left={total - done} /> : null}
        <Failure error={error} />
        <div class="dialog-actions">
          {state === 'asking' ? (
            <>
              <button type="button" onClick={onClose}>
                Cancel
              </button>
              <button type="button" class="main" onClick={() => void run()}>
                Replay
              </button>
            </>
          ) : (
            <button type="button" onClick={onClose}>
              {state === 'running' ? 'Stop after this part' : 'Close'}
            </button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

const SHOWN = 20;

function Told({ outcome: { replayed, refused }, left }: { readonly outcome: Outcome; readonly left: number }) {
  return (
    <div role="status">
      <p>
        <strong>{counted(replayed, 'row')}</strong> {replayed === 1 ? 'is' : 'are'} at the target now.{' '}
        {refused.length === 0 ? null : <strong>{counted(refused.length, 'letter')} refused again: still open.</strong>}{' '}
        {left > 0 ? `${counted(left, 'letter')} not tried.` : null}
      </p>
      {refused.length === 0 ? null : (
        <ul class="refused">
          {refused.slice(0, SHOWN).map(({ id, message, fix }) => (
            <li key={id}>
              <a href={pathOf('/dashboard/dead-letters/:letter', { letter: id })}>Letter {id}</a>: {message}
              <span class="soft ends">{fix}</span>
            </li>
          ))}
          {refused.length > SHOWN ? <li class="soft">and {refused.length - SHOWN} more</li> : null}
        </ul>
      )}
    </div>
  );
}
