import type pg from 'pg';
import type { TableToCreate } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteColumns, quoteIdentifier, quoteTable } from '../identifiers.ts';
import { readTables } from './describe.ts';

/**
 * Creates the missing ones of the tables and their schemas, in one transaction.
 * @returns those that were made
 * @throws {TerraFusionError} TARGET_TYPE_MISSING naming every column whose type the target does not know
 */
export async function createTables(client: pg.ClientBase, tables: readonly TableToCreate[]): Promise<TableName[]> {
  await client.query('BEGIN');
  try {
    // Two pairs that start at once may want the same table.
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('terrafusion create tables'))`);
    const there = await readTables(
      client,
      tables.map(({ table }) => table),
    );
    const known = new Set(there.map(formatTableName));
    const missing = tables.filter(({ table }) => !known.has(formatTableName(table)));
    await requireTypes(client, missing);
    for (const schema of new Set(missing.map(({ table }) => table.schema))) await createSchema(client, schema);
    for (const table of missing) await client.query(creation(table));
    await client.query('COMMIT');
    return missing.map(({ table }) => table);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

function creation({ table, columns, primaryKey }: TableToCreate): string {
  const lines = columns.map(
    ({ name, type, notNull }) => `${quoteIdentifier(name)} ${type}${notNull ? ' NOT NULL' : ''}`,
  );
  if (primaryKey.length > 0) lines.push(`PRIMARY KEY (${quoteColumns(primaryKey)})`);
  return `CREATE TABLE ${quoteTable(table)} (\n  ${lines.join(',\n  ')}\n)`;
}

/** A role without the right to create schemas can still use one that is there. */
async function createSchema(client: pg.ClientBase, schema: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
}

/**
 * Also makes sure that each type is nothing but a type: it goes into the statement as it is. Within a transaction only.
 * @throws {TerraFusionError} TARGET_TYPE_MISSING naming every column whose type the target does not know
 */
export async function requireTypes(
  client: pg.ClientBase,
  tables: readonly Pick<TableToCreate, 'table' | 'columns'>[],
): Promise<void> {
  const known = new Map<string, boolean>();
  const unknown: string[] = [];
  for (const { table, columns } of tables) {
    for (const { name, type } of columns) {
      let found = known.get(type);
      if (found === undefined) known.set(type, (found = await typeExists(client, type)));
      if (!found) unknown.push(`${formatTableName(table)}.${name} ${type}`);
    }
  }
  if (unknown.length > 0) {
    throw new TerraFusionError('TARGET_TYPE_MISSING', `The target does not know the type of ${unknown.join(', ')}`, {
      details: { columns: unknown },
    });
  }
}

/** Whether the words name a type, and nothing but a type. Within a transaction. */
export async function typeExists(client: pg.ClientBase, type: string): Promise<boolean> {
  // A comment is blank space to the server's reader of type names, but would swallow the rest of our line.
  if (/--|\/\*/.test(type)) return false;
  await client.query('SAVEPOINT type');
  try {
    const { rows } = await client.query<{ found: boolean }>('SELECT to_regtype($1) IS NOT NULL AS found', [type]);
    await client.query('RELEASE SAVEPOINT type');
    return rows[0]!.found;
  } catch {
    // What is no type at all is a syntax error to older servers.
    await client.query('ROLLBACK TO SAVEPOINT type');
    return false;
  }
}
