import { useState } from 'preact/hooks';
import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import type { Cells } from '../../api/dead-letters.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Field } from '../../ui/field.tsx';

/** The row with values of one's own: they are written to the target, the source keeps its own. */
export function MendRow({
  letter,
  replay,
  onClose,
}: {
  readonly letter: DeadLetterView;
  readonly replay: (row: Cells) => Promise<void>;
  readonly onClose: () => void;
}) {
  const [row, setRow] = useState<Cells>(letter.row);
  const [busy, setBusy] = useState(false);
  const changed = Object.keys(row).filter((name) => row[name] !== letter.row[name]);
  return (
    <Dialog title={`Replay letter ${letter.id} with other values`} onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          void replay(row).then(onClose);
        }}
      >
        <p class="soft">
          {letter.stage === 'process'
            ? 'Columns as the source has them; the row goes through the mapping and its rules.'
            : 'Columns as the target has them.'}{' '}
          The source keeps its own values: its next change of this row overwrites what is written here.
        </p>
        <div class="mend">
          {Object.entries(row).map(([name, value]) => (
            <div key={name} class={value === letter.row[name] ? 'mend-cell' : 'mend-cell changed'}>
              <Field label={name}>
                {(input) => (
                  <input
                    type="text"
                    {...input}
                    autocomplete="off"
                    spellcheck={false}
                    value={value ?? ''}
                    disabled={value === null}
                    placeholder={value === null ? 'NULL' : ''}
                    onInput={(event) => {
                      setRow({ ...row, [name]: event.currentTarget.value });
                    }}
                  />
                )}
              </Field>
              <label class="check">
                <input
                  type="checkbox"
                  checked={value === null}
                  onChange={(event) => {
                    setRow({ ...row, [name]: event.currentTarget.checked ? null : (letter.row[name] ?? '') });
                  }}
                />
                <span class="soft">NULL</span>
              </label>
            </div>
          ))}
        </div>
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="main" disabled={busy || changed.length === 0} aria-busy={busy}>
            {changed.length === 0 ? 'Nothing changed yet' : `Replay with ${changed.join(', ')} changed`}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
