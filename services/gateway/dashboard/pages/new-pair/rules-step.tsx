import type { PairPreviewReply } from '#schemas/http/pair-preview.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { SelectField, TextField } from '../../ui/field.tsx';
import { Card } from '../../ui/page.tsx';
import { ExpressionField } from './column-dialog.tsx';
import { firstOpenStep, isHalfWritten, type RuleDraft, type TableDraft } from './draft.ts';
import { PreviewCard, usePreview } from './preview.tsx';
import { changeTable, draft } from './store.ts';
import { currentTable, TableChoice } from './table-choice.tsx';
import { StepButtons } from './wizard.tsx';

export function RulesStep() {
  const table = currentTable();
  return (
    <>
      <TableChoice />
      <TableRules key={table.source} table={table} />
      <StepButtons next="check" disabled={firstOpenStep(draft.value) === 'rules'} />
    </>
  );
}

const consequences: readonly { readonly value: RuleDraft['on_failure']; readonly label: string }[] = [
  { value: '', label: 'As the pair is set' },
  { value: 'quarantine', label: 'Set the row aside as a dead letter' },
  { value: 'warn', label: 'Count it, write the row all the same' },
  { value: 'halt', label: 'Stop the pair' },
];

/** What has to be true of a table's rows. */
export function TableRules({ table }: { readonly table: TableDraft }) {
  const preview = usePreview(table, 8);
  const { rules } = table;
  const set = (all: readonly RuleDraft[]): void => {
    changeTable(table.source, { rules: all });
  };
  // What is not whole yet is not sent: numbers of problems count those that are.
  const sent = rules.filter((rule) => !isHalfWritten(rule));
  return (
    <>
      <Card
        title={`Rules of ${table.target}`}
        actions={
          <button
            type="button"
            onClick={() => {
              set([...rules, { name: `rule ${rules.length + 1}`, check: '', on_failure: '' }]);
            }}
          >
            Add a rule
          </button>
        }
      >
        {rules.length === 0 ? (
          <Empty title="No rule: every row is written">
            A rule says what has to be true of a row as it would be written. Rows that break it are set aside, and can
            be mended and replayed.
          </Empty>
        ) : (
          <ul class="rules">
            {rules.map((rule, index) => (
              <Rule
                key={index}
                rule={rule}
                outcome={preview.reply?.rules.find(({ name }) => name === rule.name.trim())}
                preview={preview.reply}
                problem={preview.problem(`rules[${sent.indexOf(rule)}].check`)}
                columns={preview.reply?.target_columns.map(({ name }) => name) ?? []}
                onChange={(part) => {
                  set(rules.map((each, at) => (at === index ? { ...each, ...part } : each)));
                }}
                onRemove={() => {
                  set(rules.filter((_each, at) => at !== index));
                }}
              />
            ))}
          </ul>
        )}
      </Card>
      <PreviewCard preview={preview} />
    </>
  );
}

function Rule({
  rule: { name, check, on_failure },
  outcome,
  preview,
  problem,
  columns,
  onChange,
  onRemove,
}: {
  readonly rule: RuleDraft;
  readonly outcome: PairPreviewReply['rules'][number] | undefined;
  readonly preview: PairPreviewReply | undefined;
  readonly problem: Parameters<typeof ExpressionField>[0]['problem'];
  readonly columns: readonly string[];
  readonly onChange: (part: Partial<RuleDraft>) => void;
  readonly onRemove: () => void;
}) {
  return (
    <li>
      <div class="field-row">
        <TextField
          label="Name of the rule"
          value={name}
          onInput={(text) => {
            onChange({ name: text });
          }}
        />
        <SelectField
          label="When a row breaks it"
          value={on_failure}
          options={consequences}
          onInput={(value) => {
            onChange({ on_failure: value });
          }}
        />
      </div>
      <ExpressionField
        label="Has to be true (CEL)"
        help={`Over row, the row as it would be written${columns.length === 0 ? '' : `: ${columns.slice(0, 8).join(', ')}${columns.length > 8 ? ' …' : ''}`}.`}
        placeholder='row.name != ""'
        value={check}
        problem={problem}
        onInput={(text) => {
          onChange({ check: text });
        }}
      />
      <div class="rule-foot" aria-live="polite">
        {outcome === undefined || preview === undefined ? (
          <span class="soft">
            {isHalfWritten({ name, check, on_failure }) ? 'Name it and write what has to be true, or remove it.' : ''}
          </span>
        ) : outcome.failed === 0 ? (
          <Badge state="ok" label={`none of ${preview.counts.read} sample rows breaks it`} />
        ) : (
          <Badge state="failed" label={`${outcome.failed} of ${preview.counts.read} sample rows break it`} />
        )}
        <button type="button" class="small" onClick={onRemove}>
          Remove
        </button>
      </div>
    </li>
  );
}
