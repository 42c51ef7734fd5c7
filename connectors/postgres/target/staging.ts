import { createHash } from 'node:crypto';
import type pg from 'pg';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteColumns, quoteIdentifier, quoteTable } from '../identifiers.ts';
import type { CatalogTable } from './catalog.ts';
import { SCHEMA } from './own-schema.ts';

/*
 * Where a load keeps its rows until all of them are there: a table of ours beside each of its tables. Until they are put in place, in one
 * transaction with the position, the tables are what they were: given up or killed anywhere, nothing has happened to them. (Promise 3)
 */

/** All of a pair's begin like this, and those of one load have its key's number, so that they are found when nobody knows their tables. */
const prefixOf = (pairId: string): string => `staged_${digest(pairId)}_`;

/** @param key a pair's, or that of one of its table syncs */
function loadPrefix(key: string): string {
  const [pairId, sync = ''] = key.split('/') as [string, string?];
  return `${prefixOf(pairId)}${sync}_`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export function stagedName(key: string, table: TableName): TableName {
  return { schema: SCHEMA, name: `${loadPrefix(key)}${digest(formatTableName(table))}` };
}

/** Makes them anew, empty. */
export async function createStaged(client: pg.ClientBase, key: string, tables: readonly CatalogTable[]): Promise<void> {
  await dropStaged(client, key);
  for (const table of tables) {
    const staged = quoteTable(stagedName(key, table));
    // What the server computes is computed when the rows are put in place.
    await client.query(`CREATE TABLE ${staged} (LIKE ${quoteTable(table)} INCLUDING DEFAULTS INCLUDING STORAGE)`);
    for (const { name, generated, hasDefault, notNull } of table.columns)
      if (notNull && (generated || hasDefault))
        await client.query(`ALTER TABLE ${staged} ALTER COLUMN ${quoteIdentifier(name)} DROP NOT NULL`);
  }
}

/** Whether all of them are there. */
export async function areStaged(client: pg.ClientBase, key: string, tables: readonly TableName[]): Promise<boolean> {
  const there = new Set(await stagedTables(client, loadPrefix(key)));
  return tables.every((table) => there.has(stagedName(key, table).name));
}

export async function emptyStaged(client: pg.ClientBase, key: string, tables: readonly TableName[]): Promise<void> {
  if (tables.length === 0) return;
  await client.query(`TRUNCATE ${tables.map((table) => quoteTable(stagedName(key, table))).join(', ')}`);
}

/** Puts the rows in the place of the tables' own, which are gone. @param order parents of foreign keys first */
export async function putInPlace(client: pg.ClientBase, key: string, order: readonly CatalogTable[]): Promise<void> {
  // Where foreign keys point in a circle, no order fits: those that may wait do so until the end.
  await client.query('SET CONSTRAINTS ALL DEFERRED');
  for (const table of order) {
    const staged = quoteTable(stagedName(key, table));
    const columns = await writtenColumns(client, staged, table);
    const list = quoteColumns(columns);
    const into = columns.length === 0 ? '' : ` (${list}) OVERRIDING SYSTEM VALUE`;
    await client.query(`INSERT INTO ${quoteTable(table)}${into} SELECT ${list} FROM ${staged}`);
    if (['r', 'p'].includes(table.kind)) await client.query(`ANALYZE ${quoteTable(table)}`);
  }
  await dropStaged(client, key);
}

/** Numbers that the target gives out itself are not written when the load has brought none. */
async function writtenColumns(client: pg.ClientBase, staged: string, { columns }: CatalogTable): Promise<string[]> {
  const written: string[] = [];
  for (const { name, generated, notNull, hasDefault } of columns) {
    if (generated) continue;
    if (notNull && hasDefault) {
      const { rowCount } = await client.query(
        `SELECT FROM ${staged} WHERE ${quoteIdentifier(name)} IS NOT NULL LIMIT 1`,
      );
      if (rowCount === 0) continue;
    }
    written.push(name);
  }
  return written;
}

/** What a load has left; nothing is no error. */
export async function dropStaged(client: pg.ClientBase, key: string): Promise<void> {
  await dropAll(client, await stagedTables(client, loadPrefix(key)));
}

/** Those of all of a pair's loads. */
export async function dropAllStaged(client: pg.ClientBase, pairId: string): Promise<void> {
  await dropAll(client, await stagedTables(client, prefixOf(pairId)));
}

async function stagedTables(client: pg.ClientBase, prefix: string): Promise<string[]> {
  const { rows } = await client.query<{ readonly name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r' AND starts_with(c.relname, $2)`,
    [SCHEMA, prefix],
  );
  return rows.map(({ name }) => name);
}

async function dropAll(client: pg.ClientBase, names: readonly string[]): Promise<void> {
  for (const name of names) await client.query(`DROP TABLE IF EXISTS ${quoteTable({ schema: SCHEMA, name })}`);
}
