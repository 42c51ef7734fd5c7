import type { FieldProblem } from '#schemas/http/common.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Field, TextField } from '../../ui/field.tsx';
import type { ColumnDraft } from './draft.ts';
import { TransformEditor } from './transform-editor.tsx';

/** Everything of one target column. What is changed shows in the preview at once. */
export function ColumnDialog({
  column,
  problem,
  sample,
  onChange,
  onRemove,
  onClose,
}: {
  readonly column: ColumnDraft;
  readonly problem: (field: string) => FieldProblem | undefined;
  /** Values that it has in the rows of the preview. */
  readonly sample: readonly (string | null)[];
  readonly onChange: (part: Partial<ColumnDraft>) => void;
  readonly onRemove: (() => void) | undefined;
  readonly onClose: () => void;
}) {
  const { from, compute, joined, target, transforms, type } = column;
  return (
    <Dialog
      title={joined ? `Joined column ${target}` : from === undefined ? `Computed column ${target}` : `Column ${from}`}
      wide
      onClose={onClose}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
        }}
      >
        <div class="field-row">
          <TextField
            label="Name at the target"
            required
            spellcheck={false}
            value={target}
            onInput={(name) => {
              onChange({ target: name });
            }}
          />
          <TextField
            label="Type"
            spellcheck={false}
            placeholder="what suits it"
            value={type}
            onInput={(text) => {
              onChange({ type: text });
            }}
            help="For a table that is made; one that is there keeps its types."
          />
        </div>
        {joined ? (
          <TextField
            label="Separator"
            spellcheck={false}
            value={joined.separator}
            onInput={(separator) => {
              onChange({ joined: { ...joined, separator } });
            }}
            help={`Between ${joined.concat.join(', ')}; NULL and empty ones are left out.`}
          />
        ) : from === undefined ? (
          <ExpressionField
            label="Expression (CEL)"
            help="Over row, the source row: int(row.prop_val_yr), row.first + ' ' + row.last."
            value={compute}
            problem={problem('compute')}
            onInput={(text) => {
              onChange({ compute: text });
            }}
          />
        ) : null}
        <TransformEditor
          list={transforms}
          onChange={(list) => {
            onChange({ transforms: list });
          }}
        />
        <p class="soft" aria-live="polite">
          {sample.length === 0
            ? 'Its values are not known yet.'
            : `Now gives: ${sample.map((value) => value ?? 'NULL').join(' · ')}`}
        </p>
        <div class="dialog-actions">
          {onRemove === undefined ? null : (
            <button type="button" onClick={onRemove}>
              Remove the column
            </button>
          )}
          <button type="submit" class="main">
            Done
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** CEL, looked at by the gateway while it is typed. */
export function ExpressionField({
  label,
  help,
  value,
  problem,
  onInput,
  placeholder,
}: {
  readonly label: string;
  readonly help: string;
  readonly value: string;
  readonly problem: FieldProblem | undefined;
  readonly onInput: (text: string) => void;
  readonly placeholder?: string;
}) {
  return (
    <div class="expression">
      <Field label={label} help={help}>
        {(input) => (
          <textarea
            {...input}
            aria-invalid={problem !== undefined}
            rows={2}
            spellcheck={false}
            {...(placeholder === undefined ? {} : { placeholder })}
            value={value}
            onInput={(event) => {
              onInput(event.currentTarget.value);
            }}
          />
        )}
      </Field>
      {problem === undefined ? null : (
        <p class="field-problem expression-problem" role="alert">
          {problem.message}
        </p>
      )}
    </div>
  );
}
