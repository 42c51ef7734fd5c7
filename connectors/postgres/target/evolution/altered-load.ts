import type pg from 'pg';
import type { AlteredTable, HeldTable } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { isPostgresError } from '../../errors.ts';
import { quoteTable } from '../../identifiers.ts';
import { ensureBookkeeping } from '../bookkeeping.ts';
import type { CatalogTable } from '../catalog.ts';
import { readTables } from '../describe.ts';
import { reasonOf } from '../failures.ts';
import { emptyTables } from '../empty-tables.ts';
import { rankByForeignKeys } from '../foreign-key-order.ts';
import { putKeyBack, readLateKeys } from '../late-keys.ts';
import { SCHEMA } from '../own-schema.ts';
import { forgetTableSql, holdTableSql, holdTableValues, readHeldTables } from './held-tables.ts';
import { planEvolution } from './plan.ts';

interface Differences {
  /** As they are now, with how they were. */
  readonly altered: readonly { readonly now: AlteredTable; readonly was: HeldTable }[];
  /** Gone at the source; another table may have the name there by now. */
  readonly gone: readonly HeldTable[];
}

/** `Target.alterLoaded`. */
export async function alterLoaded(
  client: pg.ClientBase,
  key: string,
  tables: readonly AlteredTable[],
): Promise<TableName[] | undefined> {
  const noted = await readHeldTables(client, key);
  if (noted.length === 0) return undefined;
  const { altered, gone } = differences(noted, tables);
  if (altered.length === 0 && gone.length === 0) return [];
  await ensureBookkeeping(client);
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  try {
    // Whoever still loads them is refused from here on.
    await client.query(`UPDATE ${SCHEMA}.loads SET epoch = epoch + 1 WHERE pair_id = $1`, [key]);
    const touched = [...altered.map(({ was }) => was.target), ...gone.map(({ target }) => target)];
    const names = new Set(touched.map(formatTableName));
    const all = new Map(
      [...tables.map(({ target }) => target), ...touched].map((table) => [formatTableName(table), table]),
    );
    const there = await readTables(client, [...all.values()]);
    const emptied = tied(there, names);
    await emptyTables(client, emptied);
    // With its key a table is altered like any other.
    const late = await readLateKeys(
      client,
      emptied.map(({ oid }) => oid),
    );
    for (const key of late.values()) await putKeyBack(client, key);
    const ours = await madeByUs(client);
    for (const { target } of gone) await dropTable(client, target, there, ours);
    for (const { now, was } of altered) await alterTable(client, now, was, there, ours);
    for (const { source } of gone) await client.query(forgetTableSql, [key, source.relation_id]);
    for (const { now } of altered) await client.query(holdTableSql, holdTableValues(key, now));
    const forgotten = [...emptied.map(formatTableName), ...names];
    await client.query(
      `DELETE FROM ${SCHEMA}.load_chunks c USING unnest($2::text[], $3::text[]) AS n (schema, name)
        WHERE c.pair_id = $1 AND c.table_schema = n.schema AND c.table_name = n.name`,
      [key, forgotten.map((name) => all.get(name)!.schema), forgotten.map((name) => all.get(name)!.name)],
    );
    await client.query('COMMIT');
    return [...new Set(forgotten)].map((name) => all.get(name)!);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

function differences(noted: readonly HeldTable[], tables: readonly AlteredTable[]): Differences {
  const now = new Map(tables.map((table) => [table.source.relation_id, table]));
  const altered: { now: AlteredTable; was: HeldTable }[] = [];
  const gone: HeldTable[] = [];
  for (const was of noted) {
    const table = now.get(was.source.relation_id);
    if (table === undefined) gone.push(was);
    else if (JSON.stringify(table.source) !== JSON.stringify(was.source)) altered.push({ now: table, was });
  }
  return { altered, gone };
}

/** With all that foreign keys tie to them: one cannot be emptied without the others. Parents first. */
function tied(there: readonly CatalogTable[], names: ReadonlySet<string>): CatalogTable[] {
  const chosen = new Set(there.filter((table) => names.has(formatTableName(table))));
  for (let size = -1; size !== chosen.size;) {
    size = chosen.size;
    const oids = new Set([...chosen].map(({ oid }) => oid));
    for (const table of there) {
      if (table.foreignKeys.some(({ references }) => oids.has(references))) chosen.add(table);
      if (!chosen.has(table)) continue;
      for (const { references } of table.foreignKeys)
        for (const parent of there) if (parent.oid === references) chosen.add(parent);
    }
  }
  const ranks = rankByForeignKeys(there);
  return [...chosen].sort((a, b) => ranks.get(a.oid)! - ranks.get(b.oid)!);
}

/** Oids of tables that we have made; others are their owners' to alter. */
async function madeByUs(client: pg.ClientBase): Promise<ReadonlySet<string>> {
  const there = await client.query(`SELECT FROM pg_class WHERE oid = to_regclass('${SCHEMA}.made_objects')`);
  if (there.rowCount === 0) return new Set();
  const { rows } = await client.query<{ readonly oid: string }>(
    `SELECT relation::text AS oid FROM ${SCHEMA}.made_objects WHERE relation IS NOT NULL`,
  );
  return new Set(rows.map(({ oid }) => oid));
}

async function dropTable(
  client: pg.ClientBase,
  target: TableName,
  there: readonly CatalogTable[],
  ours: ReadonlySet<string>,
): Promise<void> {
  const found = there.find((table) => formatTableName(table) === formatTableName(target));
  if (found && ours.has(found.oid)) await run(client, target, `DROP TABLE ${quoteTable(target)}`);
}

/** Its rows are gone and come anew: nothing is lost by whatever has to be done, and nothing has to be read again. */
async function alterTable(
  client: pg.ClientBase,
  { source, target, exclude, follows }: AlteredTable,
  was: HeldTable,
  there: readonly CatalogTable[],
  ours: ReadonlySet<string>,
): Promise<void> {
  const found = there.find((table) => formatTableName(table) === formatTableName(was.target));
  if (!follows || found === undefined || !ours.has(found.oid)) return;
  const news = { source, target, exclude, rewritten: 'no', attached: 'empty', guessed: [] } as const;
  const names = new Set([was.target, target].map(formatTableName));
  const partitions = [...source.partitions, ...was.source.partitions].map(({ name }) => ({
    schema: target.schema,
    name,
  }));
  const catalog = [
    ...there.filter((table) => names.has(formatTableName(table))),
    ...(await readTables(client, partitions)),
  ];
  const { steps } = planEvolution({
    news: { tables: [news], dropped: [] },
    held: new Map([[was.source.relation_id, was]]),
    there: new Map(catalog.map((table) => [formatTableName(table), table])),
  });
  for (const { sql } of steps) for (const statement of sql) await run(client, target, statement);
}

async function run(client: pg.ClientBase, table: TableName, statement: string): Promise<void> {
  try {
    await client.query(statement);
  } catch (error) {
    // Another class is the connection's, or a lock's: tried again.
    if (!isPostgresError(error) || !/^(0A|2B|42)/.test(error.code) || error.code === '42501') throw error;
    throw new TerraFusionError(
      'SCHEMA_CHANGE_IMPOSSIBLE',
      `${formatTableName(table)} was altered at the source while it was being loaded, and cannot be at the target: ${reasonOf(error)}`,
      { cause: error, details: { table: formatTableName(table), sql: statement } },
    );
  }
}
