import { useState } from 'preact/hooks';
import type { AlertRecordView } from '#schemas/http/alerts.ts';
import { acknowledgeAlert, silenceAlert } from '../../api/alerts.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { may } from '../../app/session.ts';
import { count } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { SelectField, TextField } from '../../ui/field.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';
import { aboutOf } from './about.ts';
import { alertKind } from './kinds.ts';

interface AlertProps {
  readonly alert: AlertRecordView;
  readonly reload: () => void;
}

/** One thing that is wrong: what, since when, what to do, and who sees to it. */
export function OpenAlert({ alert, reload }: AlertProps) {
  const { code, severity, state, message, since, value, threshold, runbook } = alert;
  const { title, steps } = alertKind(code);
  const about = aboutOf(alert);
  const critical = severity === 'critical';
  return (
    <li class={`card alert-card ${critical ? 'bad' : 'busy'}`}>
      <div class="alert-head">
        <div>
          <p class="alert-title">
            <Badge state={severity} tone={critical ? 'bad' : 'busy'} />
            <strong>{title}</strong>
            {state === 'pending' ? <Badge state="pending" title="Seen, but not for long enough to be sent" /> : null}
          </p>
          <p>{message}</p>
        </div>
        <SeenTo alert={alert} reload={reload} />
      </div>
      <p class="soft alert-facts">
        since <Time at={since} />
        {value === null || threshold === null ? null : ` · ${count(value)}, threshold ${count(threshold)}`}
        {about === undefined ? null : (
          <>
            {' · '}
            <a href={about.href}>{about.label}</a>
          </>
        )}
        <Notes alert={alert} />
      </p>
      <details>
        <summary>What to do</summary>
        <ol>
          {steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
        <p class="soft">
          More in its <a href={runbook}>runbook</a>.
        </p>
      </details>
    </li>
  );
}

function Notes({
  alert: { acknowledged_by, acknowledged_at, silenced_until, silenced_by, comment },
}: Pick<AlertProps, 'alert'>) {
  return (
    <>
      {acknowledged_at === null ? null : (
        <>
          {' · '}
          {acknowledged_by ?? 'somebody'} sees to it since <Time at={acknowledged_at} span />
        </>
      )}
      {silenced_until === null || Date.parse(silenced_until) <= Date.now() ? null : (
        <>
          {' · '}silenced by {silenced_by ?? 'somebody'}, ends <Time at={silenced_until} />
        </>
      )}
      {comment === null ? null : ` · “${comment}”`}
    </>
  );
}

function SeenTo({ alert, reload }: AlertProps) {
  const [silencing, setSilencing] = useState(false);
  const { id, acknowledged_at, silenced_until } = alert;
  if (!may('operator')) return null;
  const silenced = silenced_until !== null && Date.parse(silenced_until) > Date.now();
  return (
    <span class="actions">
      {acknowledged_at === null ? (
        <Action
          label="I see to it"
          role="operator"
          run={() => acknowledgeAlert(id, undefined).then(reload)}
          done="It is not sent again until it has gone."
        />
      ) : null}
      {silenced ? (
        <Action
          label="End the silence"
          role="operator"
          run={() => silenceAlert(id, null, undefined).then(reload)}
          done="It is sent again from now on."
        />
      ) : (
        <button
          type="button"
          onClick={() => {
            setSilencing(true);
          }}
        >
          Silence
        </button>
      )}
      {silencing ? (
        <Silence
          alert={alert}
          reload={reload}
          onClose={() => {
            setSilencing(false);
          }}
        />
      ) : null}
    </span>
  );
}

const HOUR = 3_600_000;
const spans = [
  { value: '1', label: 'An hour' },
  { value: '8', label: 'Eight hours' },
  { value: '24', label: 'A day' },
  { value: '168', label: 'A week' },
] as const;
type Span = (typeof spans)[number]['value'];

function Silence({ alert, reload, onClose }: AlertProps & { readonly onClose: () => void }) {
  const [span, setSpan] = useState<Span>('8');
  const [comment, setComment] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  return (
    <Dialog title={`Silence “${alertKind(alert.code).title}”?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          const until = new Date(Date.now() + Number(span) * HOUR).toISOString();
          silenceAlert(alert.id, until, comment.trim() === '' ? undefined : comment.trim()).then(
            () => {
              reload();
              onClose();
            },
            (failed: unknown) => {
              setError(asApi(failed));
              setBusy(false);
            },
          );
        }}
      >
        <p>Nothing is sent of it until then. It is still shown here.</p>
        <SelectField label="For" value={span} options={spans} onInput={setSpan} problem={error?.fields.get('until')} />
        <TextField
          label="Comment"
          help="For whoever looks next."
          placeholder="PACS is being moved tonight"
          value={comment}
          onInput={setComment}
          problem={error?.fields.get('comment')}
        />
        <Failure error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="main" disabled={busy} aria-busy={busy}>
            Silence
          </button>
        </div>
      </form>
    </Dialog>
  );
}
