import { useState } from 'preact/hooks';
import type { SystemView } from '#schemas/http/systems.ts';
import { listSystems } from '../../api/systems.ts';
import { useList } from '../../app/hooks.ts';
import { Badge } from '../../ui/badge.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { SelectField } from '../../ui/field.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { SystemForm } from '../systems/system-form.tsx';
import { addressText, lastCheckState } from '../systems/system-text.ts';
import { change, draft } from './store.ts';
import { StepButtons } from './wizard.tsx';

const ends = [
  { role: 'source', title: 'Source', text: 'The system that the rows come from. It is only read.' },
  { role: 'target', title: 'Target', text: 'The system that is kept in step.' },
] as const;

export function SystemsStep() {
  const systems = useList('systems for a pair', (cursor, signal) => listSystems({ cursor, limit: 1000 }, { signal }));
  const [registering, setRegistering] = useState<'source' | 'target' | undefined>(undefined);
  const { source, target } = draft.value;
  const choose = (role: 'source' | 'target', name: string): void => {
    // Tables are of one source: those of another one mean nothing.
    change({ [role]: name, ...(role === 'source' && name !== source ? { tables: [] } : {}) });
  };
  return (
    <>
      <Failure error={systems.error} />
      <div class="columns">
        {ends.map(({ role, title, text }) => (
          <Card key={role} title={title}>
            <div class="form">
              <p class="soft">{text}</p>
              <SelectField
                label={`System that is the ${role}`}
                value={draft.value[role]}
                options={optionsOf(systems.items ?? [], draft.value[role])}
                onInput={(name) => {
                  choose(role, name);
                }}
              />
              <Chosen system={systems.items?.find(({ name }) => name === draft.value[role])} />
              <div class="actions">
                <button
                  type="button"
                  onClick={() => {
                    setRegistering(role);
                  }}
                >
                  Register a new one as {role}
                </button>
              </div>
            </div>
          </Card>
        ))}
      </div>
      {source !== '' && source === target ? (
        <div class="notice bad" role="alert">
          Source and target are the same system. Choose another one for one of them.
        </div>
      ) : null}
      <StepButtons next="tables" disabled={source === '' || target === '' || source === target} />
      {registering === undefined ? null : (
        <Dialog
          title={`Register the ${registering}`}
          wide
          onClose={() => {
            setRegistering(undefined);
          }}
        >
          <SystemForm
            onDone={({ name }) => {
              choose(registering, name);
              setRegistering(undefined);
              systems.reload();
            }}
            onCancel={() => {
              setRegistering(undefined);
            }}
          />
        </Dialog>
      )}
    </>
  );
}

function Chosen({ system }: { readonly system: SystemView | undefined }) {
  if (system === undefined) return null;
  const { tone, label } = lastCheckState(system);
  return (
    <p>
      <code>{addressText(system)}</code> <Badge state={label} tone={tone} label={label} />
    </p>
  );
}

/** The chosen one is among them also while the list is still being read. */
function optionsOf(
  systems: readonly SystemView[],
  chosen: string,
): { readonly value: string; readonly label: string }[] {
  const known = systems.map(({ name, kind, environment }) => ({
    value: name,
    label: `${name} (${kind}, ${environment})`,
  }));
  const extra = chosen === '' || systems.some(({ name }) => name === chosen) ? [] : [{ value: chosen, label: chosen }];
  return [{ value: '', label: 'Choose a system' }, ...known, ...extra];
}
