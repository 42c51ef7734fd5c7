import { useState } from 'preact/hooks';
import { startOperation } from '../../api/operations.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { findPair, pairs } from '../../app/live.ts';
import { pathOf } from '../../app/paths.ts';
import { navigate } from '../../app/router.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Empty } from '../../ui/empty.tsx';
import { SelectField, TextField } from '../../ui/field.tsx';
import { Failure } from '../../ui/problem.tsx';

type Type = 'incremental' | 'full';

const meanings: Readonly<Record<Type, string>> = {
  incremental:
    'Brings what is new, until the target has everything that is committed at the source now. A pair that rests is woken for it and rests again afterwards.',
  full: 'Loads all tables anew: the rows of the source replace those at the target. The pair runs from then on.',
};

/** Chooses a pair and what is to run, and goes to the operation. */
export function StartOperation({
  pair: given,
  onClose,
}: {
  readonly pair: string | undefined;
  readonly onClose: () => void;
}) {
  const [pair, setPair] = useState(given ?? pairs.value[0]?.name ?? '');
  const [type, setType] = useState<Type>('incremental');
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  // Rows that are there are replaced: that is asked for by name.
  const loaded = findPair(pair)?.state !== 'created';
  const certain = type === 'incremental' || !loaded || typed === pair;
  return (
    <Dialog title="Start an operation" onClose={onClose}>
      {pairs.value.length === 0 ? (
        <Empty title="There is no pair yet" action={<a href="/dashboard/pairs">To the pairs</a>} />
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!certain || busy) return;
            setBusy(true);
            startOperation(pair, type).then(
              ({ id }) => {
                onClose();
                navigate(pathOf('/dashboard/operations/:operation', { operation: id }));
              },
              (failed: unknown) => {
                setError(asApi(failed));
                setBusy(false);
              },
            );
          }}
        >
          <SelectField
            label="Pair"
            value={pair}
            options={pairs.value.map(({ name }) => ({ value: name, label: name }))}
            onInput={setPair}
            problem={error?.fields.get('pair_id')}
          />
          <SelectField
            label="Type"
            value={type}
            options={[
              { value: 'incremental', label: 'Incremental: what is new' },
              { value: 'full', label: 'Full: everything anew' },
            ]}
            onInput={setType}
            help={meanings[type]}
          />
          {type === 'full' && loaded ? (
            <TextField label={`Type ${pair} to go on`} value={typed} onInput={setTyped} spellcheck={false} />
          ) : null}
          <Failure error={error} />
          <div class="dialog-actions">
            <button type="button" onClick={onClose}>
              Cancel
            </button>
            <button
              type="submit"
              class={type === 'full' && loaded ? 'danger' : 'main'}
              disabled={!certain || busy}
              aria-busy={busy}
            >
              Start
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
