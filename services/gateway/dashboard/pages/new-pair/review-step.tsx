import { useState } from 'preact/hooks';
import { makePair } from '../../api/new-pair.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';
import { navigate } from '../../app/router.ts';
import { counted } from '../../format.ts';
import { SelectField, TextField } from '../../ui/field.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { toast } from '../../ui/toast.tsx';
import { pairBodyOf, proposedName, type ConfigDraft } from './draft.ts';
import { change, draft, forgetDraft } from './store.ts';
import { StepButtons } from './wizard.tsx';

export function ReviewStep() {
  const { value } = draft;
  const { config, tables } = value;
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const set = (part: Partial<ConfigDraft>): void => {
    change({ config: { ...config, ...part } });
  };
  const make = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const { name } = await makePair(pairBodyOf(value));
      toast(value.start ? `${name} is made, and being started.` : `${name} is made.`);
      navigate(pathOf('/dashboard/pairs/:pair', { pair: name }), { replace: true });
      forgetDraft();
    } catch (failed) {
      setError(asApi(failed));
      setBusy(false);
    }
  };
  return (
    <form
      class="review"
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void make();
      }}
    >
      <Card title="What it is">
        <div class="form">
          <TextField
            label="Name of the pair"
            required
            spellcheck={false}
            value={value.name === '' ? proposedName(value) : value.name}
            onInput={(name) => {
              change({ name });
            }}
            problem={error?.fields.get('name')}
            help="2 to 63 lower case letters, digits and dashes."
          />
          <p>
            {value.source} → {value.target}, {counted(tables.length, 'table')}:
          </p>
          <ul class="findings">
            {tables.slice(0, 20).map(({ source, target, columns, where, rules }) => (
              <li key={source}>
                <span class="strong">{source === target ? source : `${source} → ${target}`}</span>{' '}
                <span class="soft">
                  {[
                    columns === undefined ? 'every column' : 'columns mapped',
                    ...(where === '' ? [] : ['filtered']),
                    ...(rules.length === 0 ? [] : [counted(rules.length, 'rule')]),
                  ].join(', ')}
                </span>
              </li>
            ))}
            {tables.length > 20 ? <li class="soft">and {tables.length - 20} more</li> : null}
          </ul>
        </div>
      </Card>
      <Card title="How it runs">
        <div class="form">
          <TextField
            label="Tables that are loaded at once"
            type="number"
            value={config.max_parallel_tables}
            onInput={(text) => {
              set({ max_parallel_tables: text });
            }}
            problem={error?.fields.get('config.max_parallel_tables')}
            help="1 to 32. More load faster and cost both ends more."
          />
          <SelectField
            label="A row that breaks a rule or cannot be computed"
            value={config.on_invalid}
            options={[
              { value: 'quarantine', label: 'is set aside as a dead letter' },
              { value: 'warn', label: 'is counted and written where it can be' },
              { value: 'halt', label: 'stops the pair' },
            ]}
            onInput={(on_invalid) => {
              set({ on_invalid });
            }}
          />
          <SelectField
            label="When a table changes at the source"
            value={config.schema_changes}
            options={[
              { value: 'evolve', label: 'the target is altered likewise; what takes values away waits for approval' },
              { value: 'halt', label: 'every change waits for approval' },
            ]}
            onInput={(schema_changes) => {
              set({ schema_changes });
            }}
          />
          <SelectField
            label="Tables that are made later at the source"
            value={config.new_tables}
            options={[
              { value: 'ignore', label: 'are not taken' },
              { value: 'follow', label: 'are taken too' },
            ]}
            onInput={(new_tables) => {
              set({ new_tables });
            }}
          />
          <SelectField
            label="Target tables that hold rows already"
            value={config.existing_rows}
            options={[
              { value: 'refuse', label: 'are refused: nothing is touched' },
              { value: 'replace', label: 'are emptied and loaded' },
            ]}
            onInput={(existing_rows) => {
              set({ existing_rows });
            }}
          />
          <label class="check">
            <input
              type="checkbox"
              checked={config.create_tables}
              onChange={(event) => {
                set({ create_tables: event.currentTarget.checked });
              }}
            />
            Make target tables that are missing
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={value.start}
              onChange={(event) => {
                change({ start: event.currentTarget.checked });
              }}
            />
            Start it as soon as it is made
          </label>
        </div>
      </Card>
      <Failure error={error} />
      <div class="wizard-buttons">
        <StepButtons />
        <button type="submit" class="main" disabled={busy} aria-busy={busy}>
          {value.start ? 'Make and start the pair' : 'Make the pair'}
        </button>
      </div>
    </form>
  );
}
