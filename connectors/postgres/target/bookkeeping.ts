import type pg from 'pg';
import type { ApartTables, Applied } from '#connectors/contract/target.ts';
import { formatLsn, type Lsn, parseLsn } from '#schemas/lsn.ts';
import { formatPosition, parsePosition, type Position } from '#schemas/position.ts';
import { formatTableName } from '#schemas/tables.ts';
import { heldTablesSql } from './evolution/held-tables.ts';
import { lateKeysSql, putKeysBack } from './late-keys.ts';
import { SCHEMA } from './own-schema.ts';
import { dropAllStaged } from './staging.ts';

/**
 * What we keep at the target: schema `_terrafusion`, one row a pair, written in the same transaction as the pair's rows.
 *
 * The functions' names end in a version: an older and a newer program may serve the same target, each with its own.
 */
export { SCHEMA } from './own-schema.ts';

/** SQLSTATE of a position that another writer has moved. */
export const FENCED = 'TF001';
/** SQLSTATE of a statement that met fewer or more rows than it should. */
export const ROWS_DIFFER = 'TF002';

const tableSql = `
CREATE TABLE IF NOT EXISTS ${SCHEMA}.applied_positions (
  pair_id text PRIMARY KEY,
  generation int NOT NULL,
  commit_lsn pg_lsn NOT NULL,
  ordinal bigint NOT NULL,
  topic text NOT NULL,
  next_offset bigint NOT NULL,
  overlay_until pg_lsn NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 20)`;

/** Loads under way or done: who has opened it last, and whether what was there before has been dealt with. */
const loadsSql = `
CREATE TABLE IF NOT EXISTS ${SCHEMA}.loads (
  pair_id text PRIMARY KEY,
  number int NOT NULL,
  epoch int NOT NULL DEFAULT 0,
  begun text NOT NULL,
  prepared boolean NOT NULL DEFAULT false
)`;

/** A load's plan; a chunk is finished in the transaction that has its rows. Kept after the load: it tells what the stream is laid over. */
const chunksSql = `
CREATE TABLE IF NOT EXISTS ${SCHEMA}.load_chunks (
  pair_id text NOT NULL,
  table_schema text NOT NULL,
  table_name text NOT NULL,
  chunk int NOT NULL,
  range jsonb NOT NULL,
  rows bigint,
  bytes bigint,
  shown text,
  until pg_lsn,
  finished_at timestamptz,
  PRIMARY KEY (pair_id, table_schema, table_name, chunk)
)`;

/**
 * Which tables go apart from the pair's stream, by which version of its definition it is written, and a number that grows with both:
 * a writer that believes in another one is fenced. A table that an earlier version of this program has made gets the columns.
 */
const divisionSql = `
ALTER TABLE ${SCHEMA}.applied_positions
  ADD COLUMN IF NOT EXISTS epoch int NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS definition_version int NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS apart jsonb NOT NULL DEFAULT '[]'`;

/** First part of the advisory locks' keys; the second is the pair's. */
const LOCK = 0x74665077;

const positionParameters = `of_pair text, of_epoch int,
  from_generation int, from_lsn pg_lsn, from_ordinal bigint`;
const isFrom = `pair_id = of_pair AND epoch = of_epoch AND generation = from_generation AND commit_lsn = from_lsn AND ordinal = from_ordinal`;
/** Shared among writers: who changes the division waits for the transaction under way, and the next one waits for him. */
const takePart = `PERFORM pg_advisory_xact_lock_shared(${LOCK}, hashtext(of_pair));`;
const raiseFenced = `
    RAISE EXCEPTION USING ERRCODE = '${FENCED}',
      MESSAGE = format('The position of pair %s is not the expected one: another writer has moved it', of_pair);`;

const functions: readonly { readonly signature: string; readonly sql: string }[] = [
  {
    // Moves a pair's position on, only from where the caller believes it to be. NULLs: only if the pair has none.
    signature: 'advance_position_2(text,integer,integer,pg_lsn,bigint,integer,pg_lsn,bigint,text,bigint)',
    sql: `
CREATE OR REPLACE FUNCTION ${SCHEMA}.advance_position_2(${positionParameters},
  to_generation int, to_lsn pg_lsn, to_ordinal bigint, to_topic text, to_offset bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  ${takePart}
  IF from_generation IS NULL THEN
    INSERT INTO ${SCHEMA}.applied_positions (pair_id, generation, commit_lsn, ordinal, topic, next_offset, overlay_until)
    VALUES (of_pair, to_generation, to_lsn, to_ordinal, to_topic, to_offset, '0/0') ON CONFLICT DO NOTHING;
  ELSE
    UPDATE ${SCHEMA}.applied_positions SET generation = to_generation, commit_lsn = to_lsn, ordinal = to_ordinal,
      topic = to_topic, next_offset = to_offset, updated_at = clock_timestamp()
    WHERE ${isFrom};
  END IF;
  IF NOT FOUND THEN${raiseFenced}
  END IF;
END $$`,
  },
  {
    // Keeps other writers of the pair out until the transaction ends. NULLs: there is nothing to hold.
    signature: 'hold_position_2(text,integer,integer,pg_lsn,bigint)',
    sql: `
CREATE OR REPLACE FUNCTION ${SCHEMA}.hold_position_2(${positionParameters}) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  ${takePart}
  IF from_generation IS NULL THEN RETURN; END IF;
  PERFORM FROM ${SCHEMA}.applied_positions WHERE ${isFrom} FOR UPDATE;
  IF NOT FOUND THEN${raiseFenced}
  END IF;
END $$`,
  },
  {
    // Fails the transaction when a statement did not meet the rows it was for, before anybody can see it.
    signature: 'expect_rows_1(bigint,bigint,text)',
    sql: `
CREATE OR REPLACE FUNCTION ${SCHEMA}.expect_rows_1(met bigint, asked bigint, of_table text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF met <> asked THEN
    RAISE EXCEPTION USING ERRCODE = '${ROWS_DIFFER}',
      MESSAGE = format('%s of %s rows to change were found in %s', met, asked, of_table);
  END IF;
END $$`,
  },
  {
    // Keeps whoever wants to take the load over out until the transaction ends; several chunks go side by side.
    signature: 'hold_load_1(text,integer)',
    sql: `
CREATE OR REPLACE FUNCTION ${SCHEMA}.hold_load_1(of_pair text, of_epoch int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM ${SCHEMA}.loads WHERE pair_id = of_pair AND epoch = of_epoch FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '${FENCED}', MESSAGE = format('The load of pair %s has been taken over', of_pair);
  END IF;
END $$`,
  },
  {
    // Notes a chunk, once.
    signature: 'finish_chunk_1(text,text,text,integer,bigint,bigint,text,pg_lsn)',
    sql: `
CREATE OR REPLACE FUNCTION ${SCHEMA}.finish_chunk_1(of_pair text, of_schema text, of_table text, of_chunk int,
  has_rows bigint, has_bytes bigint, is_shown text, is_until pg_lsn) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE ${SCHEMA}.load_chunks SET rows = has_rows, bytes = has_bytes, shown = is_shown, until = is_until, finished_at = clock_timestamp()
   WHERE pair_id = of_pair AND table_schema = of_schema AND table_name = of_table AND chunk = of_chunk AND finished_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '${FENCED}', MESSAGE = format('Chunk %s of %I.%I is not waiting any more', of_chunk, of_schema, of_table);
  END IF;
END $$`,
  },
];

const tables: Readonly<Record<string, string>> = {
  applied_positions: tableSql,
  loads: loadsSql,
  load_chunks: chunksSql,
  held_tables: heldTablesSql,
  late_keys: lateKeysSql,
};

const presentSql = `SELECT ${Object.keys(tables)
  .map((table) => `to_regclass('${SCHEMA}.${table}') IS NOT NULL`)
  .join(' AND ')}
  AND ${functions.map(({ signature }) => `to_regprocedure('${SCHEMA}.${signature}') IS NOT NULL`).join(' AND ')} AS present`;

/** Makes what is missing of the bookkeeping. Safe when several do it at once. Not to be called within a transaction. */
export async function ensureBookkeeping(client: pg.ClientBase): Promise<void> {
  if (await isPresent(client)) return;
  await client.query('BEGIN');
  try {
    // CREATE … IF NOT EXISTS looks and makes in two steps: two at once would meet in the catalog.
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('${SCHEMA}'))`);
    if (!(await isPresent(client))) {
      // A role that may not create schemas can use one that was made for it.
      const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [SCHEMA]);
      if (rowCount === 0) await client.query(`CREATE SCHEMA ${SCHEMA}`);
      for (const sql of Object.values(tables)) await client.query(sql);
      await client.query(divisionSql);
      for (const { sql } of functions) await client.query(sql);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function isPresent(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ present: boolean }>(presentSql);
  return rows[0]!.present;
}

interface HeldRow {
  readonly generation: number;
  readonly commit_lsn: string;
  readonly ordinal: string;
  readonly topic: string;
  readonly next_offset: string;
  readonly overlay_until: string;
  /** null in a table of an earlier version. */
  readonly epoch: number | null;
  readonly definition_version: number | null;
  readonly apart: readonly StoredApart[] | null;
}

interface StoredApart {
  readonly sync: number;
  readonly tables: ApartTables['tables'];
  readonly from: { readonly position: string; readonly topic: string; readonly next_offset: string };
  readonly until?: string;
}

// Through JSON: columns that are not there yet read as null.
const heldSql = `SELECT p.generation, p.commit_lsn::text, p.ordinal::text, p.topic, p.next_offset::text, p.overlay_until::text,
    (to_jsonb(p)->>'epoch')::int AS epoch, (to_jsonb(p)->>'definition_version')::int AS definition_version, to_jsonb(p)->'apart' AS apart
  FROM ${SCHEMA}.applied_positions p WHERE p.pair_id = $1`;

/** What the target holds of the pair. Makes nothing. */
export async function readApplied(client: pg.ClientBase, pairId: string): Promise<Applied | undefined> {
  return (await hasBookkeeping(client)) ? heldBy(client, pairId) : undefined;
}

async function hasBookkeeping(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('${SCHEMA}.applied_positions') IS NOT NULL AS there`,
  );
  return rows[0]!.there;
}

/** As {@link readApplied}, where the bookkeeping is known to be there. */
export async function heldBy(client: pg.ClientBase, pairId: string): Promise<Applied | undefined> {
  const { rows } = await client.query<HeldRow>(heldSql, [pairId]);
  const row = rows[0];
  return (
    row && {
      position: { generation: row.generation, commitLsn: parseLsn(row.commit_lsn), ordinal: Number(row.ordinal) },
      topic: row.topic,
      nextOffset: BigInt(row.next_offset),
      overlayUntil: parseLsn(row.overlay_until),
      division: {
        epoch: row.epoch ?? 0,
        version: row.definition_version ?? 0,
        apart: (row.apart ?? []).map(toApart),
      },
    }
  );
}

function toApart({ sync, tables, from, until }: StoredApart): ApartTables {
  return {
    sync,
    tables,
    from: { position: parsePosition(from.position), topic: from.topic, nextOffset: BigInt(from.next_offset) },
    ...(until === undefined ? {} : { until: parsePosition(until) }),
  };
}

/** As it is kept in the column `apart`. */
export function storedApart(apart: readonly ApartTables[]): string {
  return JSON.stringify(
    apart.map(({ sync, tables, from, until }): StoredApart => ({
      sync,
      tables,
      from: {
        position: formatPosition(from.position),
        topic: from.topic,
        next_offset: String(from.nextOffset),
      },
      ...(until === undefined ? {} : { until: formatPosition(until) }),
    })),
  );
}

/** Waits for the pair's writers and keeps them out until the transaction ends. */
export async function keepWritersOut(client: pg.ClientBase, key: string): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK, key]);
}

/** Forgets the pair: its position and what is kept of its load, those of its table syncs included. */
export async function forgetApplied(client: pg.ClientBase, pairId: string): Promise<void> {
  await dropAllStaged(client, pairId);
  await putKeysBack(client, pairId);
  for (const table of Object.keys(tables)) {
    const { rows } = await client.query<{ there: boolean }>(
      `SELECT to_regclass('${SCHEMA}.${table}') IS NOT NULL AS there`,
    );
    if (rows[0]!.there)
      await client.query(
        `DELETE FROM ${SCHEMA}.${table} WHERE pair_id = $1::text OR starts_with(pair_id, $1::text || '/')`,
        [pairId],
      );
  }
}

/** Until when the pair's target tables are laid over, by name: those that were not read in one snapshot. */
export async function readOverlays(client: pg.ClientBase, pairId: string): Promise<Map<string, Lsn>> {
  const { rows } = await client.query<{ table_schema: string; table_name: string; until: string }>(
    `SELECT table_schema, table_name, max(until)::text AS until FROM ${SCHEMA}.load_chunks
      WHERE pair_id = $1 GROUP BY table_schema, table_name
     HAVING min(until) <> max(until) OR min(shown) <> max(shown)`,
    [pairId],
  );
  return new Map(
    rows.map((row) => [formatTableName({ schema: row.table_schema, name: row.table_name }), parseLsn(row.until)]),
  );
}

/** Sets the position whatever was there before: a first load replaces history. */
export const storeSql = `INSERT INTO ${SCHEMA}.applied_positions AS held
  (pair_id, generation, commit_lsn, ordinal, topic, next_offset, overlay_until)
  VALUES ($1, $2::int, $3::pg_lsn, $4::bigint, $5, $6::bigint, $7::pg_lsn)
  ON CONFLICT (pair_id) DO UPDATE SET generation = excluded.generation, commit_lsn = excluded.commit_lsn, ordinal = excluded.ordinal,
    topic = excluded.topic, next_offset = excluded.next_offset, overlay_until = excluded.overlay_until, updated_at = clock_timestamp(),
    epoch = held.epoch + 1, definition_version = 0, apart = '[]'`;

export function storeValues(pairId: string, applied: Applied): string[] {
  return [
    pairId,
    ...positionValues(applied.position),
    applied.topic,
    String(applied.nextOffset),
    formatLsn(applied.overlayUntil),
  ] as string[];
}

export const advanceSql = `SELECT ${SCHEMA}.advance_position_2($1, $2::int, $3::int, $4::pg_lsn, $5::bigint, $6::int, $7::pg_lsn, $8::bigint, $9, $10::bigint)`;

export function advanceValues(
  pairId: string,
  epoch: number,
  from: Position | undefined,
  to: Position,
  topic: string,
  nextOffset: bigint,
): (string | null)[] {
  return [pairId, String(epoch), ...positionValues(from), ...positionValues(to), topic, String(nextOffset)];
}

export const holdSql = `SELECT ${SCHEMA}.hold_position_2($1, $2::int, $3::int, $4::pg_lsn, $5::bigint)`;

export function holdValues(pairId: string, epoch: number, from: Position | undefined): (string | null)[] {
  return [pairId, String(epoch), ...positionValues(from)];
}

function positionValues(position: Position | undefined): (string | null)[] {
  if (position === undefined) return [null, null, null];
  return [String(position.generation), formatLsn(position.commitLsn), String(position.ordinal)];
}
