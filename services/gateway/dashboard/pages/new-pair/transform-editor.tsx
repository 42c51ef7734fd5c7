import type { TransformInput } from '#schemas/pairs.ts';
import { Field, SelectField, TextField } from '../../ui/field.tsx';
import {
  argumentOf,
  transformName,
  transforms,
  withArgument,
  type Argument,
  type TransformName,
} from './transforms.ts';

/** Steps that a value passes, in order. */
export function TransformEditor({
  list,
  onChange,
}: {
  readonly list: readonly TransformInput[];
  readonly onChange: (list: readonly TransformInput[]) => void;
}) {
  const replace = (index: number, transform: TransformInput): void => {
    onChange(list.map((each, at) => (at === index ? transform : each)));
  };
  return (
    <div class="transforms">
      {list.map((transform, index) => {
        const name = transformName(transform);
        const words = transforms[name];
        return (
          <div class="transform" key={`${index} ${name}`}>
            <div class="transform-head">
              <span class="strong">
                {index + 1}. {words.label}
              </span>
              <button
                type="button"
                class="small"
                aria-label={`Take step ${index + 1} away`}
                onClick={() => {
                  onChange(list.filter((_each, at) => at !== index));
                }}
              >
                Remove
              </button>
            </div>
            {words.arguments.length === 0 ? null : (
              <div class="field-row">
                {words.arguments.map((argument) => (
                  <ArgumentField
                    key={argument.name}
                    argument={argument}
                    value={argumentOf(transform, argument)}
                    onInput={(value) => {
                      replace(index, withArgument(transform, argument, value));
                    }}
                  />
                ))}
              </div>
            )}
          </div>
        );
      })}
      <SelectField
        label="Add a step"
        value=""
        options={[
          { value: '', label: 'Choose a transform' },
          ...(Object.keys(transforms) as TransformName[]).map((value) => ({ value, label: transforms[value].label })),
        ]}
        onInput={(name) => {
          if (name !== '') onChange([...list, transforms[name].begin]);
        }}
      />
    </div>
  );
}

function ArgumentField({
  argument: { label, kind, choices = [] },
  value,
  onInput,
}: {
  readonly argument: Argument;
  readonly value: string;
  readonly onInput: (value: string) => void;
}) {
  if (kind === 'choice') {
    return (
      <SelectField
        label={label}
        value={value}
        options={choices.map((each) => ({ value: each, label: each }))}
        onInput={onInput}
      />
    );
  }
  if (kind === 'table') {
    return (
      <Field label={label}>
        {(input) => (
          <textarea
            {...input}
            // What is half typed is no line yet: it is read when one leaves the field.
            defaultValue={value}
            onChange={(event) => {
              onInput(event.currentTarget.value);
            }}
          />
        )}
      </Field>
    );
  }
  return <TextField label={label} type={kind} value={value} onInput={onInput} spellcheck={false} />;
}
