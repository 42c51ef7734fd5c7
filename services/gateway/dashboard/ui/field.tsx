import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { FieldProblem } from '#schemas/http/common.ts';

interface Shared {
  readonly label: string;
  readonly help?: ComponentChildren;
  /** Of the API's `details.fields`: `error.fields.get('connection.url')`. */
  readonly problem?: FieldProblem | undefined;
}

/** What an input needs to belong to its label, its help and its problem. */
export interface FieldInput {
  readonly id: string;
  readonly 'aria-describedby': string;
  readonly 'aria-invalid': boolean;
}

/** A label with its input, the help under it, and what the gateway says is wrong with it. */
export function Field({
  label,
  help,
  problem,
  children,
}: Shared & { readonly children: (input: FieldInput) => ComponentChildren }) {
  const id = useId();
  const [helpId, problemId] = [`${id}-help`, `${id}-problem`];
  return (
    <div class={problem === undefined ? 'field' : 'field invalid'}>
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': `${helpId} ${problemId}`, 'aria-invalid': problem !== undefined })}
      <p id={helpId} class="field-help">
        {help}
      </p>
      <p id={problemId} class="field-problem" role="alert">
        {problem === undefined ? null : `${problem.message}. ${problem.fix}`}
      </p>
    </div>
  );
}

interface InputProps {
  readonly type?: 'text' | 'password' | 'number' | 'datetime-local';
  readonly placeholder?: string;
  readonly required?: boolean;
  readonly disabled?: boolean;
  readonly autofocus?: boolean;
  readonly spellcheck?: boolean;
}

export function TextField({
  label,
  help,
  problem,
  value,
  onInput,
  type = 'text',
  ...rest
}: Shared & InputProps & { readonly value: string; readonly onInput: (value: string) => void }) {
  return (
    <Field label={label} help={help} problem={problem}>
      {(input) => (
        <input
          // Each type has attributes of its own; those above are common to all.
          {...({ type } as { type: 'text' })}
          autocomplete="off"
          {...rest}
          {...input}
          value={value}
          onInput={(event) => {
            onInput(event.currentTarget.value);
          }}
        />
      )}
    </Field>
  );
}

export function SelectField<Value extends string>({
  label,
  help,
  problem,
  value,
  options,
  onInput,
}: Shared & {
  readonly value: Value;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
  readonly onInput: (value: Value) => void;
}) {
  return (
    <Field label={label} help={help} problem={problem}>
      {(input) => (
        <select
          {...input}
          value={value}
          onChange={(event) => {
            onInput(event.currentTarget.value as Value);
          }}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
