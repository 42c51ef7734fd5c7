import type { OperationView } from '#schemas/http/operations.ts';
import { cancelOperation, resumeOperation, stopOperation } from '../../api/operations.ts';
import { Action } from '../../ui/action.tsx';

interface CommandProps {
  readonly operation: OperationView;
  readonly reload: () => void;
}

/** At a checkpoint: it can go on from there. */
export function StopAction({ operation: { id, state, type, pair }, reload }: CommandProps) {
  if (state !== 'pending' && state !== 'running') return null;
  return (
    <Action
      label="Stop"
      role="operator"
      run={() => stopOperation(id).then(reload)}
      done={`It stops at its next checkpoint.`}
      confirm={{
        title: `Stop this operation of ${pair.name}?`,
        text:
          type === 'incremental'
            ? 'What is in hand is finished. It can be resumed; until then nobody waits for the target to have everything.'
            : 'The pair is paused with it: what is in hand is finished, what is loaded stays, changes wait in the topic. Resuming goes on from there.',
      }}
    />
  );
}

/** A load beside the stream is given up, or the wait for a target that is behind. */
export function CancelAction({ operation: { id, type, state, pair }, reload }: CommandProps) {
  // A load of the whole pair has nothing to go back to: it can only be stopped.
  if (type === 'full' || state === 'completed' || state === 'failed' || state === 'cancelled') return null;
  return (
    <Action
      label="Cancel"
      role="operator"
      kind="danger"
      run={() => cancelOperation(id).then(reload)}
      done="It ends once its tables are in a state that can be told."
      confirm={{
        title: `Give up this operation of ${pair.name}?`,
        text:
          type === 'incremental'
            ? 'The pair streams on as it did; only this wait ends.'
            : 'Tables whose rows were not replaced yet come back to the stream as they were. It cannot be resumed.',
      }}
    />
  );
}

export function ResumeAction({ operation: { id, state }, reload }: CommandProps) {
  if (state !== 'stopped' && state !== 'stopping' && state !== 'failed') return null;
  return (
    <Action
      label={state === 'failed' ? 'Try again' : 'Resume'}
      role="operator"
      kind="main"
      run={() => resumeOperation(id).then(reload)}
      done="It goes on from where it was."
    />
  );
}
