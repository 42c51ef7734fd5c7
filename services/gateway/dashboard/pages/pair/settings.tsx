import { useState } from 'preact/hooks';
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
import { changesOf, choices, figures, valuesOf, windowParts } from './settings-values.ts';

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

function ConfigForm({
  pair,
  config,
  reload,
}: Pick<PairTabProps, 'pair' | 'reload'> & { readonly config: Readonly<Record<string, unknown>> }) {
  const before = valuesOf(config);
  const [values, setValues] = useState(before);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const set = (name: string) => (value: string) => {
    setValues({ ...values, [name]: value });
  };
  const wanted = changesOf(before, values);
  const editable = may('editor');
  const save = (): void => {
    setBusy(true);
    setError(undefined);
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
        {windowParts.map(({ name, label, help }) => (
          <TextField
            key={name}
            label={label}
            help={help}
            spellcheck={false}
            value={values[name]!}
            onInput={set(name)}
            problem={error?.fields.get(`config.${name}`)}
          />
        ))}
        <div class="form-end">
          <Failure error={error} />
          {editable ? (
            <button type="submit" class="main" disabled={busy || Object.keys(wanted).length === 0} aria-busy={busy}>
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
