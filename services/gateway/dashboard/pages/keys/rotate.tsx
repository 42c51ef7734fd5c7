import { useState } from 'preact/hooks';
import type { KeyMade, KeyView } from '#schemas/http/keys.ts';
import { rotateKey } from '../../api/keys.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { SelectField } from '../../ui/field.tsx';
import { Failure } from '../../ui/problem.tsx';

const overlaps = [
  { value: '0', label: 'At once' },
  { value: '3600', label: 'In an hour' },
  { value: '86400', label: 'In a day' },
  { value: '604800', label: 'In a week' },
] as const;
type Overlap = (typeof overlaps)[number]['value'];

/** Another secret for the same key. */
export function RotateKey({
  item: { id, name },
  onClose,
  onMade,
}: {
  readonly item: KeyView;
  readonly onClose: () => void;
  readonly onMade: (key: KeyMade) => void;
}) {
  const [overlap, setOverlap] = useState<Overlap>('0');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  return (
    <Dialog title={`Give ${name} another secret?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          rotateKey(id, Number(overlap)).then(onMade, (failed: unknown) => {
            setError(asApi(failed));
            setBusy(false);
          });
        }}
      >
        <p>Id, role and limits stay. Browsers that are logged in with it are logged out.</p>
        <SelectField
          label="The secret of now ends"
          value={overlap}
          options={overlaps}
          onInput={setOverlap}
          help="Until then both open, so that programs can change over one by one."
        />
        <Failure error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="main" disabled={busy} aria-busy={busy}>
            Rotate
          </button>
        </div>
      </form>
    </Dialog>
  );
}
