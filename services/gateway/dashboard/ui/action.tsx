import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Role } from '#schemas/http/common.ts';
import type { ApiError } from '../app/client.ts';
import { asApi } from '../app/hooks.ts';
import { may } from '../app/session.ts';
import { Dialog } from './dialog.tsx';
import { TextField } from './field.tsx';
import { Failure } from './problem.tsx';
import { toast, toastFailure } from './toast.tsx';

export interface ActionProps {
  readonly label: string;
  /** The role that the gateway asks for: who has less sees no button. */
  readonly role: Role;
  /** What is done; its error is shown with its fix. */
  readonly run: () => Promise<unknown>;
  /** Said when it is done: "pacs-to-cama is being paused". */
  readonly done?: string | undefined;
  readonly kind?: 'plain' | 'main' | 'danger';
  readonly size?: 'normal' | 'small';
  readonly disabled?: boolean;
  /** Asked before; with `name`, only who types it goes on. */
  readonly confirm?: {
    readonly title: string;
    readonly text: ComponentChildren;
    readonly name?: string;
  };
}

/** A button that changes something: waits for the answer, shows what went wrong, and asks before what cannot be undone. */
export function Action({
  label,
  role,
  run,
  done,
  kind = 'plain',
  size = 'normal',
  disabled = false,
  confirm,
}: ActionProps) {
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  if (!may(role)) return null;
  const go = async (): Promise<ApiError | undefined> => {
    setBusy(true);
    try {
      await run();
      if (done !== undefined) toast(done);
      return undefined;
    } catch (error) {
      return asApi(error);
    } finally {
      setBusy(false);
    }
  };
  const click = (): void => {
    if (confirm) setAsking(true);
    else
      void go().then((error) => {
        if (error) toastFailure(error);
      });
  };
  return (
    <>
      <button type="button" class={`${kind} ${size}`} disabled={disabled || busy} aria-busy={busy} onClick={click}>
        {label}
      </button>
      {asking && confirm ? (
        <Confirm
          {...confirm}
          label={label}
          danger={kind === 'danger'}
          go={go}
          onClose={() => {
            setAsking(false);
          }}
        />
      ) : null}
    </>
  );
}

function Confirm({
  title,
  text,
  name,
  label,
  danger,
  go,
  onClose,
}: NonNullable<ActionProps['confirm']> & {
  readonly label: string;
  readonly danger: boolean;
  readonly go: () => Promise<ApiError | undefined>;
  readonly onClose: () => void;
}) {
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const certain = name === undefined || typed === name;
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!certain || busy) return;
          setBusy(true);
          void go().then((failed) => {
            setBusy(false);
            if (failed) setError(failed);
            else onClose();
          });
        }}
      >
        <div class="dialog-text">{text}</div>
        {name === undefined ? null : (
          <TextField label={`Type ${name} to go on`} value={typed} onInput={setTyped} spellcheck={false} />
        )}
        <Failure error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={danger ? 'danger' : 'main'} disabled={!certain || busy} aria-busy={busy}>
            {label}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
