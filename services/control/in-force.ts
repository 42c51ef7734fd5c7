import type { PairDefinition, TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName, type TableEnds, type TableName } from '#schemas/tables.ts';
import type { PairRecord } from './pair-records.ts';

const everyColumn = (source: string): TableInput => ({ source, columns: 'same', exclude: [], rules: [] });

/**
 * The definition that a stream runs by: a pair without a list of tables takes those that its load has taken, and not one that somebody
 * makes at the source, or that another pair has published, meanwhile.
 */
export function inForce({ definition, members }: Pick<PairRecord, 'definition' | 'members'>): PairDefinition {
  if (definition.tables !== undefined || members === undefined) return definition;
  return { ...definition, tables: members.map(everyColumn) };
}

/** The definition with these source tables alone, as their table sync runs by. */
export function onlyTables(definition: PairDefinition, sources: readonly TableName[]): PairDefinition {
  const wanted = new Set(sources.map(formatTableName));
  const named = definition.tables?.filter(({ source }) => wanted.has(formatTableName(parseTableName(source))));
  return { ...definition, tables: named ?? [...wanted].map(everyColumn) };
}

/** Every table of the pair at both ends; none for a pair whose tables are not known yet. */
export function tablesInForce(pair: Pick<PairRecord, 'definition' | 'members'>): TableEnds[] {
  return (inForce(pair).tables ?? []).map(endsOf);
}

export function endsOf({ source, target }: Pick<TableInput, 'source' | 'target'>): TableEnds {
  return { source: parseTableName(source), target: parseTableName(target ?? source) };
}
