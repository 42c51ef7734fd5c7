import type pg from 'pg';
import type { CatalogLook, CatalogLooked } from '#connectors/contract/source.ts';
import { SCHEMA_PREFIX } from '#schemas/source-tables.ts';
import type { TableName } from '#schemas/tables.ts';
import { isPostgresError } from '../errors.ts';
import { quoteTable } from '../identifiers.ts';
import { NOT_SYSTEM } from './catalog.ts';
import { hasSchemaEvents } from './schema-events.ts';
import { statesSql } from './table-states.ts';

/** Tables a query: each is described as a whole to see whether it has been altered. */
const TABLES_A_QUERY = 200;
/** Tables a message, whose description is about 2 kB each. */
const TABLES_A_MESSAGE = 50;
/** A table that somebody alters waits for the next look; nobody waits long for us. (Promise 7) */
const LOCK_MS = 300;
/** A new partition with more rows than can be read in this time counts as one that may have come with rows. */
const ROWS_MS = 2000;

interface Seen {
  readonly id: string;
  readonly schema: string;
  readonly name: string;
  readonly digest: string;
  /** Oids. */
  readonly partitions: readonly string[];
}

/** See `Source.tellAltered`. The session is ours. */
export async function tellAltered(
  client: pg.ClientBase,
  { publication, all, known }: CatalogLook,
): Promise<CatalogLooked | undefined> {
  if (await hasSchemaEvents(client, publication)) return undefined;
  const there = await oidsOf(client, publication, all);
  const result = new Map(Object.entries(known));
  let told = await tellDropped(client, there, result);
  const altered: Seen[] = [];
  for (let first = 0; first < there.length; first += TABLES_A_QUERY)
    for (const seen of await look(client, there.slice(first, first + TABLES_A_QUERY)))
      if (result.get(seen.id) !== noteOf(seen)) altered.push(seen);
  for (const group of groupsOf(altered)) {
    const empty = await cameEmpty(client, group, known);
    for (const seen of await tellTables(client, group, empty)) {
      result.set(seen.id, noteOf(seen));
      told++;
    }
  }
  return { known: Object.fromEntries(result), told };
}

const noteOf = ({ digest, partitions }: Seen): string => [digest, ...partitions].join(' ');

/** Of a partitioned table it matters what is new in it: each has a message of its own. */
function groupsOf(altered: readonly Seen[]): Seen[][] {
  const plain = altered.filter(({ partitions }) => partitions.length === 0);
  const groups = altered.filter(({ partitions }) => partitions.length > 0).map((seen) => [seen]);
  for (let first = 0; first < plain.length; first += TABLES_A_MESSAGE)
    groups.push(plain.slice(first, first + TABLES_A_MESSAGE));
  return groups;
}

async function oidsOf(client: pg.ClientBase, publication: string, all: boolean): Promise<string[]> {
  const { rows } = await client.query<{ readonly id: string }>(
    `SELECT c.oid::text AS id FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p' AND ${NOT_SYSTEM}
        AND ($2 OR EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                            WHERE p.pubname = $1 AND r.prrelid = c.oid)) ORDER BY c.oid`,
    [publication, all],
  );
  return rows.map(({ id }) => id);
}

const SEEN = (oids: string): string => `
SELECT s->>'relation_id' AS id, s->>'schema' AS schema, s->>'name' AS name, md5(s::text) AS digest,
       ARRAY(SELECT p->>'relation_id' FROM jsonb_array_elements(s->'partitions') p) AS partitions
  FROM jsonb_array_elements(${oids}) s`;

async function look(client: pg.ClientBase, oids: readonly string[]): Promise<Seen[]> {
  const { rows } = await client.query<Seen>(SEEN(statesSql('$1::oid[]')), [oids]);
  return rows;
}

/** What is gone comes first: another table may have its name by now. */
async function tellDropped(
  client: pg.ClientBase,
  there: readonly string[],
  known: Map<string, string>,
): Promise<number> {
  const present = new Set(there);
  const missing = [...known.keys()].filter((id) => !present.has(id));
  if (missing.length === 0) return 0;
  const { rows } = await client.query<{ readonly id: string }>(
    'SELECT w.id FROM unnest($1::text[]) AS w (id) WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = w.id::oid)',
    [missing],
  );
  const gone = rows.map(({ id }) => id);
  // Others are partitions now, or not published any more.
  if (gone.length > 0) await emit(client, `'[]'::jsonb`, false, gone);
  for (const id of missing) known.delete(id);
  return gone.length;
}

/**
 * Tells of tables as they stand. While they are locked like this nobody can alter them, so the message is not older than what the stream
 * brings before it: a table is never said to be what it was before.
 */
async function tellTables(client: pg.ClientBase, tables: readonly Seen[], empty: boolean): Promise<Seen[]> {
  try {
    return await inTransaction(client, async () => {
      await client.query(`SET LOCAL lock_timeout = ${LOCK_MS}`);
      await client.query(
        `LOCK TABLE ${tables.map((table) => `ONLY ${quoteTable(table)}`).join(', ')} IN ACCESS SHARE MODE`,
      );
      const oids = tables.map(({ id }) => id);
      const seen = await look(client, oids);
      await emit(client, statesSql('$2::oid[]'), empty, [], oids);
      return seen;
    });
  } catch (error) {
    // Locked; renamed or dropped meanwhile; not ours to read: the next look sees it again. One at a time, so that others do not wait.
    if (!isPostgresError(error) || !['55P03', '42P01', '3F000', '42501'].includes(error.code)) throw error;
    if (tables.length === 1) return [];
    const each: Seen[] = [];
    for (const table of tables) each.push(...(await tellTables(client, [table], empty)));
    return each;
  }
}

async function emit(
  client: pg.ClientBase,
  states: string,
  empty: boolean,
  dropped: readonly string[],
  oids?: readonly string[],
): Promise<void> {
  await client.query(
    `SELECT pg_logical_emit_message(true, '${SCHEMA_PREFIX}', jsonb_build_object('version', 1, 'command', '', 'tables', ${states},
       'dropped', to_jsonb($1::int8[]), 'rewritten', '[]'::jsonb, 'by_expression', true, 'partitions_empty', ${empty})::text)`,
    oids ? [dropped, oids] : [dropped],
  );
}

/** Whether the partitions that are new to the tables were made as such, with nothing in them that the stream has not brought. */
async function cameEmpty(
  client: pg.ClientBase,
  tables: readonly Seen[],
  known: CatalogLooked['known'],
): Promise<boolean> {
  for (const { id, partitions } of tables) {
    const before = new Set(known[id]?.split(' ').slice(1));
    for (const partition of partitions)
      if (!before.has(partition) && !(await wasMadeEmpty(client, partition))) return false;
  }
  return true;
}

/**
 * A partition that was made as one has its row type and its place under the parent from one transaction; one that was attached has not.
 * In that transaction it may have been filled before it was attached: then rows bear its number.
 */
async function wasMadeEmpty(client: pg.ClientBase, partition: string): Promise<boolean> {
  const { rows } = await client.query<TableName & { readonly xid: string }>(
    `SELECT n.nspname AS schema, c.relname AS name, i.xmin::text AS xid
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = c.reltype
            JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.oid = $1::oid AND t.xmin = i.xmin`,
    [partition],
  );
  const found = rows[0];
  if (found === undefined) return false;
  try {
    return await inTransaction(client, async () => {
      await client.query(`SET LOCAL statement_timeout = ${ROWS_MS}`);
      const { rowCount } = await client.query(
        `SELECT FROM ONLY ${quoteTable(found)} WHERE xmin = $1::text::xid LIMIT 1`,
        [found.xid],
      );
      return rowCount === 0;
    });
  } catch (error) {
    if (isPostgresError(error)) return false;
    throw error;
  }
}

async function inTransaction<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
