import type { PairConfig } from '#schemas/pairs.ts';

/** The settings that can be chosen from a list. */
export const choices = [
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
    name: 'create_tables',
    label: 'A table is not at the target',
    options: { true: 'it is made', false: 'the load is refused' },
    otherwise: 'true',
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
export const figures = [
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
  {
    name: 'batch_size',
    label: 'Rows a read',
    help: 'Of sources that are asked again and again; streams batch by themselves. 1 to 100,000',
    optional: false,
  },
] as const satisfies readonly {
  readonly name: keyof PairConfig;
  readonly label: string;
  readonly help: string;
  readonly optional: boolean;
}[];

/** `load_window`, part by part. */
export const windowParts = [
  { name: 'load_window.from', label: 'Loads run from', help: 'Such as 22:30. Empty, both: at any time' },
  { name: 'load_window.to', label: 'Loads run until', help: 'Such as 05:00; over midnight when it is the earlier one' },
  { name: 'load_window.zone', label: 'In the time zone', help: 'Such as America/Los_Angeles' },
] as const;

/** The form's fields, as text. */
export type Values = Readonly<Record<string, string>>;

export function valuesOf(config: Readonly<Record<string, unknown>>): Values {
  const window = (config['load_window'] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    ...Object.fromEntries(choices.map(({ name, otherwise }) => [name, text(config[name]) || otherwise])),
    ...Object.fromEntries(figures.map(({ name }) => [name, text(config[name])])),
    'load_window.from': text(window['from']),
    'load_window.to': text(window['to']),
    'load_window.zone': text(window['zone']) || 'UTC',
  };
}

/** What was changed, as the API takes it: a figure as a number, an emptied one as null. */
export function changesOf(before: Values, after: Values): Record<string, unknown> {
  const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
  const given: Record<string, unknown> = Object.fromEntries(
    changed.filter((name) => !name.startsWith('load_window.')).map((name) => [name, asGiven(name, after[name]!)]),
  );
  if (changed.some((name) => name.startsWith('load_window.'))) {
    const [from, to, zone] = windowParts.map(({ name }) => after[name]!.trim()) as [string, string, string];
    // A half of it is sent as it is: the gateway says what is missing, at its field.
    const window = from === '' && to === '' ? null : { from, to, zone };
    const had = before['load_window.from'] !== '' || before['load_window.to'] !== '';
    if (window !== null || had) given['load_window'] = window;
  }
  return given;
}

const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';

function asGiven(name: string, value: string): string | number | boolean | null {
  if (name === 'create_tables') return value === 'true';
  if (!figures.some((figure) => figure.name === name)) return value;
  return value.trim() === '' ? null : Number(value);
}
