import type { TransformInput } from '#schemas/pairs.ts';

type Names<T> = T extends string ? T : T extends object ? keyof T : never;
export type TransformName = Names<TransformInput>;

/** An argument, as a person fills it in. */
export interface Argument {
  readonly name: string;
  readonly label: string;
  readonly kind: 'text' | 'number' | 'choice' | 'table';
  readonly choices?: readonly string[];
}

export interface TransformWords {
  readonly label: string;
  /** With arguments: what it begins with. A single text is an argument without a name. */
  readonly begin: TransformInput;
  readonly arguments: readonly Argument[];
}

const text = (name: string, label: string): Argument => ({ name, label, kind: 'text' });
const number = (name: string, label: string): Argument => ({ name, label, kind: 'number' });
const plain = (name: Extract<TransformInput, string>, label: string): TransformWords => ({
  label,
  begin: name,
  arguments: [],
});

/** Every transform that there is: one that the API gets is missing here until it has its words. */
export const transforms: Readonly<Record<TransformName, TransformWords>> = {
  trim: plain('trim', 'Trim blanks at both ends'),
  upper: plain('upper', 'Upper case'),
  lower: plain('lower', 'Lower case'),
  collapse_spaces: plain('collapse_spaces', 'Several blanks become one'),
  digits_only: plain('digits_only', 'Digits only'),
  null_if_empty: plain('null_if_empty', 'Empty becomes NULL'),
  pad_left: {
    label: 'Pad at the left',
    begin: { pad_left: { length: 10, with: '0' } },
    arguments: [number('length', 'To length'), text('with', 'With')],
  },
  pad_right: {
    label: 'Pad at the right',
    begin: { pad_right: { length: 10, with: ' ' } },
    arguments: [number('length', 'To length'), text('with', 'With')],
  },
  replace: {
    label: 'Replace text',
    begin: { replace: { find: '-', with: '' } },
    arguments: [text('find', 'Find'), text('with', 'Replace with')],
  },
  replace_pattern: {
    label: 'Replace a pattern',
    begin: { replace_pattern: { pattern: '[^0-9]', with: '' } },
    arguments: [text('pattern', 'Pattern'), text('with', 'Replace with')],
  },
  lookup: {
    label: 'Look up in a list',
    begin: { lookup: { values: {}, otherwise: 'keep' } },
    arguments: [
      { name: 'values', label: 'List, one “value = replacement” a line', kind: 'table' },
      { name: 'otherwise', label: 'Other values', kind: 'choice', choices: ['keep', 'null', 'reject'] },
    ],
  },
  default: { label: 'NULL becomes …', begin: { default: '' }, arguments: [text('', 'Value')] },
  prefix: { label: 'Put before', begin: { prefix: '' }, arguments: [text('', 'Text')] },
  suffix: { label: 'Put behind', begin: { suffix: '' }, arguments: [text('', 'Text')] },
  mask: {
    label: 'Mask',
    begin: { mask: { keep_last: 4, with: '*' } },
    arguments: [number('keep_last', 'Keep the last'), text('with', 'With')],
  },
  hash: {
    label: 'Hash (SHA-256)',
    begin: { hash: { algorithm: 'sha256', salt: '' } },
    arguments: [text('salt', 'Salt')],
  },
  truncate: { label: 'Cut', begin: { truncate: { length: 50 } }, arguments: [number('length', 'After')] },
};

export const transformName = (transform: TransformInput): TransformName =>
  (typeof transform === 'string' ? transform : Object.keys(transform)[0]) as TransformName;

/** The argument's value as the form shows it. */
export function argumentOf(transform: TransformInput, { name, kind }: Argument): string {
  if (typeof transform === 'string') return '';
  const given = Object.values(transform)[0] as unknown;
  const value = name === '' ? given : (given as Record<string, unknown>)[name];
  if (kind === 'table') {
    return Object.entries(value as Record<string, string | null>)
      .map(([from, to]) => `${from} = ${to ?? 'NULL'}`)
      .join('\n');
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

export function withArgument(transform: TransformInput, { name, kind }: Argument, value: string): TransformInput {
  if (typeof transform === 'string') return transform;
  const key = transformName(transform);
  const read = kind === 'number' ? Number(value) : kind === 'table' ? readList(value) : value;
  const given = Object.values(transform)[0] as object;
  return { [key]: name === '' ? read : { ...given, [name]: read } } as TransformInput;
}

/** "R = Residential" a line; NULL stands for no value. */
export function readList(lines: string): Record<string, string | null> {
  return Object.fromEntries(
    lines
      .split('\n')
      .map((line) => /^(.*?)\s*=\s*(.*)$/.exec(line.trim()))
      .flatMap((match) => (match ? [[match[1]!, match[2] === 'NULL' ? null : match[2]!]] : [])),
  );
}

/** "trim, pad at the left (10, 0)". */
export function transformsText(list: readonly TransformInput[]): string {
  return list
    .map((transform) => {
      const { label, arguments: wanted } = transforms[transformName(transform)];
      const given = wanted.filter(({ kind }) => kind !== 'table').map((each) => argumentOf(transform, each));
      return given.length === 0 ? label.toLowerCase() : `${label.toLowerCase()} (${given.join(', ')})`;
    })
    .join(', then ');
}
