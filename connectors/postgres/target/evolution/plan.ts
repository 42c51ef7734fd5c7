import type { HeldTable, NewsTable, SchemaNews, SchemaPlan, SchemaStep } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { SourceTable } from '#schemas/source-tables.ts';
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
    if (table.guessed.length > 0) steps.push(guess(table));
    steps.push(...planEnums(before?.source, table.source));
    const columns = planColumnsOf(table, before, catalog);
    const partitions = planPartitions(table, before, held, there);
    steps.push(...columns.steps, ...partitions.steps);
    forget.push(...partitions.merged);
    notes.set(table.source.relation_id, { source: table.source, target: table.target, unread: columns.unread });
  }
  return { steps, held: [...notes.values()], forget };
}

/** Promise 2: what may be wrong is asked about, not done in silence. */
function guess({ source, guessed }: NewsTable): SchemaStep {
  return {
    kind: 'unknown',
    what: `${formatTableName(source)} was altered more than once before anybody could look: which older columns ${guessed.join(', ')} are is taken from their types; load the table anew afterwards`,
    sql: [],
  };
}

function dropTable({ source, target }: HeldTable): SchemaStep {
  return {
    kind: 'destructive',
    what: `Table ${formatTableName(source)} was dropped at the source: ${formatTableName(target)} is dropped`,
    sql: [`DROP TABLE ${quoteTable(target)}`],
  };
}

/** Rows come and go with partitions, and no row's change says so. Where the target's table has partitions too, they come and go with it. */
function planPartitions(
  news: NewsTable,
  before: HeldTable | undefined,
  held: ReadonlyMap<number, HeldTable>,
  there: ReadonlyMap<string, CatalogTable>,
): { readonly steps: SchemaStep[]; readonly merged: number[] } {
  const { source, target } = news;
  const merged: number[] = [];
  if (!before) return { steps: [], merged };
  const parted = there.get(formatTableName(before.target))?.kind === 'p';
  const at = (name: string): TableName => ({ schema: target.schema, name: name === source.name ? target.name : name });
  const now = new Set(source.partitions.map((partition) => partition.relation_id));
  const was = new Set(before.source.partitions.map((partition) => partition.relation_id));
  const steps: SchemaStep[] = [];
  for (const partition of before.source.partitions) {
    if (now.has(partition.relation_id)) continue;
    const own = at(partition.name);
    steps.push(goes(news, partition, parted && there.has(formatTableName(own)) ? own : undefined));
  }
  for (const partition of source.partitions) {
    if (was.has(partition.relation_id)) continue;
    const own = held.get(partition.relation_id);
    if (own) merged.push(partition.relation_id);
    steps.push(...comes(news, partition, own, parted ? at : undefined));
  }
  return { steps, merged };
}

type Partition = SourceTable['partitions'][number];

/** @param own the target's partition, where it has one */
function goes({ source, target }: NewsTable, { rows }: Partition, own: TableName | undefined): SchemaStep {
  const what = `A partition of ${formatTableName(source)} was detached or dropped at the source: its rows go from ${formatTableName(target)}`;
  if (own) return { kind: 'destructive', what, sql: [`DROP TABLE ${quoteTable(own)}`] };
  // The condition of a hash partition names the source's table by its oid.
  if (rows !== null && !rows.includes('satisfies_hash_partition'))
    return { kind: 'destructive', what, sql: [`DELETE FROM ${quoteTable(target)} WHERE ${rows}`] };
  return {
    kind: 'unknown',
    what: `${what}, which cannot be told from the others: load the table anew afterwards`,
    sql: [],
  };
}

/**
 * @param own the partition as a table that the pair has followed until now
 * @param at where partitions of these names lie, where the target's table has partitions
 */
function comes(
  { source, target, exclude, attached }: NewsTable,
  { name, parent, bound }: Partition,
  own: HeldTable | undefined,
  at: ((name: string) => TableName) | undefined,
): SchemaStep[] {
  const root = formatTableName(source);
  if (own) {
    const columns = quoteColumns(
      source.columns
        .filter((column) => !column.generated && !exclude.includes(column.name))
        .map((column) => column.name),
    );
    const sql = at
      ? [`ALTER TABLE ${quoteTable(at(parent))} ATTACH PARTITION ${quoteTable(own.target)} ${bound}`]
      : [
          `INSERT INTO ${quoteTable(target)} (${columns}) SELECT ${columns} FROM ${quoteTable(own.target)}`,
          `DROP TABLE ${quoteTable(own.target)}`,
        ];
    const what = `Table ${formatTableName(own.source)} was attached to ${root} at the source: its rows go to ${formatTableName(target)}`;
    return [{ kind: 'additive', what, sql }];
  }
  const steps: SchemaStep[] = [];
  if (at) {
    steps.push({
      kind: 'additive',
      what: `${root} has the partition ${name} at the source: ${formatTableName(target)} gets it`,
      sql: [`CREATE TABLE IF NOT EXISTS ${quoteTable(at(name))} PARTITION OF ${quoteTable(at(parent))} ${bound}`],
    });
  }
  if (attached !== 'empty') {
    steps.push({
      kind: 'unknown',
      what: `Table ${name} was attached to ${root} at the source: the rows it came with are not in ${formatTableName(target)}; load the table anew afterwards`,
      sql: [],
    });
  }
  return steps;
}

export function missing(table: TableName): TerraFusionError {
  return new TerraFusionError('TARGET_TABLE_MISSING', `The target has no table ${formatTableName(table)}`, {
    details: { tables: [formatTableName(table)] },
  });
}
