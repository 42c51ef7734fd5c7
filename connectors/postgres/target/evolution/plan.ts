import type { HeldTable, NewsTable, SchemaNews, SchemaPlan, SchemaStep } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteColumns, quoteTable } from '../../identifiers.ts';
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
    const partitions = planPartitions(table, before, held);
    steps.push(...columns.steps, ...partitions.steps);
    forget.push(...partitions.merged);
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

/** Rows come and go with partitions, and no row's change says so. */
function planPartitions(
  { source, target, exclude, attached }: NewsTable,
  before: HeldTable | undefined,
  held: ReadonlyMap<number, HeldTable>,
): { readonly steps: SchemaStep[]; readonly merged: number[] } {
  const steps: SchemaStep[] = [];
  const merged: number[] = [];
  if (!before) return { steps, merged };
  const name = formatTableName(target);
  const now = new Set(source.partitions.map((partition) => partition.relation_id));
  const was = new Set(before.source.partitions.map((partition) => partition.relation_id));
  for (const { relation_id, rows } of before.source.partitions) {
    if (now.has(relation_id)) continue;
    // The condition of a hash partition names the source's table by its oid.
    const told = rows !== null && !rows.includes('satisfies_hash_partition');
    steps.push({
      kind: told ? 'destructive' : 'unknown',
      what: `A partition of ${formatTableName(source)} was detached or dropped at the source: its rows go from ${name}${told ? '' : ', which cannot be told from the others: load the table anew afterwards'}`,
      sql: told ? [`DELETE FROM ${quoteTable(target)} WHERE ${rows}`] : [],
    });
  }
  for (const { relation_id } of source.partitions) {
    if (was.has(relation_id) || attached === 'empty') continue;
    const own = held.get(relation_id);
    if (own) {
      const columns = quoteColumns(
        source.columns
          .filter((column) => !column.generated && !exclude.includes(column.name))
          .map((column) => column.name),
      );
      merged.push(relation_id);
      steps.push({
        kind: 'additive',
        what: `Table ${formatTableName(own.source)} was attached to ${formatTableName(source)} at the source: its rows go to ${name}`,
        sql: [
          `INSERT INTO ${quoteTable(target)} (${columns}) SELECT ${columns} FROM ${quoteTable(own.target)}`,
          `DROP TABLE ${quoteTable(own.target)}`,
        ],
      });
    } else {
      steps.push({
        kind: 'unknown',
        what: `A partition was attached to ${formatTableName(source)} at the source: the rows it came with are not in ${name}; load the table anew afterwards`,
        sql: [],
      });
    }
  }
  return { steps, merged };
}

export function missing(table: TableName): TerraFusionError {
  return new TerraFusionError('TARGET_TABLE_MISSING', `The target has no table ${formatTableName(table)}`, {
    details: { tables: [formatTableName(table)] },
  });
}
