import type pg from 'pg';
import type { Check } from '#connectors/contract/check.ts';
import type { ListedTable, TableList, TableListRequest } from '#connectors/contract/source.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { describeTables, NOT_SYSTEM } from './catalog.ts';
import { tableChecks } from './table-checks.ts';

interface NameRow extends TableName {
  readonly bytes: number;
}

/** Tables that could be in a pair. Partitions are there with the table that they are parts of. */
const TABLES = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND ${NOT_SYSTEM}`;

/**
 * A page of names. Sizes are what the last VACUUM or ANALYZE has counted, with what is stored out of line; only what neither has seen
 * is measured, since measuring waits for whoever has locked the table. (ANALYZE does not look at what is stored out of line.)
 */
const PAGE = `
SELECT p.schema, p.name, (SELECT coalesce(sum(CASE WHEN l.relpages > 0
           THEN l.relpages::int8 * current_setting('block_size')::int8
             + coalesce((SELECT CASE WHEN t.relpages > 0 THEN t.relpages::int8 * current_setting('block_size')::int8 ELSE pg_relation_size(t.oid) END
                           FROM pg_class t WHERE t.oid = l.reltoastrelid), 0)
           ELSE pg_table_size(l.oid) END), 0)
         FROM pg_class l WHERE l.oid = p.oid AND l.relkind = 'r'
            OR p.relkind = 'p' AND l.relkind = 'r' AND l.oid IN (SELECT relid FROM pg_partition_tree(p.oid) WHERE isleaf))::float8 AS bytes
  FROM (SELECT c.oid, c.relkind, n.nspname AS schema, c.relname AS name FROM ${TABLES}
           AND ($1::name IS NULL OR n.nspname = $1)
           AND ($2::text IS NULL OR strpos(lower(n.nspname || '.' || c.relname), lower($2)) > 0)
           AND ($3::name IS NULL OR (n.nspname, c.relname) > ($3::name, $4::name))
         ORDER BY n.nspname, c.relname LIMIT $5) AS p
 ORDER BY 1, 2`;

/** A page of the source's tables with all that one wants to know before one takes them into a pair. Reads the catalog only. */
export async function listTables(
  client: pg.Client,
  { schema, text, after, limit }: TableListRequest,
): Promise<TableList> {
  const { rows: schemas } = await client.query<{ name: string; tables: number }>(
    `SELECT n.nspname AS name, count(*)::int AS tables FROM ${TABLES} GROUP BY 1 ORDER BY 1`,
  );
  const { rows } = await client.query<NameRow>(PAGE, [
    schema ?? null,
    text === undefined || text === '' ? null : text,
    after?.schema ?? null,
    after?.name ?? null,
    limit + 1,
  ]);
  const page = rows.slice(0, limit);
  const names = page.map(({ schema, name }) => ({ schema, name }));
  const shapes = names.length === 0 ? [] : await describeTables(client, names);
  const checks = names.length === 0 ? [] : await tableChecks(client, names, undefined);
  return {
    tables: page.map(({ bytes, ...name }, index): ListedTable => ({
      shape: shapes[index]!,
      bytes,
      checks: checksOf(formatTableName(name), checks),
    })),
    more: rows.length > limit,
    schemas,
  };
}

/** "identity:pacs.owner" is about pacs.owner. */
function checksOf(table: string, checks: readonly Check[]): Check[] {
  return checks.filter(({ name }) => name.slice(name.indexOf(':') + 1) === table);
}
