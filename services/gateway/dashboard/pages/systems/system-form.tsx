import type { ComponentType } from 'preact';
import { useState } from 'preact/hooks';
import type { SystemView } from '#schemas/http/systems.ts';
import { changeSystem, registerSystem } from '../../api/systems.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { SelectField, TextField } from '../../ui/field.tsx';
import { Failure } from '../../ui/problem.tsx';
import { PostgresFields, type ConnectionFieldsProps } from './connection-fields.tsx';
import { connectionOf, formOf, newConnection, type ConnectionForm } from './connection.ts';
import { environmentOptions, kindOptions } from './system-text.ts';

const MIB = 2 ** 20;

interface Connector {
  readonly value: string;
  readonly label: string;
  readonly Fields: ComponentType<ConnectionFieldsProps>;
}

/** The form of each connector. */
const connectors: readonly [Connector, ...Connector[]] = [
  { value: 'postgres', label: 'PostgreSQL', Fields: PostgresFields },
];

/** Registers a system, or changes one. Nothing of it is kept in the browser: it holds a secret. */
export function SystemForm({
  system,
  onDone,
  onCancel,
}: {
  /** The one to change. */
  readonly system?: SystemView | undefined;
  readonly onDone: (system: SystemView) => void;
  readonly onCancel: () => void;
}) {
  const [name, setName] = useState(system?.name ?? '');
  const [kind, setKind] = useState<SystemView['kind']>(system?.kind ?? 'Other');
  const [environment, setEnvironment] = useState<SystemView['environment']>(system?.environment ?? 'production');
  const [connector, setConnector] = useState<string>(connectors[0].value);
  const [connection, setConnection] = useState<ConnectionForm>(system ? formOf(system) : newConnection);
  const [budget, setBudget] = useState(megabytes(system));
  const [onBudget, setOnBudget] = useState<SystemView['on_wal_budget']>(system?.on_wal_budget ?? 'alarm');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const problem = (path: string) => error?.fields.get(path);
  const { Fields } = connectors.find(({ value }) => value === connector) ?? connectors[0];

  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    const written = {
      name: name.trim(),
      kind,
      environment,
      connection: connectionOf(connection),
      on_wal_budget: onBudget,
    };
    const bytes = budget.trim() === '' ? null : Math.round(Number(budget) * MIB);
    try {
      onDone(
        system
          ? await changeSystem(system.id, { ...written, wal_budget_bytes: bytes })
          : await registerSystem({ ...written, connector, wal_budget_bytes: bytes ?? undefined }),
      );
    } catch (failed) {
      setError(asApi(failed));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void submit();
      }}
    >
      <TextField
        label="Name"
        required
        spellcheck={false}
        placeholder="county-pacs"
        value={name}
        onInput={setName}
        problem={problem('name')}
        help="2 to 63 lower case letters, digits and dashes."
      />
      <div class="field-row">
        <SelectField label="Kind" value={kind} options={kindOptions} onInput={setKind} />
        <SelectField label="Environment" value={environment} options={environmentOptions} onInput={setEnvironment} />
        {system ? null : (
          <SelectField label="Connector" value={connector} options={connectors} onInput={setConnector} />
        )}
      </div>
      <Fields
        form={connection}
        stored={system?.connection['password'] !== undefined}
        problem={(field) => problem(`connection.${field}`)}
        onChange={setConnection}
      />
      <details open={budget !== '' || problem('wal_budget_bytes') !== undefined}>
        <summary>As a source: how much it may keep for us</summary>
        <div class="form">
          <TextField
            label="Budget in MiB"
            type="number"
            value={budget}
            onInput={setBudget}
            problem={problem('wal_budget_bytes')}
            help="Write-ahead log that the source keeps while we are away. Empty: as the settings of this installation say."
          />
          <SelectField
            label="When it is used up"
            value={onBudget}
            options={[
              { value: 'alarm', label: 'Raise an alarm, keep the slot' },
              { value: 'drop_slot', label: 'Give the slot up: the disk of the source is spared' },
            ]}
            onInput={setOnBudget}
            help={onBudget === 'drop_slot' ? 'Its pairs then have to be loaded anew.' : undefined}
          />
        </div>
      </details>
      <Failure error={error} />
      <div class="actions">
        <button type="submit" class="main" disabled={busy} aria-busy={busy}>
          {system ? 'Save' : 'Register'}
        </button>
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}

function megabytes(system: SystemView | undefined): string {
  const budget = system?.wal_budget_bytes ?? null;
  return budget === null ? '' : String(budget / MIB);
}
