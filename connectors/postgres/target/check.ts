import type pg from 'pg';
import type { Check } from '#connectors/contract/check.ts';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { advice, check, failed, good, versionCheck } from '../check-results.ts';
import { connect, endClient } from '../connection.ts';
import { quoteIdentifier, quoteTable } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { SCHEMA } from './bookkeeping.ts';
import type { CatalogTable } from './catalog.ts';
import { readTables } from './describe.ts';
import { reactionChecks, readReactions } from './reactions.ts';

/** Sessions that a pair opens at its target: writer, load, monitor, checks. */
const SESSIONS = 6;

/** Looks at everything that must be so before a system can be a target. Never throws for what it finds. */
export async function checkTarget(
  settings: PostgresSettings,
  tables: readonly TableName[],
  context: ConnectorContext,
): Promise<Check[]> {
  let client: pg.Client;
  try {
    client = await connect(settings, context, { role: 'target', purpose: 'check' });
  } catch (error) {
    context.signal.throwIfAborted();
    return [failed('target', 'login', error)];
  }
  const login = good('login', 'The target lets us in.');
  try {
    const server = await readServer(client);
    return [login, ...serverChecks(server, client), ...(await tableChecks(client, tables, server))];
  } catch (error) {
    context.signal.throwIfAborted();
    return [login, failed('target', 'catalog', error)];
  } finally {
    await endClient(client);
  }
}

interface Server {
  readonly version: number;
  readonly version_text: string;
  readonly encoding: string;
  readonly pid: number;
  readonly read_only: boolean;
  readonly may_create: boolean;
  readonly bookkeeping: boolean | null;
  /** Sessions that may still be opened. */
  readonly free: number;
  readonly role: string;
  readonly database: string;
}

async function readServer(client: pg.Client): Promise<Server> {
  const { rows } = await client.query<Server>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
            current_setting('server_encoding') AS encoding, pg_backend_pid() AS pid,
            pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only,
            has_database_privilege(current_database(), 'CREATE') AS may_create,
            (SELECT has_schema_privilege(n.oid, 'USAGE') AND (has_schema_privilege(n.oid, 'CREATE') OR coalesce((
               SELECT has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'applied_positions'), false))
               FROM pg_namespace n WHERE n.nspname = '${SCHEMA}') AS bookkeeping,
            (SELECT least(
               current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0) - count(*),
               (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user) - count(*) FILTER (WHERE a.usename = current_user),
               (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()) - count(*) FILTER (WHERE a.datname = current_database())
             )::int FROM pg_stat_activity a WHERE a.backend_type = 'client backend') AS free,
            current_user AS role, current_database() AS database`,
  );
  return rows[0]!;
}

function serverChecks(server: Server, client: pg.Client): Check[] {
  const { processID } = client as pg.Client & { readonly processID: number };
  const role = quoteIdentifier(server.role);
  const direct = server.pid === processID;
  const mayKeep = server.bookkeeping ?? server.may_create;
  return [
    versionCheck('target', server.version, server.version_text),
    check('pooler', direct, direct ? 'The server answers itself.' : 'A connection pooler stands before the server.', {
      code: 'TARGET_UNREACHABLE',
      fix: 'Use the direct port of the server, not that of the connection pooler: it cannot keep session settings.',
    }),
    check('primary', !server.read_only, server.read_only ? 'The target is read only.' : 'The target takes writes.', {
      fix: 'Use the primary, and a database and role without default_transaction_read_only.',
    }),
    encodingCheck(server.encoding),
    advice(
      'connections',
      server.free >= SESSIONS,
      `${Math.max(0, server.free)} more sessions may be opened.`,
      `A pair needs up to ${SESSIONS}. Raise max_connections, or the limit of the role (ALTER ROLE ${role} CONNECTION LIMIT …) or of the database.`,
    ),
    check(
      'bookkeeping',
      mayKeep,
      mayKeep
        ? `The position can be kept in schema ${SCHEMA}.`
        : `The role may not keep its position in schema ${SCHEMA}.`,
      {
        code: 'TARGET_NO_PRIVILEGE',
        fix:
          server.bookkeeping === null
            ? `GRANT CREATE ON DATABASE ${quoteIdentifier(server.database)} TO ${role}; or CREATE SCHEMA ${SCHEMA} AUTHORIZATION ${role};`
            : `GRANT USAGE, CREATE ON SCHEMA ${SCHEMA} TO ${role}; and give it all rights on the tables in there.`,
      },
    ),
  ];
}

function encodingCheck(encoding: string): Check {
  const message = `The database is encoded in ${encoding}.`;
  return encoding === 'SQL_ASCII'
    ? check('encoding', false, message, { code: 'TARGET_ENCODING' })
    : advice(
        'encoding',
        encoding === 'UTF8',
        message,
        'Characters that this encoding does not have become dead letters. A database in UTF8 holds them all.',
      );
}

interface Rights {
  readonly name: string;
  readonly missing: readonly string[];
  readonly may_truncate: boolean;
}

async function tableChecks(client: pg.Client, tables: readonly TableName[], server: Server): Promise<Check[]> {
  const there = new Map((await readTables(client, tables)).map((table) => [formatTableName(table), table]));
  const rights = await readRights(client, [...there.values()]);
  const creatable = await readCreatable(client, tables);
  const reactions = await readReactions(client, [...there.values()]);
  const role = quoteIdentifier(server.role);
  return tables.flatMap((table) => {
    const name = formatTableName(table);
    const found = there.get(name);
    if (found === undefined) return [missingTable(table, creatable.get(table.schema) ?? server.may_create, server)];
    return [
      good(`table:${name}`, `The table ${name} exists.`),
      ...oneTable(found, rights.get(found.oid)!, role),
      ...reactionChecks(found, reactions.get(found.oid)!),
    ];
  });
}

function missingTable(table: TableName, may: boolean, { role, database }: Server): Check {
  const name = formatTableName(table);
  return check(
    `table:${name}`,
    may,
    may
      ? `There is no table ${name}; it can be created.`
      : `There is no table ${name}, and the role may not create it.`,
    {
      code: 'TARGET_NO_PRIVILEGE',
      fix: `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(table.schema)}; GRANT USAGE, CREATE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${quoteIdentifier(role)}; or GRANT CREATE ON DATABASE ${quoteIdentifier(database)} TO ${quoteIdentifier(role)};`,
    },
  );
}

function oneTable(table: CatalogTable, { missing, may_truncate }: Rights, role: string): Check[] {
  const name = formatTableName(table);
  const sql = quoteTable(table);
  const keyed = table.uniqueKeys.length > 0;
  return [
    check(
      `privilege:${name}`,
      missing.length === 0,
      missing.length === 0 ? `The role may write ${name}.` : `The role lacks ${missing.join(', ')} on ${name}.`,
      {
        code: 'TARGET_NO_PRIVILEGE',
        fix: `GRANT USAGE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ${sql} TO ${role};`,
      },
    ),
    advice(
      `truncate:${name}`,
      may_truncate,
      `The role ${may_truncate ? 'may' : 'may not'} truncate ${name}.`,
      `Without it a TRUNCATE at the source, or replacing the table's rows, halts the pair: GRANT TRUNCATE ON ${sql} TO ${role};`,
    ),
    advice(
      `key:${name}`,
      keyed,
      keyed ? `${name} has a unique key.` : `${name} has no primary key or other unique index.`,
      'Updates and deletes look through the whole table each time. Add a primary key.',
    ),
    advice(
      `row_security:${name}`,
      !table.rowSecurity,
      table.rowSecurity ? `Row-level security holds for the role on ${name}.` : `All rows of ${name} can be written.`,
      `Rows that a policy hides or refuses halt the pair, and loading is slower: ALTER ROLE ${role} BYPASSRLS;`,
    ),
  ];
}

/** By oid: a schema without USAGE would make the privilege functions fail by name. */
async function readRights(client: pg.Client, tables: readonly CatalogTable[]): Promise<Map<string, Rights>> {
  const { rows } = await client.query<{ oid: string; missing: string[]; may_truncate: boolean }>(
    `SELECT c.oid::text AS oid, has_table_privilege(c.oid, 'TRUNCATE') AS may_truncate,
            ARRAY(SELECT r FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r WHERE NOT has_table_privilege(c.oid, r))
            || CASE WHEN has_schema_privilege(c.relnamespace, 'USAGE') THEN '{}'::text[] ELSE '{USAGE}' END AS missing
       FROM pg_class c WHERE c.oid = ANY($1::oid[])`,
    [tables.map(({ oid }) => oid)],
  );
  return new Map(rows.map((row) => [row.oid, { ...row, name: row.oid }]));
}

/** Whether the role may create tables, by schema that exists. */
async function readCreatable(client: pg.Client, tables: readonly TableName[]): Promise<Map<string, boolean>> {
  const { rows } = await client.query<{ schema: string; may: boolean }>(
    `SELECT nspname AS schema, has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE') AS may
       FROM pg_namespace WHERE nspname = ANY($1::text[])`,
    [[...new Set(tables.map(({ schema }) => schema))]],
  );
  return new Map(rows.map(({ schema, may }) => [schema, may]));
}
