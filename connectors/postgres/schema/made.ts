import type pg from 'pg';
import { ensureBookkeeping, SCHEMA } from '../target/bookkeeping.ts';

/**
 * What we have made at a target, written in the transaction that makes it. By it a table of ours is told from one that somebody else had
 * there, to which nothing is added; and an object that was made before a kill from one that only bears the same name.
 */
export interface MadeObjects {
  /** The statements an object was made by, by its id. */
  readonly statements: ReadonlyMap<string, string>;
}

const TABLE = `${SCHEMA}.made_objects`;

const tableSql = `
CREATE TABLE IF NOT EXISTS ${TABLE} (
  -- Kind and name, as in reports: "index property_geo_idx of pacs.property".
  object text PRIMARY KEY,
  -- Of a table: one that was dropped and made again by somebody else is not ours.
  relation oid,
  statements text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp()
)`;

/** Not to be called within a transaction. */
export async function ensureMadeObjects(client: pg.ClientBase): Promise<void> {
  await ensureBookkeeping(client);
  if (!(await isThere(client))) await client.query(tableSql);
}

/** Records of tables that are gone, or were made again by somebody else, are not believed. Makes nothing. */
export async function readMadeObjects(client: pg.ClientBase): Promise<MadeObjects> {
  if (!(await isThere(client))) return { statements: new Map() };
  const { rows } = await client.query<{ object: string; statements: string }>(
    `SELECT object, statements FROM ${TABLE} m WHERE relation IS NULL OR EXISTS (SELECT FROM pg_class c WHERE c.oid = m.relation)`,
  );
  return { statements: new Map(rows.map(({ object, statements }) => [object, statements])) };
}

/** @param relation quoted name of the table that it is, for tables */
export async function recordMade(
  client: pg.ClientBase,
  object: string,
  statements: readonly string[],
  relation?: string,
): Promise<void> {
  await client.query(
    `INSERT INTO ${TABLE} (object, relation, statements) VALUES ($1, $2::regclass::oid, $3)
     ON CONFLICT (object) DO UPDATE SET relation = excluded.relation, statements = excluded.statements, made_at = clock_timestamp()`,
    [object, relation ?? null, statements.join(';\n')],
  );
}

async function isThere(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(`SELECT to_regclass('${TABLE}') IS NOT NULL AS there`);
  return rows[0]!.there;
}
