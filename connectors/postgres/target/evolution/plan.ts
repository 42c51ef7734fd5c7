import type { HeldTable, NewsTable, SchemaNews, SchemaPlan, SchemaStep } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteTable } from '../../identifiers.ts';
import type { CatalogTable } from '../catalog.ts';
import { planColumnsOf } from './columns.ts';
import { planEnums } from './enums.ts';
import { planMoves } from './moves.ts';

export interface PlanInput {
  readonly news: SchemaNews;
  /** What is noted of the pair's tables, by oid. */
  readonly held: ReadonlyMap<number, HeldTable>;
  /** The target's tables under the names of all these, as they stand. */
  readonly there: ReadonlyMap<string, CatalogTable>;
}

/**
 * What makes the target's tables equal to the source's again, from what is noted of them, what has become of them, and what the target
 * really has: statements in the order in which they must run. A pure function. Columns are told apart by their numbers, tables by their
 * oids: a rename is a rename however much else has changed. (CHECKLIST 20)
 */
export function planEvolution({ news, held, there }: PlanInput): SchemaPlan {
  const steps: SchemaStep[] = [];
  const forget: number[] = [];
  const gone = new Set(news.dropped);
  for (const relationId of gone) {
    const known = held.get(relationId);
    if (known) {
      forget.push(relationId);
      if (there.has(formatTableName(known.target))) steps.push(dropTable(known));
    }
  }
  const kept = new Map([...held].filter(([relationId]) => !gone.has(relationId)));
  const dropped = new Set(forget.map((relationId) => formatTableName(held.get(relationId)!.target)));
  const moves = planMoves(news.tables, kept, there, dropped);
  steps.push(...moves.steps);
  const notes = new Map(moves.moved.map((table) => [table.source.relation_id, table]));
  for (const table of news.tables) {
    const before = held.get(table.source.relation_id);
    const catalog = there.get(formatTableName(before?.target ?? table.target));
    if (!catalog) throw missing(table.target);
    steps.push(...planEnums(before?.source, table.source));
    const columns = planColumnsOf(table, before, catalog);
    steps.push(...columns.steps, ...planPartitions(table, before));
    notes.set(table.source.relation_id, { source: table.source, target: table.target, unread: columns.unread });
  }
  return { steps, held: [...notes.values()], forget };
}

function dropTable({ source, target }: HeldTable): SchemaStep {
  return {
    kind: 'destructive',
    what: `Table ${formatTableName(source)} was dropped at the source: ${formatTableName(target)} is dropped`,
    sql: [`DROP TABLE ${quoteTable(target)}`],
  };
}

/** Rows of a partition that was detached or dropped are not the table's any more, and no row's change has said so. */
function planPartitions({ source, target }: NewsTable, before: HeldTable | undefined): SchemaStep[] {
  if (!before) return [];
  const now = new Set(source.partitions.map((partition) => partition.relation_id));
  return before.source.partitions
    .filter((partition) => !now.has(partition.relation_id) && partition.rows !== null)
    .map(({ rows }) => ({
      kind: 'destructive',
      what: `A partition of ${formatTableName(source)} was detached or dropped at the source: its rows go from ${formatTableName(target)}`,
      sql: [`DELETE FROM ${quoteTable(target)} WHERE ${rows!}`],
    }));
}

export function missing(table: TableName): TerraFusionError {
  return new TerraFusionError('TARGET_TABLE_MISSING', `The target has no table ${formatTableName(table)}`, {
    details: { tables: [formatTableName(table)] },
  });
}
