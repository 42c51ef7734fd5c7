/** A way that a value takes through the product. The page and the suite name them in this order. */
export const paths = {
  load: 'first load, as the bytes that COPY printed',
  chain: 'first load and stream through a chain that looks into rows',
  stream: 'insert, update to another value, to NULL and back, delete',
  unchanged: 'update of another column, the value left alone (also where it is stored out of line)',
  array: 'element of an array, beside NULL, through load and stream',
  key: 'primary key: found by it, changed, deleted',
  full: 'table without a key, REPLICA IDENTITY FULL: found by its old value, one of equal rows',
  computed: 'read by an expression and written again',
} as const;
export type Path = keyof typeof paths;

/** What a table of the matrix is for. */
export const roles = ['plain', 'mapped', 'computed', 'array', 'keyed', 'full'] as const;
export type Role = (typeof roles)[number];

/** A type with the values that are likely to break. SQL is run at both ends, values only at the source. */
export interface TypeCase {
  /** Also the name of its tables. */
  readonly name: string;
  /** As a column definition has it. */
  readonly type: string;
  /** Values as SQL expressions; each is cast to the type. At least two; the last differs from all others by the type's own equality. */
  readonly values: readonly string[];
  /** Values that servers before this major version do not have. */
  readonly newer?: readonly { readonly since: number; readonly values: readonly string[] }[];
  /** A value of more than 2 kB, for storage out of line. */
  readonly large?: string;
  /** Two values that are one key and print differently; neither equals one of `values`. */
  readonly twins?: readonly [string, string];
  /** What has to be there first, at both ends; each statement once a database, whoever else needs it. */
  readonly setup?: readonly string[];
  readonly extension?: string;
  /** First major version that has the type. */
  readonly since?: number;
  /** CHECKLIST number. */
  readonly checklist: 22 | 23 | 24 | 25;
  /** Why there is no such path: PostgreSQL itself has none. */
  readonly without?: Readonly<Partial<Record<Path, string>>>;
  /** An array of the values, where ARRAY[…] does not give one. */
  readonly array?: string;
  /** An expression that reads a value may refuse it (refusals.ts): such a type is not taken through one. */
  readonly computed?: 'refused';
  /** Tables to make of it, of those that it can have; all when left out. See `only` in tables.ts. */
  readonly roles?: readonly Role[];
  /** What a reader of the page should know. */
  readonly note?: string;
}

export const NO_ORDER = 'PostgreSQL has no order for it';

/** The values that a server of this major version knows. */
export function valuesAt({ values, newer = [] }: TypeCase, major: number): readonly string[] {
  return [...values, ...newer.filter(({ since }) => major >= since).flatMap((more) => more.values)];
}

/** A text as an SQL literal. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

export function texts(...values: readonly string[]): string[] {
  return values.map(text);
}
