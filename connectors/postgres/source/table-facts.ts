import type pg from 'pg';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import type { TableFacts } from './chunks.ts';

const WANTED = `unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, place)`;

/** The index that identifies rows in the stream: the replica identity's, or the primary key where the whole row or that identifies. */
const FACTS = `
SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
       s.bytes::float8 AS bytes, s.pages::float8 AS pages, k.key, greatest(c.reltuples, 0)::float8 AS rows
  FROM ${WANTED}
  JOIN pg_namespace n ON n.nspname = w.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(pg_table_size(l.relid)), 0) AS bytes,
           coalesce(sum(pg_relation_size(l.relid) / current_setting('block_size')::int), 0) AS pages
      FROM (SELECT c.oid AS relid WHERE c.relkind <> 'p'
            UNION ALL SELECT p.relid FROM pg_partition_tree(c.oid) p WHERE c.relkind = 'p' AND p.isleaf) l
  ) s
  LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object(
             'name', a.attname, 'cast', quote_ident(bn.nspname) || '.' || quote_ident(b.typname), 'operators', opn.nspname)
             ORDER BY u.place) AS key
      FROM pg_index i
      CROSS JOIN unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS u(attnum, opclass, place)
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum
      JOIN pg_opclass o ON o.oid = u.opclass
      -- Strategy 4 of a B-tree is "greater than or equal".
      JOIN pg_amop m ON m.amopfamily = o.opcfamily AND m.amopstrategy = 4
       AND m.amoplefttype = o.opcintype AND m.amoprighttype = o.opcintype
      JOIN pg_operator op ON op.oid = m.amopopr AND op.oprname = '>='
      JOIN pg_namespace opn ON opn.oid = op.oprnamespace
      CROSS JOIN LATERAL (
        WITH RECURSIVE below AS (
          SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
          UNION ALL
          SELECT t.oid, t.typtype, t.typbasetype FROM below JOIN pg_type t ON t.oid = below.typbasetype WHERE below.typtype = 'd'
        ) SELECT oid FROM below WHERE typtype <> 'd'
      ) AS bare
      JOIN pg_type b ON b.oid = bare.oid
      JOIN pg_namespace bn ON bn.oid = b.typnamespace
     WHERE i.indrelid = c.oid AND i.indimmediate AND i.indisvalid AND u.place <= i.indnkeyatts
       AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'f' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
     GROUP BY i.indexrelid, i.indnkeyatts
    HAVING count(*) = i.indnkeyatts
  ) k ON true
 ORDER BY w.place`;

type FactsRow = Omit<TableFacts, 'table' | 'key'> & TableName & { readonly key: TableFacts['key'] | null };

/**
 * What has to be known of the tables to read them in parts; asked once a snapshot.
 * @param known what was asked before; gets what is asked now
 * @throws {TerraFusionError} SOURCE_TABLE_MISSING
 */
export async function readFacts(
  client: pg.Client,
  tables: readonly TableName[],
  known: Map<string, TableFacts>,
): Promise<readonly TableFacts[]> {
  const unknown = tables.filter((table) => !known.has(formatTableName(table)));
  if (unknown.length > 0) {
    const { rows } = await client.query<FactsRow>(FACTS, [
      unknown.map(({ schema }) => schema),
      unknown.map(({ name }) => name),
    ]);
    for (const { schema, name, key, ...facts } of rows) {
      known.set(formatTableName({ schema, name }), { ...facts, table: { schema, name }, key: key ?? [] });
    }
  }
  const missing = tables.map(formatTableName).filter((name) => !known.has(name));
  if (missing.length > 0) {
    throw new TerraFusionError('SOURCE_TABLE_MISSING', `At the source ${missing.join(', ')} does not exist any more`, {
      details: { tables: missing },
    });
  }
  return tables.map((table) => known.get(formatTableName(table))!);
}

/**
 * The catalog's rows are as the snapshot shows them, its functions look at today. TRUNCATE and rewrites by ALTER TABLE give a table
 * another file, and an older snapshot sees nothing in that: what was there is neither in the file nor in the stream.
 */
const ALTERED = `
WITH RECURSIVE parts(root, relid) AS (
  SELECT c.oid, c.oid FROM ${WANTED} JOIN pg_namespace n ON n.nspname = w.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
  UNION ALL
  SELECT p.root, i.inhrelid FROM parts p JOIN pg_class c ON c.oid = p.root AND c.relkind = 'p' JOIN pg_inherits i ON i.inhparent = p.relid
)
SELECT w.schema, w.name FROM ${WANTED}
  LEFT JOIN (pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid) ON n.nspname = w.schema AND c.relname = w.name
 WHERE c.oid IS NULL
    OR to_regclass(format('%I.%I', w.schema, w.name)) IS DISTINCT FROM c.oid::regclass
    OR EXISTS (
      SELECT FROM parts p JOIN pg_class l ON l.oid = p.relid
       WHERE p.root = c.oid AND (
         (l.relkind = 'r' AND l.relfilenode IS DISTINCT FROM pg_relation_filenode(p.relid))
         OR (c.relkind = 'p' AND NOT EXISTS (SELECT FROM pg_partition_ancestors(p.relid) a WHERE a.relid = c.oid))))
    -- Attached since, with the rows it had before. One that was made since has only rows that the stream brings.
    OR EXISTS (
      SELECT FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid
       WHERE c.relkind = 'p' AND NOT EXISTS (SELECT FROM parts p WHERE p.root = c.oid AND p.relid = t.relid))
 ORDER BY w.place`;

/** See `SourceSnapshot.altered`. The session is in the snapshot's transaction. */
export async function alteredTables(client: pg.Client, tables: readonly TableName[]): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(ALTERED, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  return rows.map(({ schema, name }) => ({ schema, name }));
}
