import type pg from 'pg';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteIdentifier, quoteTable } from '../identifiers.ts';
import { describeTables } from './catalog.ts';

const OPTIONS = `publish = 'insert, update, delete, truncate', publish_via_partition_root = true`;

/**
 * Makes the publication hold exactly these tables, in one transaction. Tables that are in it already are not touched, so that calling
 * again changes nothing. With `keepOthers` those that are in it stay.
 * @throws {TerraFusionError} SOURCE_TABLE_WITHOUT_KEY, SOURCE_TABLE_MISSING, before anything is changed; the driver's errors
 */
export async function publishTables(
  client: pg.Client,
  publication: string,
  tables: readonly TableName[],
  keepOthers: boolean,
): Promise<boolean> {
  await describeTables(client, tables);
  await refuseUnpublishable(client, tables);
  await client.query('BEGIN');
  try {
    const made = await alter(client, publication, tables, keepOthers);
    await client.query('COMMIT');
    return made;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function alter(
  client: pg.Client,
  publication: string,
  tables: readonly TableName[],
  keepOthers: boolean,
): Promise<boolean> {
  const name = quoteIdentifier(publication);
  const state = await readPublication(client, publication);
  if (state === undefined) {
    const list = tables.length === 0 ? '' : ` FOR TABLE ${tables.map(quoteTable).join(', ')}`;
    await client.query(`CREATE PUBLICATION ${name}${list} WITH (${OPTIONS})`);
    return true;
  }
  if (!state.asWanted) await client.query(`ALTER PUBLICATION ${name} SET (${OPTIONS})`);
  const wanted = new Set(tables.map(formatTableName));
  const held = new Set(state.tables.map(formatTableName));
  const added = tables.filter((table) => !held.has(formatTableName(table)));
  const removed = keepOthers ? [] : state.tables.filter((table) => !wanted.has(formatTableName(table)));
  if (removed.length > 0)
    await client.query(`ALTER PUBLICATION ${name} DROP TABLE ${removed.map(quoteTable).join(', ')}`);
  if (added.length > 0) await client.query(`ALTER PUBLICATION ${name} ADD TABLE ${added.map(quoteTable).join(', ')}`);
  return false;
}

interface Publication {
  /** Publishes all operations, through the root of partitioned tables. */
  readonly asWanted: boolean;
  readonly tables: readonly TableName[];
}

interface PublicationRow {
  readonly as_wanted: boolean;
  readonly all_tables: boolean;
  readonly schema: string | null;
  readonly name: string | null;
}

async function readPublication(client: pg.Client, publication: string): Promise<Publication | undefined> {
  const { rows } = await client.query<PublicationRow>(
    `SELECT p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot AS as_wanted,
            p.puballtables AS all_tables, n.nspname AS schema, c.relname AS name
       FROM pg_publication p LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid
            LEFT JOIN pg_class c ON c.oid = r.prrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE p.pubname = $1`,
    [publication],
  );
  const first = rows[0];
  if (first === undefined) return undefined;
  if (first.all_tables) {
    throw new TerraFusionError(
      'SOURCE_STATEMENT_FAILED',
      `Publication ${publication} was made for all tables by somebody else; it cannot be ours`,
    );
  }
  const tables = rows.flatMap(({ schema, name }) => (schema === null || name === null ? [] : [{ schema, name }]));
  return { asWanted: first.as_wanted, tables };
}

interface Unpublishable {
  readonly schema: string;
  readonly name: string;
  readonly persistent: boolean;
  /** The partition that has no identity, when it is not the table itself. */
  readonly part: string | null;
}

/**
 * Tables whose updates and deletes the source would refuse once they are published: themselves, or one of their partitions, have
 * nothing by which a row is identified. (CHECKLIST 13)
 */
export async function tablesWithoutIdentity(client: pg.Client, tables: readonly TableName[]): Promise<Unpublishable[]> {
  const { rows } = await client.query<Unpublishable>(
    `SELECT n.nspname AS schema, c.relname AS name, c.relpersistence = 'p' AS persistent,
            (SELECT format('%I.%I', ln.nspname, l.relname) FROM ${LEAVES} WHERE l.oid <> c.oid AND NOT ${IDENTIFIED} LIMIT 1) AS part
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN unnest($1::text[], $2::text[]) AS w(nspname, relname) ON w.nspname = n.nspname AND w.relname = c.relname
      WHERE c.relkind IN ('r', 'p')
        AND (c.relpersistence <> 'p' OR EXISTS (SELECT FROM ${LEAVES} WHERE NOT ${IDENTIFIED}))
      ORDER BY 1, 2`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  return rows;
}

/** The table itself and, if it is partitioned, all that is below it. */
const LEAVES = `(SELECT c.oid AS relid UNION SELECT p.relid FROM pg_partition_tree(c.oid) p WHERE c.relkind = 'p') t
  JOIN pg_class l ON l.oid = t.relid JOIN pg_namespace ln ON ln.oid = l.relnamespace`;
const IDENTIFIED = `(l.relreplident = 'f' OR EXISTS (
  SELECT FROM pg_index i WHERE i.indrelid = l.oid AND i.indimmediate
     AND CASE l.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END))`;

/** Promise 7: no publication change that breaks the source's own writes. */
async function refuseUnpublishable(client: pg.Client, tables: readonly TableName[]): Promise<void> {
  const refused = await tablesWithoutIdentity(client, tables);
  const unlogged = refused.filter(({ persistent }) => !persistent);
  if (unlogged.length > 0) {
    throw new TerraFusionError(
      'SOURCE_TABLE_WITHOUT_KEY',
      `Unlogged tables leave no trace in the WAL, so they cannot be replicated: ${unlogged.map(formatTableName).join(', ')}`,
      { details: { tables: unlogged.map(formatTableName) } },
    );
  }
  if (refused.length === 0) return;
  const told = refused.map(
    (table) => `${formatTableName(table)}${table.part === null ? '' : ` (partition ${table.part})`}`,
  );
  throw new TerraFusionError(
    'SOURCE_TABLE_WITHOUT_KEY',
    `Rows cannot be told apart, for want of a primary key or another replica identity: ${told.join(', ')}`,
    { details: { tables: refused.map(formatTableName) } },
  );
}
