import type { PairConfig, RuleInput, TableInput, TransformInput } from '#schemas/pairs.ts';

/** One target column as the wizard holds it. */
export interface ColumnDraft {
  /** Source column; undefined: computed. */
  readonly from: string | undefined;
  /** CEL, where it is computed. */
  readonly compute: string;
  /** Where it is made of several source columns. */
  readonly joined?: { readonly concat: readonly string[]; readonly separator: string };
  readonly target: string;
  readonly transforms: readonly TransformInput[];
  /** For a table that we make; empty: what suits it. */
  readonly type: string;
  /** Does not go over. */
  readonly out: boolean;
}

export interface RuleDraft {
  readonly name: string;
  readonly check: string;
  /** Empty: as the pair's settings say. */
  readonly on_failure: NonNullable<RuleInput['on_failure']> | '';
}

export interface TableDraft {
  readonly source: string;
  readonly target: string;
  /** undefined: every column under its own name. Columns of the source that are not among them go over as they are. */
  readonly columns: readonly ColumnDraft[] | undefined;
  /** Only the columns above go over: those of the source that are not among them stay away. */
  readonly listed?: boolean;
  readonly where: string;
  readonly rules: readonly RuleDraft[];
}

/** A table as it is stored: what was left out may be missing. */
export type StoredTable = Pick<TableInput, 'source'> & Partial<TableInput>;

export interface ConfigDraft {
  readonly max_parallel_tables: string;
  readonly on_invalid: PairConfig['on_invalid'];
  readonly schema_changes: PairConfig['schema_changes'];
  readonly new_tables: 'follow' | 'ignore';
  readonly existing_rows: PairConfig['existing_rows'];
  readonly create_tables: boolean;
}

/** Everything that has been filled in. It holds no secret: systems are there by name. */
export interface PairDraft {
  readonly source: string;
  readonly target: string;
  readonly tables: readonly TableDraft[];
  readonly name: string;
  readonly config: ConfigDraft;
  readonly start: boolean;
}

export const emptyDraft: PairDraft = {
  source: '',
  target: '',
  tables: [],
  name: '',
  config: {
    max_parallel_tables: '2',
    on_invalid: 'quarantine',
    schema_changes: 'evolve',
    new_tables: 'ignore',
    existing_rows: 'refuse',
    create_tables: true,
  },
  start: true,
};

export const newTable = (source: string): TableDraft => ({
  source,
  target: source,
  columns: undefined,
  where: '',
  rules: [],
});

export const plainColumn = (from: string): ColumnDraft => ({
  from,
  compute: '',
  target: from,
  transforms: [],
  type: '',
  out: false,
});

/** A table of a pair that is there, to be edited. */
export function tableDraftOf({
  source,
  target,
  columns = 'same',
  exclude = [],
  where,
  rules = [],
}: StoredTable): TableDraft {
  const listed = columns !== 'same';
  return {
    source,
    target: target ?? source,
    columns: listed
      ? Object.entries(columns).map(([name, column]) => ({
          from: 'from' in column ? column.from : undefined,
          compute: 'compute' in column ? column.compute : '',
          ...('concat' in column && { joined: { concat: column.concat, separator: column.separator } }),
          target: name,
          transforms: column.transforms,
          type: column.type ?? '',
          out: false,
        }))
      : exclude.length === 0
        ? undefined
        : exclude.map((name) => ({ ...plainColumn(name), out: true })),
    listed,
    where: where ?? '',
    rules: rules.map(({ name, check, on_failure }): RuleDraft => ({ name, check, on_failure: on_failure ?? '' })),
  };
}

/** Each source column, as it was edited or as it is, as often as it goes over; then those that are made of others. */
export function columnsOf({ columns = [], listed = false }: TableDraft, source: readonly string[]): ColumnDraft[] {
  const edited = Map.groupBy(columns, ({ from }) => from);
  return [
    ...source.flatMap((name) => edited.get(name) ?? [{ ...plainColumn(name), out: listed }]),
    ...(edited.get(undefined) ?? []),
  ];
}

/** Where a column comes from, in a few words. */
export const originOf = ({ from, compute, joined }: ColumnDraft): string =>
  from ?? (joined ? joined.concat.join(' + ') : compute);

const isPlain = ({ from, target, transforms, type }: ColumnDraft): boolean =>
  from !== undefined && target === from && transforms.length === 0 && type === '';

/** As the API takes it. Columns that only stay away are left out by name, so that columns which come later go over. */
export function tableInputOf(table: TableDraft): Record<string, unknown> {
  const { source, target, columns = [], listed = false, where, rules } = table;
  const excluded = columns.filter(({ out, from }) => out && from !== undefined).map(({ from }) => from!);
  const same = !listed && columns.every((column) => column.out || isPlain(column));
  return {
    source,
    ...(target === source ? {} : { target }),
    ...(same
      ? { exclude: excluded }
      : { columns: Object.fromEntries(columns.filter(({ out }) => !out).map(columnInput)) }),
    ...(where.trim() === '' ? {} : { where: where.trim() }),
    rules: rules
      .filter((rule) => !isHalfWritten(rule))
      .map(({ name, check, on_failure }) => ({
        name: name.trim(),
        check: check.trim(),
        ...(on_failure === '' ? {} : { on_failure }),
      })),
  };
}

function columnInput({
  from,
  compute,
  joined,
  target,
  transforms,
  type,
}: ColumnDraft): [string, Record<string, unknown>] {
  return [
    target,
    {
      ...(joined ?? (from === undefined ? { compute } : { from })),
      ...(transforms.length === 0 ? {} : { transforms }),
      ...(type.trim() === '' ? {} : { type: type.trim() }),
    },
  ];
}

export function configOf({ max_parallel_tables, ...rest }: ConfigDraft): Record<string, unknown> {
  return { ...rest, max_parallel_tables: Number(max_parallel_tables) };
}

/** The body of POST /api/sync-pairs and of its check. */
export function pairBodyOf({ source, target, tables, name, config, start }: PairDraft): Record<string, unknown> {
  return {
    name: name.trim() === '' ? proposedName({ source, target }) : name.trim(),
    source,
    target,
    tables: tables.map(tableInputOf),
    config: configOf(config),
    start,
  };
}

/** "county-pacs" and "county-cama": "county-pacs-to-county-cama", as far as a name may be long. */
export function proposedName({ source, target }: Pick<PairDraft, 'source' | 'target'>): string {
  const ends = `${source}-to-${target}`.toLowerCase().replace(/[^a-z0-9-]+/g, '-');
  return ends.slice(0, 63).replace(/^-+|-+$/g, '');
}

export const steps = ['systems', 'tables', 'mapping', 'rules', 'check', 'review'] as const;
export type Step = (typeof steps)[number];

/** The first step that still wants something: what comes after it cannot be done yet. */
export function firstOpenStep({ source, target, tables }: PairDraft): Step | undefined {
  if (source === '' || target === '' || source === target) return 'systems';
  if (tables.length === 0) return 'tables';
  if (tables.some((table) => badNames(table).length > 0)) return 'mapping';
  if (tables.some(({ rules }) => rules.some(isHalfWritten))) return 'rules';
  return undefined;
}

/** Names of target columns that are missing, or there twice: only one of them would be sent. */
export function badNames({ columns = [] }: TableDraft): string[] {
  const names = columns.filter(({ out }) => !out).map(({ target }) => target);
  return [...new Set(names.filter((name, index) => name.trim() === '' || names.indexOf(name) !== index))];
}

/** It would not be sent. */
export const isHalfWritten = ({ name, check }: RuleDraft): boolean => name.trim() === '' || check.trim() === '';

/** As the gateway names it in what it says is wrong. */
export const columnPath = (name: string): string =>
  /^[A-Za-z_]\w*$/.test(name) ? `columns.${name}` : `columns[${JSON.stringify(name)}]`;

/** What was stored, if it is one of ours. */
export function readDraft(text: string | null): PairDraft {
  if (text === null) return emptyDraft;
  try {
    const stored = JSON.parse(text) as Partial<PairDraft>;
    if (!Array.isArray(stored.tables) || typeof stored.config !== 'object') return emptyDraft;
    return { ...emptyDraft, ...stored, config: { ...emptyDraft.config, ...stored.config } };
  } catch {
    return emptyDraft;
  }
}
