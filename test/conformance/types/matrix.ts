import type pg from 'pg';
import { quoteTable } from '#connectors/postgres/identifiers.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { TestDatabase } from '#test/support/database.ts';
import type { Installation, TestPair } from '#test/support/installation.ts';
import {
  definitions,
  firstRows,
  laterChanges,
  pairTables,
  rolesOf,
  schemas,
  tableOf,
  targetColumns,
} from './tables.ts';
import type { Role, TypeCase } from './type-case.ts';

/** What differs between source and target, by case and role; nothing for a table that is equal. */
export type Differences = Partial<Record<Role, string>>;

export interface MatrixResult {
  /** After the first load. */
  readonly loaded: ReadonlyMap<TypeCase, Differences>;
  /** After everything that came while it streamed. */
  readonly streamed: ReadonlyMap<TypeCase, Differences>;
  readonly letters: readonly { readonly code: string; readonly reason: string }[];
  readonly pair: TestPair;
}

export interface Ends {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly installation: Installation;
  /** Other URLs for the pair, see NewTestPair. */
  readonly sourceUrl?: string;
  readonly targetUrl?: string;
}

/** The cases that both servers can have; the others by their reason. */
export async function split(
  cases: readonly TypeCase[],
  ...databases: readonly TestDatabase[]
): Promise<{ possible: TypeCase[]; missing: Map<TypeCase, string> }> {
  const possible: TypeCase[] = [];
  const missing = new Map<TypeCase, string>();
  const servers = await Promise.all(
    databases.map(async (database) => ({
      major: await majorOf(database),
      extensions: new Set(
        (await database.query<{ name: string }>('SELECT name FROM pg_available_extensions')).map(({ name }) => name),
      ),
    })),
  );
  for (const type of cases) {
    const old = servers.find(({ major }) => major < (type.since ?? 0));
    const lacking = servers.find(({ extensions }) => type.extension !== undefined && !extensions.has(type.extension));
    if (old) missing.set(type, `PostgreSQL ${old.major} has no ${type.name}`);
    else if (lacking)
      missing.set(type, `the extension ${type.extension!} is not installed beside PostgreSQL ${lacking.major}`);
    else possible.push(type);
  }
  return { possible, missing };
}

export async function majorOf(database: TestDatabase): Promise<number> {
  return database.value<number>(`SELECT current_setting('server_version_num')::int / 10000`);
}

/**
 * Takes all cases through a pair: there before it, and changed while it streams. One pair for all of them.
 * @param oldestMajor only values that this version knows; the source's when left out
 */
export async function runMatrix(cases: readonly TypeCase[], ends: Ends, oldestMajor?: number): Promise<MatrixResult> {
  const { source, target, installation } = ends;
  const major = oldestMajor ?? (await majorOf(source));
  await inCanonicalSession(target, (client) => run(client, setupOf(cases)));
  await inCanonicalSession(source, async (client) => {
    await run(client, [...setupOf(cases), ...cases.flatMap(definitions)]);
    await run(
      client,
      cases.flatMap((type) => firstRows(type, major)),
    );
  });
  await using service = installation.start();
  const pair = await installation.addPair({
    source,
    target,
    tables: cases.flatMap(pairTables),
    ...(ends.sourceUrl && { sourceUrl: ends.sourceUrl }),
    ...(ends.targetUrl && { targetUrl: ends.targetUrl }),
  });
  await pair.until('streaming');
  await pair.fence();
  const loaded = await compare(cases, ends);
  await inCanonicalSession(source, async (client) => {
    for (const statement of cases.flatMap((type) => laterChanges(type, major))) await run(client, [statement]);
  });
  await pair.fence();
  const streamed = await compare(cases, ends);
  await service.stop();
  return { loaded, streamed, letters: await pair.deadLetters(), pair };
}

/** Each statement once, in the order in which somebody first needs it. */
export function setupOf(cases: readonly TypeCase[]): string[] {
  return [...new Set([...schemas, ...cases.flatMap(({ setup = [] }) => setup)])];
}

async function run(client: pg.ClientBase, statements: readonly string[]): Promise<void> {
  await client.query('BEGIN');
  for (const statement of statements) {
    await client.query(statement).catch((cause: unknown) => {
      throw new Error(`${(cause as Error).message}: ${statement.slice(0, 400)}`, { cause });
    });
  }
  await client.query('COMMIT');
}

/** How values are written and printed for the comparison, whatever the database's defaults are. */
const CANONICAL = `SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 3;
  SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content'; SET standard_conforming_strings = 'on';
  SET array_nulls = 'on'; SET search_path = 'pg_catalog'; SET client_encoding = 'UTF8'`;

export async function inCanonicalSession<T>(
  database: TestDatabase,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await database.connect();
  try {
    await client.query(CANONICAL);
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Every row as PostgreSQL prints it (Promise 4), table by table. */
async function compare(
  cases: readonly TypeCase[],
  { source, target }: Ends,
): Promise<ReadonlyMap<TypeCase, Differences>> {
  const [here, there] = await Promise.all([printed(cases, source, () => '*'), printed(cases, target, targetColumns)]);
  return new Map(
    cases.map((type) => {
      const differences: Differences = {};
      for (const role of rolesOf(type)) {
        const name = formatTableName(tableOf(role, type));
        const [at, to] = [here.get(name)!, there.get(name)!];
        const [lacking, surplus] = [beyond(at, to), beyond(to, at)];
        if (at.length === 0) differences[role] = 'the source has no row';
        else if (lacking.length + surplus.length > 0) {
          differences[role] = [
            ...lacking.map((row) => `- ${row.slice(0, 300)}`),
            ...surplus.map((row) => `+ ${row.slice(0, 300)}`),
          ].join('\n');
        }
      }
      return [type, differences];
    }),
  );
}

async function printed(
  cases: readonly TypeCase[],
  database: TestDatabase,
  columns: (role: Role) => string,
): Promise<Map<string, string[]>> {
  const each = cases.flatMap((type) =>
    rolesOf(type).map((role) => {
      const table = tableOf(role, type);
      // A row's own output prints each column by its type's: nothing is cast, padding and signs are seen.
      return `SELECT '${formatTableName(table).replaceAll("'", "''")}' AS name, coalesce(array_agg(r::text), '{}') AS rows
        FROM (SELECT ${columns(role)} FROM ${quoteTable(table)}) AS r`;
    }),
  );
  return inCanonicalSession(database, async (client) => {
    const { rows } = await client.query<{ name: string; rows: string[] }>(each.join('\nUNION ALL\n'));
    return new Map(rows.map(({ name, rows }) => [name, rows]));
  });
}

/** Members of one multiset that the other lacks. */
function beyond(one: readonly string[], other: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const row of other) left.set(row, (left.get(row) ?? 0) + 1);
  return one.filter((row) => {
    const count = left.get(row) ?? 0;
    left.set(row, count - 1);
    return count <= 0;
  });
}
