import type { PairDefinition, TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName, type TableName } from '#schemas/tables.ts';

/** A table of the pair on its way through the checks. */
export interface Entry {
  /** "tables[0]"; "tables" when the pair takes every table. */
  readonly path: string;
  readonly input: TableInput;
  readonly source: TableName;
  readonly target: TableName;
}

export function named({ tables }: Pick<PairDefinition, 'tables'>): Entry[] {
  return (tables ?? []).map((input, index) => ({
    path: `tables[${index}]`,
    input,
    source: parseTableName(input.source),
    target: parseTableName(input.target ?? input.source),
  }));
}

export function everyTable({ schema, name }: TableName): Entry {
  const source = formatTableName({ schema, name });
  return {
    path: 'tables',
    input: { source, columns: 'same', exclude: [], rules: [] },
    source: { schema, name },
    target: { schema, name },
  };
}

export const at = ({ path }: Entry, field: string): string => (path === 'tables' ? path : `${path}.${field}`);

export function columnAt(entry: Entry, column: string): string {
  return entry.input.columns === 'same' ? at(entry, 'columns') : `${entry.path}.columns.${column}`;
}
