import type pg from 'pg';
import { isPostgresError } from '../errors.ts';
import { quoteIdentifier, quoteTable } from '../identifiers.ts';
import type { CatalogTable } from './catalog.ts';
import { SCHEMA } from './own-schema.ts';

/*
 * Primary keys that a load takes off empty tables, and puts back once the rows are there: an index that is built from all rows at once costs the
 * server a third of one that is kept through every row, and much less where keys come in no order. Noted in the transaction that takes them off, so
 * that whoever looks at the table meanwhile knows its key, and whoever goes on after a kill puts it back. (Decision record 0044)
 */

const TABLE = `${SCHEMA}.late_keys`;

export const lateKeysSql = `
CREATE TABLE IF NOT EXISTS ${TABLE} (
  -- A table that is dropped and made again has a key of its own.
  relation oid PRIMARY KEY,
  pair_id text NOT NULL,
  name text NOT NULL,
  columns json NOT NULL,
  definition text NOT NULL
)`;

/** A key that a table will have. */
export interface LateKey {
  /** Oid of the table. */
  readonly relation: string;
  /** Its name, as SQL text for the session that has asked. */
  readonly table: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly definition: string;
}

/**
 * Keys that nobody but us and the load needs: of plain tables that we have made, which are neither a publication's nor part of others, and on which
 * nothing has been set since.
 */
const ownKeysSql = `
SELECT c.oid::text AS relation, k.conname AS name, pg_get_constraintdef(k.oid) AS definition
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' AND NOT k.condeferrable
  JOIN pg_index i ON i.indexrelid = k.conindid AND NOT i.indisreplident AND NOT i.indisclustered
  JOIN pg_class x ON x.oid = k.conindid AND x.reloptions IS NULL AND x.reltablespace = 0
 WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r' AND NOT c.relispartition
   AND EXISTS (SELECT FROM ${SCHEMA}.made_objects m WHERE m.relation = c.oid)
   AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid OR h.inhrelid = c.oid)
   AND NOT EXISTS (SELECT FROM pg_publication_tables p WHERE p.schemaname = n.nspname AND p.tablename = c.relname)`;

/** Takes the keys off, where that is nobody else's matter. Within a transaction, of tables that are empty. */
export async function takeKeysOff(client: pg.ClientBase, key: string, tables: readonly CatalogTable[]): Promise<void> {
  if (tables.length === 0 || !(await isThere(client, 'made_objects'))) return;
  const byOid = new Map(tables.map((table) => [table.oid, table]));
  const { rows } = await client.query<Pick<LateKey, 'relation' | 'name' | 'definition'>>(ownKeysSql, [
    [...byOid.keys()],
  ]);
  for (const { relation, name, definition } of rows) {
    const table = byOid.get(relation)!;
    await client.query('SAVEPOINT late_key');
    try {
      await client.query(`ALTER TABLE ${quoteTable(table)} DROP CONSTRAINT ${quoteIdentifier(name)}`);
    } catch (error) {
      // Something rests on it (a foreign key, a view that groups by it), or the table is not ours to alter: it stays.
      if (!isPostgresError(error, '2BP01') && !isPostgresError(error, '42501')) throw error;
      await client.query('ROLLBACK TO SAVEPOINT late_key');
      continue;
    }
    await client.query('RELEASE SAVEPOINT late_key');
    await client.query(
      `INSERT INTO ${TABLE} (relation, pair_id, name, columns, definition) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (relation) DO UPDATE SET pair_id = excluded.pair_id, name = excluded.name, columns = excluded.columns, definition = excluded.definition`,
      [relation, key, name, JSON.stringify(table.primaryKey), definition],
    );
  }
}

/** The keys that the tables will have, by the tables' oids. Makes nothing. */
export async function readLateKeys(
  client: pg.ClientBase,
  relations: readonly string[],
): Promise<ReadonlyMap<string, LateKey>> {
  if (relations.length === 0) return new Map();
  const keys = await keysWhere(client, 'l.relation = ANY ($1::oid[])', [relations]);
  return new Map(keys.map((key) => [key.relation, key]));
}

/** Those of tables that are there. */
async function keysWhere(client: pg.ClientBase, condition: string, values: readonly unknown[]): Promise<LateKey[]> {
  if (!(await isThere(client, 'late_keys'))) return [];
  const { rows } = await client.query<LateKey>(
    `SELECT l.relation::text, c.oid::regclass::text AS table, l.name, l.columns, l.definition
       FROM ${TABLE} l JOIN pg_class c ON c.oid = l.relation WHERE ${condition}`,
    [...values],
  );
  return rows;
}

/** Puts a table's key back, and forgets that it was off. @throws what the server says to rows that have the same key */
export async function putKeyBack(client: pg.ClientBase, { relation, table, name, definition }: LateKey): Promise<void> {
  const { rowCount } = await client.query(`SELECT FROM pg_constraint WHERE conrelid = $1::oid AND contype = 'p'`, [
    relation,
  ]);
  // Somebody may have given it one meanwhile.
  if (rowCount === 0) await client.query(`ALTER TABLE ${table} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition}`);
  await client.query(`DELETE FROM ${TABLE} WHERE relation = $1`, [relation]);
}

/** A pair that goes in the middle of its load leaves its tables as they are made. One whose rows contradict its key stays without. */
export async function putKeysBack(client: pg.ClientBase, pairId: string): Promise<void> {
  const ofPair = `l.pair_id = $1::text OR starts_with(l.pair_id, $1::text || '/')`;
  for (const key of await keysWhere(client, ofPair, [pairId])) {
    try {
      await putKeyBack(client, key);
    } catch (error) {
      if (!isPostgresError(error, '23505')) throw error;
    }
  }
}

async function isThere(client: pg.ClientBase, table: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
    `${SCHEMA}.${table}`,
  ]);
  return rows[0]!.there;
}
