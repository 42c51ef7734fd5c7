import type pg from 'pg';
import type { TableShape } from '#connectors/contract/source.ts';
import type { BlockColumn } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { identityOf } from './relations.ts';

/** Schemas that are nobody's data: the server's own, and ours. */
export const NOT_SYSTEM = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_terrafusion')`;

interface ColumnRow {
  readonly name: string;
  readonly type_oid: number;
  readonly type_schema: string;
  readonly type_name: string;
  readonly typmod: number;
  readonly printed: string;
  readonly not_null: boolean;
  readonly in_identity: boolean;
}

interface TableRow {
  readonly relation_id: number;
  readonly schema: string;
  readonly name: string;
  readonly identity: string;
  readonly primary_key: readonly string[];
  readonly unique_keys: readonly (readonly string[])[];
  readonly rows: number;
  readonly columns: readonly ColumnRow[];
}

/**
 * Shapes as the stream would announce them: of a domain it names the type below, with identity FULL every column is part of the key,
 * a deferrable primary key identifies nothing, generated columns are not sent.
 */
const DESCRIBE = `
WITH RECURSIVE base(oid, below) AS (
  SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
  UNION ALL
  SELECT t.oid, b.below FROM pg_type t JOIN base b ON t.typbasetype = b.oid WHERE t.typtype = 'd'
), tables AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.reltuples
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
     AND CASE WHEN $1::text[] IS NULL THEN ${NOT_SYSTEM} AND NOT c.relispartition AND c.relpersistence = 'p'
              ELSE EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS w(nspname, relname)
                            WHERE w.nspname = n.nspname AND w.relname = c.relname) END
)
SELECT c.oid::int8::float8 AS relation_id, c.nspname AS schema, c.relname AS name, c.relreplident AS identity,
       coalesce((SELECT json_agg(a.attname ORDER BY k.place)
                   FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place), pg_attribute a
                  WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
                    AND a.attrelid = c.oid AND a.attnum = k.attnum), '[]') AS primary_key,
       coalesce((SELECT json_agg((SELECT json_agg(a.attname ORDER BY k.place)
                   FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                  WHERE k.place <= i.indnkeyatts))
                   FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL), '[]') AS unique_keys,
       (CASE c.relkind WHEN 'p' THEN
         (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid WHERE p.isleaf)
        ELSE greatest(c.reltuples, 0) END)::float8 AS rows,
       coalesce((SELECT json_agg(json_build_object(
                   'name', a.attname, 'type_oid', a.atttypid::int8,
                   'type_schema', tn.nspname, 'type_name', t.typname, 'typmod', a.atttypmod,
                   'printed', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
                   'in_identity', c.relreplident = 'f' OR EXISTS (
                     SELECT FROM pg_index i
                      WHERE i.indrelid = c.oid AND i.indimmediate
                        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
                        AND a.attnum = ANY ((i.indkey::int2[])[0 : i.indnkeyatts - 1]))) ORDER BY a.attnum)
                   FROM pg_attribute a JOIN base b ON b.oid = a.atttypid JOIN pg_type t ON t.oid = b.below
                        JOIN pg_namespace tn ON tn.oid = t.typnamespace
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '[]') AS columns
  FROM tables c ORDER BY 2, 3`;

/**
 * The shapes of the named tables, or of every table that could be replicated.
 * @throws {TerraFusionError} SOURCE_TABLE_MISSING naming all that are missing; the driver's errors
 */
export async function describeTables(
  client: pg.Client,
  tables: readonly TableName[] | undefined,
): Promise<TableShape[]> {
  const { rows } = await client.query<TableRow>(DESCRIBE, [
    tables?.map(({ schema }) => schema) ?? null,
    tables?.map(({ name }) => name) ?? null,
  ]);
  const shapes = rows.map(shapeOf);
  if (tables === undefined) return shapes;
  const byName = new Map(shapes.map((shape) => [formatTableName(shape.table), shape]));
  const missing = tables.map(formatTableName).filter((name) => !byName.has(name));
  if (missing.length > 0) throw await tablesMissing(client, missing, tables);
  // In the order they were asked for.
  return tables.map((table) => byName.get(formatTableName(table))!);
}

function shapeOf(row: TableRow): TableShape {
  const columns = row.columns.map((column): BlockColumn => ({
    name: column.name,
    typeOid: column.type_oid,
    typeSchema: column.type_schema,
    typeName: column.type_name,
    typmod: column.typmod,
    key: column.in_identity,
    format: 'text',
  }));
  return {
    table: {
      relationId: row.relation_id,
      schema: row.schema,
      name: row.name,
      identity: identityOf(row.identity),
      tolerant: false,
      columns,
    },
    primaryKey: row.primary_key,
    uniqueKeys: row.unique_keys,
    typeNames: new Map(row.columns.map(({ name, printed }) => [name, printed])),
    notNull: new Set(row.columns.filter((column) => column.not_null).map(({ name }) => name)),
    estimatedRows: row.rows,
  };
}

const kinds: Readonly<Record<string, string>> = {
  v: 'is a view',
  m: 'is a materialized view',
  f: 'is a foreign table',
  S: 'is a sequence',
  r: 'is a temporary table',
};

/** Names each, and what it is instead of a table where it is something. */
async function tablesMissing(
  client: pg.Client,
  missing: readonly string[],
  tables: readonly TableName[],
): Promise<TerraFusionError> {
  const { rows } = await client.query<{ readonly schema: string; readonly name: string; readonly kind: string }>(
    `SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN unnest($1::text[], $2::text[]) AS w(nspname, relname) ON w.nspname = n.nspname AND w.relname = c.relname`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const found = new Map(rows.map((row) => [formatTableName(row), kinds[row.kind]]));
  const told = missing.map((name) => `${name} ${found.get(name) ?? 'does not exist'}`);
  return new TerraFusionError('SOURCE_TABLE_MISSING', `At the source ${told.join(', ')}`, {
    details: { tables: missing },
  });
}
