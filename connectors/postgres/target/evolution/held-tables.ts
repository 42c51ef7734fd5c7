import type pg from 'pg';
import { z } from 'zod';
import type { HeldTable } from '#connectors/contract/target.ts';
import { sourceTable } from '#schemas/source-tables.ts';
import { SCHEMA } from '../own-schema.ts';

/**
 * What a pair's tables looked like at the source when they were last brought in line here. Written in the transaction that alters the
 * target's table: which shape is applied cannot disagree with the table, wherever we are killed. (Promise 5)
 */
export const heldTablesSql = `
CREATE TABLE IF NOT EXISTS ${SCHEMA}.held_tables (
  pair_id text NOT NULL,
  relation_id bigint NOT NULL,
  description jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (pair_id, relation_id)
)`;

export const holdTableSql = `INSERT INTO ${SCHEMA}.held_tables (pair_id, relation_id, description) VALUES ($1, $2::bigint, $3::jsonb)
  ON CONFLICT (pair_id, relation_id) DO UPDATE SET description = excluded.description, updated_at = clock_timestamp()`;

export const forgetTableSql = `DELETE FROM ${SCHEMA}.held_tables WHERE pair_id = $1 AND relation_id = $2::bigint`;

const heldTable = z.object({
  source: sourceTable,
  target: z.object({ schema: z.string(), name: z.string() }),
  unread: z.array(z.number()),
});

export function holdTableValues(pairId: string, table: HeldTable): string[] {
  return [pairId, String(table.source.relation_id), JSON.stringify(table)];
}

/** What is noted of the pair's tables; nothing where nobody has noted anything yet. Makes nothing. */
export async function readHeldTables(client: pg.ClientBase, pairId: string): Promise<HeldTable[]> {
  const there = await client.query<{ there: boolean }>(
    `SELECT to_regclass('${SCHEMA}.held_tables') IS NOT NULL AS there`,
  );
  if (!there.rows[0]!.there) return [];
  const { rows } = await client.query<{ description: unknown }>(
    `SELECT description FROM ${SCHEMA}.held_tables WHERE pair_id = $1 ORDER BY relation_id`,
    [pairId],
  );
  return rows.map(({ description }) => heldTable.parse(description));
}

/** Replaces what is noted: a load begins from the tables as they are. */
export async function replaceHeldTables(
  client: pg.ClientBase,
  pairId: string,
  tables: readonly HeldTable[],
): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(`DELETE FROM ${SCHEMA}.held_tables WHERE pair_id = $1`, [pairId]);
    for (const table of tables) await client.query(holdTableSql, holdTableValues(pairId, table));
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
