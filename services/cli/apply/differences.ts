import { isDeepStrictEqual } from 'node:util';
import { pairConfig, tableInput, type PairConfig, type TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import { MASK } from '#services/kernel/masking.ts';

/** One field that is not as it should be. undefined: not there. */
export interface FieldChange {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Tables and config in one form: defaults filled in, names spelt alike, null as left out. What is equal in it does the same. */
export interface Definition {
  /** By source table; undefined: every table of the source. */
  readonly tables: ReadonlyMap<string, TableInput> | undefined;
  readonly config: Readonly<Record<string, unknown>>;
}

/** @throws {ZodError} for what this version does not know: a definition of a newer gateway */
export function definitionOf(tables: readonly unknown[] | null | undefined, config: unknown): Definition {
  const list = tables?.map((table) => tableInput.parse(table));
  return {
    tables: list && new Map(list.map((table) => [spelt(table.source), normalised(table)])),
    config: effective(pairConfig.parse(config), list !== undefined),
  };
}

function normalised(table: TableInput): TableInput {
  return { ...table, source: spelt(table.source), target: spelt(table.target ?? table.source) };
}

const spelt = (name: string): string => formatTableName(parseTableName(name));

function effective(config: PairConfig, named: boolean): Readonly<Record<string, unknown>> {
  const known = { ...config, new_tables: config.new_tables ?? (named ? 'ignore' : 'follow') };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined && value !== null));
}

export function definitionChanges(before: Definition, after: Definition): FieldChange[] {
  return [...tableChanges(before.tables, after.tables), ...objectChanges('config', before.config, after.config)];
}

function tableChanges(before: Definition['tables'], after: Definition['tables']): FieldChange[] {
  if (before === undefined || after === undefined) {
    if (before === after) return [];
    const shown = (tables: Definition['tables']) => (tables === undefined ? 'every table' : [...tables.keys()]);
    return [{ path: 'tables', before: shown(before), after: shown(after) }];
  }
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === undefined || is === undefined)
      return [{ path: `tables[${name}]`, before: was && 'in the pair', after: is && 'in the pair' }];
    return objectChanges(`tables[${name}]`, was, is);
  });
}

/** Field by field, objects within objects too; lists are told as a whole. */
export function objectChanges(path: string, before: object, after: object): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name) => {
    const was = (before as Record<string, unknown>)[name];
    const is = (after as Record<string, unknown>)[name];
    const at = path === '' ? name : `${path}.${name}`;
    if (isDeepStrictEqual(was, is)) return [];
    if (isPlain(was) && isPlain(is)) return objectChanges(at, was, is);
    return [{ path: at, before: was, after: is }];
  });
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What differs between a stored connection, its secrets masked, and a wanted one. Of a secret only its being there can be compared; with
 * `secretsToo` it counts as changed whenever its value is known. (Promise 8: neither value is in the answer.)
 */
export function connectionChanges(
  stored: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
  secretFields: readonly string[],
  secretsToo: boolean,
): FieldChange[] {
  const masked = (settings: Readonly<Record<string, unknown>>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(settings)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, secretFields.includes(name) ? MASK : value]),
    );
  const changes = objectChanges('connection', masked(stored), masked(wanted));
  if (!secretsToo) return changes;
  const rewritten = secretFields.filter((name) => {
    const value = wanted[name];
    return stored[name] !== undefined && value !== undefined && value !== MASK;
  });
  return [
    ...changes,
    ...rewritten.map((name) => ({ path: `connection.${name}`, before: MASK, after: 'written anew' })),
  ];
}
