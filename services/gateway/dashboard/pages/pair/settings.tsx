import { useState } from 'preact/hooks';
import type { PairConfig } from '#schemas/pairs.ts';
import { changePair } from '../../api/pairs.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { may } from '../../app/session.ts';
import { SelectField, TextField } from '../../ui/field.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { toast } from '../../ui/toast.tsx';
import { Commands } from './commands.tsx';
import type { PairTabProps } from './pair.tsx';

export function SettingsTab(props: PairTabProps) {
  const { pair, view, reload } = props;
  return (
    <>
      {view === undefined ? (
        <p class="soft loading">Loading …</p>
      ) : (
        <ConfigForm key={view.version} pair={pair} config={view.definition.config} reload={reload} />
      )}
      <Commands {...props} />
    </>
  );
}

/** The settings that can be chosen from a list. */
const choices = [
  {
    name: 'on_invalid',
    label: 'A row that breaks a rule',
    options: { quarantine: 'is set aside as a dead letter', warn: 'is counted and written', halt: 'stops the pair' },
    otherwise: 'quarantine',
  },
  {
    name: 'schema_changes',
    label: 'A table changes at the source',
    options: { evolve: 'the target follows', halt: 'the pair waits for approval' },
    otherwise: 'evolve',
  },
  {
    name: 'destructive_changes',
    label: 'The change takes values away',
    options: { ask: 'the pair waits for approval', apply: 'it is done' },
    otherwise: 'ask',
  },
  {
    name: 'new_tables',
    label: 'A table is new at the source',
    options: { follow: 'the pair takes it along', ignore: 'the pair leaves it out' },
    otherwise: 'ignore',
  },
  {
    name: 'existing_rows',
    label: 'A target table is not empty at first',
    options: { refuse: 'the load is refused', replace: 'they are replaced' },
    otherwise: 'refuse',
  },
  {
    name: 'audit_level',
    label: 'Into the audit trail goes',
    options: { minimal: 'what people do', standard: 'also what happens to the pair', detailed: 'every detail' },
    otherwise: 'standard',
  },
] as const satisfies readonly {
  readonly name: keyof PairConfig;
  readonly label: string;
  readonly options: Readonly<Record<string, string>>;
  readonly otherwise: string;
}[];

/** Settings that are figures; empty where the gateway finds one by itself. */
const figures = [
  { name: 'max_parallel_tables', label: 'Tables that a load copies at once', help: '1 to 32', optional: false },
  { name: 'max_parallel_operations', label: 'Chunks that a load copies at once', help: '1 to 32', optional: false },
  { name: 'load_chunk_rows', label: 'Rows a chunk', help: 'Empty: about 16 MiB of the table', optional: true },
  {
    name: 'load_max_rows_per_second',
    label: 'Rows a second at most',
    help: 'Empty: as fast as it can',
    optional: true,
  },
  {
    name: 'load_max_mb_per_second',
    label: 'MB a second at most',
    help: 'Empty: as fast as it can',
    optional: true,
  },
] as const satisfies readonly {
  readonly name: keyof PairConfig;
  readonly label: string;
  readonly help: string;
  readonly optional: boolean;
}[];

type Values = Readonly<Record<string, string>>;

function ConfigForm({
  pair,
  config,
  reload,
}: Pick<PairTabProps, 'pair' | 'reload'> & { readonly config: Readonly<Record<string, unknown>> }) {
  const before: Values = Object.fromEntries([
    ...choices.map(({ name, otherwise }) => [name, text(config[name]) || otherwise] as const),
    ...figures.map(({ name }) => [name, text(config[name])] as const),
  ]);
  const [values, setValues] = useState(before);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const set = (name: string) => (value: string) => {
    setValues({ ...values, [name]: value });
  };
  const changed = Object.keys(values).filter((name) => values[name] !== before[name]);
  const editable = may('editor');
  const save = (): void => {
    setBusy(true);
    setError(undefined);
    const wanted = Object.fromEntries(changed.map((name) => [name, asGiven(name, values[name]!)]));
    changePair(pair.id, { config: wanted })
      .then(
        () => {
          toast(`The settings of ${pair.name} are changed.`);
          reload();
        },
        (failed: unknown) => {
          setError(asApi(failed));
        },
      )
      .finally(() => {
        setBusy(false);
      });
  };
  return (
    <Card title="Settings">
      <form
        class="form two"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        {choices.map(({ name, label, options }) => (
          <SelectField
            key={name}
            label={label}
            value={values[name]!}
            options={Object.entries(options).map(([value, words]) => ({ value, label: words }))}
            onInput={set(name)}
            problem={error?.fields.get(`config.${name}`)}
          />
        ))}
        {figures.map(({ name, label, help, optional }) => (
          <TextField
            key={name}
            type="number"
            label={label}
            help={help}
            required={!optional}
            value={values[name]!}
            onInput={set(name)}
            problem={error?.fields.get(`config.${name}`)}
          />
        ))}
        <div class="form-end">
          <Failure error={error} />
          {editable ? (
            <button type="submit" class="main" disabled={busy || changed.length === 0} aria-busy={busy}>
              Save
            </button>
          ) : (
            <p class="soft">Changing settings needs the role editor.</p>
          )}
        </div>
      </form>
    </Card>
  );
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

/** As the API takes it: a figure as a number, an emptied one as null. */
function asGiven(name: string, value: string): string | number | null {
  if (!figures.some((figure) => figure.name === name)) return value;
  return value.trim() === '' ? null : Number(value);
}
