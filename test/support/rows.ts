import type pg from 'pg';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import type { TestDatabase } from './database.ts';

/** A table at both ends, "schema.table". */
export interface TablePair {
  readonly source: string;
  readonly target?: string;
  /** Columns to compare; every one of the source's (generated ones too) when left out. */
  readonly columns?: readonly string[];
}

export interface TableHash {
  readonly rows: number;
  /** Over all rows as text, whatever their order. */
  readonly hash: string;
}

/** What decides how PostgreSQL prints a value: both ends are asked in the same way. */
const CANONICAL = `SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'`;

/** Every table of the non-system schemas, as "schema.table", without our own bookkeeping. */
export async function tablesOf(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND n.nspname NOT IN ('information_schema', '_terrafusion') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2`,
  );
  return rows.map(formatTableName);
}

/** Columns in name order, so that a different order at the other end is no difference. */
export async function columnsOf(database: TestDatabase, table: string): Promise<string[]> {
  const { schema, name } = parseTableName(table);
  const rows = await database.query<{ name: string }>(
    `SELECT a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname COLLATE "C"`,
    [schema, name],
  );
  return rows.map((row) => row.name);
}

/** Counts and hashes all rows on the server: nothing but the result travels. */
export async function hashTable(
  database: TestDatabase,
  table: string,
  columns?: readonly string[],
): Promise<TableHash> {
  const digest = digestOf(columns ?? (await columnsOf(database, table)));
  return asCanonical(database, async (client) => {
    const { rows } = await client.query<{ rows: string; hash: string }>(
      `SELECT count(*) AS rows, md5(coalesce(string_agg(digest, '' ORDER BY digest COLLATE "C"), '')) AS hash
       FROM (SELECT ${digest} AS digest FROM ${quotedName(table)}) AS digests`,
    );
    return { rows: Number(rows[0]!.rows), hash: rows[0]!.hash };
  });
}

/**
 * Compares every row of the tables at both ends, as PostgreSQL prints it. (Promise 4)
 * @param tables all of the source's tables under the same names when left out
 * @returns how many rows each table holds
 * @throws an error that shows the first rows that only one end holds, table by table
 */
export async function expectSameRows(
  source: TestDatabase,
  target: TestDatabase,
  tables?: readonly (string | TablePair)[],
): Promise<Record<string, number>> {
  const pairs = (tables ?? (await tablesOf(source))).map((table) =>
    typeof table === 'string' ? { source: table } : table,
  );
  if (pairs.length === 0) throw new Error('There is no table to compare');
  const counts: Record<string, number> = {};
  const differences: string[] = [];
  for (const pair of pairs) {
    const columns = pair.columns ?? (await columnsOf(source, pair.source));
    const there = pair.target ?? pair.source;
    const [at, to] = await Promise.all([hashTable(source, pair.source, columns), hashTable(target, there, columns)]);
    counts[pair.source] = at.rows;
    if (at.hash !== to.hash)
      differences.push(
        await describeDifference({ database: source, table: pair.source }, { database: target, table: there }, columns),
      );
  }
  if (differences.length > 0) throw new Error(`Source and target differ\n${differences.join('\n')}`);
  return counts;
}

interface End {
  readonly database: TestDatabase;
  readonly table: string;
}

const SHOWN = 5;

async function describeDifference(source: End, target: End, columns: readonly string[]): Promise<string> {
  const [here, there] = await Promise.all([digests(source, columns), digests(target, columns)]);
  const [lacking, surplus] = [beyond(here, there), beyond(there, here)];
  const lines = [
    `${source.table}: ${lacking.length} rows only at the source, ${surplus.length} only at the target; ${columns.join(', ')}`,
  ];
  for (const row of await rowsOf(source, columns, lacking)) lines.push(`  - ${row}`);
  for (const row of await rowsOf(target, columns, surplus)) lines.push(`  + ${row}`);
  return lines.join('\n');
}

function digests({ database, table }: End, columns: readonly string[]): Promise<string[]> {
  return asCanonical(database, async (client) => {
    const { rows } = await client.query<{ digest: string }>(
      `SELECT ${digestOf(columns)} AS digest FROM ${quotedName(table)}`,
    );
    return rows.map((row) => row.digest);
  });
}

/** Members of one multiset that the other lacks. */
function beyond(one: readonly string[], other: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const digest of other) left.set(digest, (left.get(digest) ?? 0) + 1);
  return one.filter((digest) => {
    const count = left.get(digest) ?? 0;
    left.set(digest, count - 1);
    return count <= 0;
  });
}

function rowsOf({ database, table }: End, columns: readonly string[], wanted: readonly string[]): Promise<string[]> {
  return asCanonical(database, async (client) => {
    const { rows } = await client.query<{ row: string }>(
      `SELECT left(${rowText(columns)}, 400) AS row FROM ${quotedName(table)} WHERE ${digestOf(columns)} = ANY($1) ORDER BY 1 LIMIT ${SHOWN}`,
      [wanted],
    );
    return rows.map(({ row }) => row);
  });
}

/** A row's text: cells as text within ROW(…), which quotes them, so that NULL, '' and a comma stay apart. */
const rowText = (columns: readonly string[]): string =>
  `ROW(${columns.map((column) => `${identifier(column)}::text`).join(', ')})::text`;
const digestOf = (columns: readonly string[]): string => `md5(${rowText(columns)})`;

async function asCanonical<T>(database: TestDatabase, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const client = await database.connect();
  try {
    await client.query(CANONICAL);
    return await work(client);
  } finally {
    await client.end();
  }
}

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** "schema.table" as SQL wants it. */
export function quotedName(table: string): string {
  const { schema, name } = parseTableName(table);
  return `${identifier(schema)}.${identifier(name)}`;
}
