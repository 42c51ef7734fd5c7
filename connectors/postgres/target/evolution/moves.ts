import type { HeldTable, NewsTable, SchemaStep } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteIdentifier, quoteTable } from '../../identifiers.ts';
import type { CatalogTable } from '../catalog.ts';

/**
 * Tables that are called otherwise or lie in another schema now. Where a new name is another followed table's, that one goes to a name
 * in between, and to its own new one with the news of it: so two tables may swap their names in whatever order it is told. (CHECKLIST 20)
 */
export function planMoves(
  tables: readonly NewsTable[],
  held: ReadonlyMap<number, HeldTable>,
  there: ReadonlyMap<string, CatalogTable>,
  dropped: ReadonlySet<string>,
): { readonly steps: SchemaStep[]; readonly moved: HeldTable[] } {
  const steps: SchemaStep[] = [];
  const moved: HeldTable[] = [];
  /** Where each table lies by now. */
  const lies = new Map([...held].map(([relationId, { target }]) => [relationId, target]));
  const moving = tables.filter(({ source, target }) => {
    const before = held.get(source.relation_id);
    return before !== undefined && formatTableName(before.target) !== formatTableName(target);
  });
  for (const { source, target } of moving) {
    const from = lies.get(source.relation_id)!;
    const occupant = [...lies].find(
      ([relationId, name]) => relationId !== source.relation_id && formatTableName(name) === formatTableName(target),
    );
    const sql: string[] = [];
    if (occupant) {
      const aside = { schema: target.schema, name: `_terrafusion_${occupant[0]}` };
      sql.push(...moveSql(target, aside));
      lies.set(occupant[0], aside);
      const table = held.get(occupant[0])!;
      moved.push({ ...table, target: aside });
    } else if (there.has(formatTableName(target)) && !dropped.has(formatTableName(target))) {
      throw new TerraFusionError(
        'SCHEMA_CHANGE_IMPOSSIBLE',
        `${formatTableName(from)} cannot become ${formatTableName(target)} at the target, as it did at the source: there is a table of that name`,
        { details: { table: formatTableName(target) } },
      );
    }
    sql.push(...moveSql(from, target));
    lies.set(source.relation_id, target);
    steps.push({
      kind: 'additive',
      what: `Table ${formatTableName(held.get(source.relation_id)!.source)} is called ${formatTableName(source)} at the source`,
      sql,
    });
  }
  return { steps, moved };
}

function moveSql(from: TableName, to: TableName): string[] {
  const sql: string[] = [];
  let at = from;
  if (from.schema !== to.schema) {
    // A role that may not create schemas can use one that was made for it.
    sql.push(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(to.schema)}`);
    if (from.name !== to.name) {
      const between = { schema: from.schema, name: `_terrafusion_${to.name}`.slice(0, 60) };
      sql.push(`ALTER TABLE ${quoteTable(at)} RENAME TO ${quoteIdentifier(between.name)}`);
      at = between;
    }
    sql.push(`ALTER TABLE ${quoteTable(at)} SET SCHEMA ${quoteIdentifier(to.schema)}`);
    at = { schema: to.schema, name: at.name };
  }
  if (at.name !== to.name) sql.push(`ALTER TABLE ${quoteTable(at)} RENAME TO ${quoteIdentifier(to.name)}`);
  return sql;
}
