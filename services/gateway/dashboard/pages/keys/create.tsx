import { useState } from 'preact/hooks';
import type { Role } from '#schemas/http/common.ts';
import type { KeyMade } from '#schemas/http/keys.ts';
import { createKey, listScopes, readRoles } from '../../api/keys.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi, useLoaded } from '../../app/hooks.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { SelectField, TextField } from '../../ui/field.tsx';
import { Failure } from '../../ui/problem.tsx';

const DAY = 86_400_000;
const lives = [
  { value: '', label: 'Never' },
  { value: '1', label: 'In a day' },
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
] as const;
type Life = (typeof lives)[number]['value'];

/** Name, role, what it is limited to, how long it lives. */
export function CreateKey({
  onClose,
  onMade,
}: {
  readonly onClose: () => void;
  readonly onMade: (key: KeyMade) => void;
}) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [life, setLife] = useState<Life>('');
  const [limited, setLimited] = useState(false);
  const [systems, setSystems] = useState<readonly string[]>([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const roles = useLoaded('roles', (signal) => readRoles({ signal }));
  const known = useLoaded('systems of scopes', (signal) => listScopes({ signal }));
  const isLimited = limited && role !== 'admin';
  const complete = name.trim() !== '' && (!isLimited || systems.length > 0);
  return (
    <Dialog title="Make a key" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!complete || busy) return;
          setBusy(true);
          createKey({
            name: name.trim(),
            role,
            ...(life === '' ? {} : { expires_at: new Date(Date.now() + Number(life) * DAY).toISOString() }),
            ...(isLimited ? { systems } : {}),
          }).then(onMade, (failed: unknown) => {
            setError(asApi(failed));
            setBusy(false);
          });
        }}
      >
        <TextField
          label="Name"
          help="Who or what uses it: it stands in the audit trail."
          placeholder="duty desk"
          required
          value={name}
          onInput={setName}
          problem={error?.fields.get('name')}
        />
        <SelectField
          label="Role"
          value={role}
          options={[
            { value: 'viewer', label: 'Viewer' },
            { value: 'operator', label: 'Operator' },
            { value: 'editor', label: 'Editor' },
            { value: 'admin', label: 'Administrator' },
          ]}
          onInput={setRole}
          help={roles.data?.roles.find((each) => each.role === role)?.may}
          problem={error?.fields.get('role')}
        />
        <SelectField
          label="Expires"
          value={life}
          options={lives}
          onInput={setLife}
          problem={error?.fields.get('expires_at')}
        />
        {role === 'admin' ? (
          <p class="soft">An administrator cannot be limited to systems.</p>
        ) : (
          <fieldset class="scope">
            <legend>Systems</legend>
            <label class="check">
              <input
                type="checkbox"
                checked={limited}
                onChange={(event) => {
                  setLimited(event.currentTarget.checked);
                }}
              />
              Only some: it sees these, and pairs that have both ends among them
            </label>
            {limited
              ? (known.data?.items ?? []).map((system) => (
                  <label key={system.id} class="check inner">
                    <input
                      type="checkbox"
                      checked={systems.includes(system.id)}
                      onChange={(event) => {
                        setSystems(
                          event.currentTarget.checked
                            ? [...systems, system.id]
                            : systems.filter((each) => each !== system.id),
                        );
                      }}
                    />
                    {system.name} <span class="soft">{system.kind}</span>
                  </label>
                ))
              : null}
            <Failure error={limited ? known.error : undefined} />
          </fieldset>
        )}
        <Failure error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="main" disabled={!complete || busy} aria-busy={busy}>
            Make the key
          </button>
        </div>
      </form>
    </Dialog>
  );
}
