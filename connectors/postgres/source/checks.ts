import type pg from 'pg';
import type { Check } from '#connectors/contract/check.ts';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { type ErrorCode, errorKinds, TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { connect, endClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import { quoteIdentifier, quoteTable } from '../identifiers.ts';
import { type PostgresSettings, resolveAddress } from '../settings.ts';
import { tablesWithoutIdentity } from './publication.ts';

/** Oldest version whose pgoutput and catalogs we know. */
const OLDEST_VERSION = 140_000;

/** Looks at everything that must be so before a system can be a source. (CHECKLIST 8, 9, 13) Never throws for what it finds. */
export async function checkSource(
  settings: PostgresSettings,
  tables: readonly TableName[] | undefined,
  context: ConnectorContext,
): Promise<Check[]> {
  let client: pg.Client;
  try {
    client = await connect(settings, context, { role: 'source', purpose: 'check' });
  } catch (error) {
    context.signal.throwIfAborted();
    return [failed('login', error)];
  }
  try {
    const server = await serverChecks(client);
    const replication = await replicationCheck(settings, context);
    const found = [ok('login', 'The source lets us in.'), ...server, replication];
    return tables === undefined ? found : [...found, ...(await tableChecks(client, tables))];
  } catch (error) {
    context.signal.throwIfAborted();
    return [ok('login', 'The source lets us in.'), failed('catalog', error)];
  } finally {
    await endClient(client);
  }
}

interface ServerRow {
  readonly version: number;
  readonly version_text: string;
  readonly encoding: string;
  readonly pid: number;
  readonly wal_level: string;
  readonly max_senders: number;
  readonly max_slots: number;
  readonly senders: number;
  readonly slots: number;
  readonly keep_mb: number;
  readonly idle_slot_timeout: string | null;
  readonly may_replicate: boolean;
  readonly may_publish: boolean;
  readonly may_write_messages: boolean;
  readonly in_recovery: boolean;
  readonly role: string;
  readonly database: string;
}

async function serverChecks(client: pg.Client): Promise<Check[]> {
  const { rows } = await client.query<ServerRow>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
            current_setting('server_encoding') AS encoding, pg_backend_pid() AS pid,
            current_setting('wal_level') AS wal_level, current_setting('max_wal_senders')::int AS max_senders,
            current_setting('max_replication_slots')::int AS max_slots,
            (SELECT count(*)::int FROM pg_stat_replication) AS senders,
            (SELECT count(*)::int FROM pg_replication_slots) AS slots,
            (SELECT setting::int FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS keep_mb,
            (SELECT setting || unit FROM pg_settings WHERE name = 'idle_replication_slot_timeout' AND setting <> '0') AS idle_slot_timeout,
            (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_replicate,
            has_database_privilege(current_database(), 'CREATE') AS may_publish,
            (SELECT bool_or(has_function_privilege(oid, 'EXECUTE')) FROM pg_proc
              WHERE proname = 'pg_logical_emit_message' AND pronamespace = 'pg_catalog'::regnamespace) AS may_write_messages,
            pg_is_in_recovery() AS in_recovery, current_user AS role, current_database() AS database`,
  );
  const row = rows[0]!;
  const role = quoteIdentifier(row.role);
  const { processID } = client as pg.Client & { readonly processID: number };
  return [
    check('version', row.version >= OLDEST_VERSION, `The source is PostgreSQL ${row.version_text}.`, {
      fix: 'Update the source to PostgreSQL 14 or newer.',
    }),
    check(
      'pooler',
      row.pid === processID,
      row.pid === processID ? 'The server answers itself.' : 'A connection pooler stands before the server.',
      {
        code: 'SOURCE_UNREACHABLE',
        fix: 'Use the direct port of the server, not that of the connection pooler: it can neither replicate nor keep session settings.',
      },
    ),
    check('encoding', row.encoding !== 'SQL_ASCII', `The database is encoded in ${row.encoding}.`, {
      code: 'SOURCE_ENCODING',
    }),
    check('primary', !row.in_recovery, row.in_recovery ? 'The source is a standby.' : 'The source is a primary.', {
      code: 'SOURCE_IS_STANDBY',
    }),
    check('wal_level', row.wal_level === 'logical', `wal_level is ${row.wal_level}.`, { code: 'SOURCE_WAL_LEVEL' }),
    check('replication_privilege', row.may_replicate, `The role ${row.may_replicate ? 'may' : 'may not'} replicate.`, {
      code: 'SOURCE_NO_PRIVILEGE',
      fix: `ALTER ROLE ${role} REPLICATION;`,
    }),
    check(
      'publication_privilege',
      row.may_publish,
      `The role ${row.may_publish ? 'may' : 'may not'} make publications.`,
      {
        code: 'SOURCE_NO_PRIVILEGE',
        fix: `GRANT CREATE ON DATABASE ${quoteIdentifier(row.database)} TO ${role};`,
      },
    ),
    check(
      'max_replication_slots',
      row.slots < row.max_slots,
      `${row.slots} of ${row.max_slots} replication slots are in use.`,
      {
        code: 'SOURCE_SLOTS_EXHAUSTED',
      },
    ),
    check(
      'max_wal_senders',
      row.senders < row.max_senders,
      `${row.senders} of ${row.max_senders} WAL senders are in use.`,
      {
        code: 'SOURCE_SLOTS_EXHAUSTED',
      },
    ),
    advice(
      'max_slot_wal_keep_size',
      row.keep_mb !== -1,
      row.keep_mb === -1
        ? 'The source keeps WAL for us without a limit: a long outage here can fill its disk.'
        : `The source keeps ${row.keep_mb} MB of WAL for a slot at most; beyond, the slot is lost.`,
      "Set max_slot_wal_keep_size to what the source's disk can spare, so that our outage never becomes its outage.",
    ),
    advice(
      'idle_replication_slot_timeout',
      row.idle_slot_timeout === null,
      row.idle_slot_timeout === null
        ? 'Slots are not given up for being idle.'
        : `A slot that nobody reads from for ${row.idle_slot_timeout} is given up.`,
      'Set idle_replication_slot_timeout to 0, or to more than the longest outage that has to be bridged.',
    ),
    advice(
      'heartbeat',
      row.may_write_messages,
      `Heartbeats ${row.may_write_messages ? 'can' : 'cannot'} be written.`,
      `GRANT EXECUTE ON FUNCTION pg_logical_emit_message TO ${role}; without, a lost end of the topic cannot be told from quiet.`,
    ),
  ];
}

/** A walsender session is let in by its own rules, and costs one of max_wal_senders. */
async function replicationCheck(settings: PostgresSettings, context: ConnectorContext): Promise<Check> {
  try {
    await endClient(await connect(settings, context, { role: 'source', replication: true, purpose: 'check' }));
    return ok('replication_connection', 'The source lets us replicate.');
  } catch (error) {
    context.signal.throwIfAborted();
    const check = failed('replication_connection', error);
    if (check.code !== 'SOURCE_NO_PRIVILEGE') return check;
    return { ...check, fix: `ALTER ROLE ${quoteIdentifier(resolveAddress(settings).user)} REPLICATION;` };
  }
}

interface TableFacts {
  readonly schema: string;
  readonly name: string;
  readonly may_select: boolean;
  readonly is_owner: boolean;
  readonly owner: string;
  readonly owner_is_superuser: boolean;
  readonly row_security: boolean;
  /** Columns of type "char", where the database is not in UTF8. */
  readonly single_bytes: readonly string[];
}

async function tableChecks(client: pg.Client, tables: readonly TableName[]): Promise<Check[]> {
  // The facts come through the oid: a schema without USAGE would make the privilege functions fail by name.
  const { rows } = await client.query<TableFacts>(
    `SELECT n.nspname AS schema, c.relname AS name,
            has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS (
              SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                 AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT'))) AS may_select,
            pg_has_role(c.relowner, 'USAGE') AS is_owner, pg_get_userbyid(c.relowner) AS owner,
            (SELECT rolsuper FROM pg_roles r WHERE r.oid = c.relowner) AS owner_is_superuser,
            row_security_active(c.oid) AS row_security,
            ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid = '"char"'::regtype
                     AND current_setting('server_encoding') <> 'UTF8' ORDER BY a.attnum) AS single_bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN unnest($1::text[], $2::text[]) AS w(nspname, relname) ON w.nspname = n.nspname AND w.relname = c.relname
      WHERE c.relkind IN ('r', 'p')`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const facts = new Map(rows.map((row) => [formatTableName(row), row]));
  const refused = new Map(
    (await tablesWithoutIdentity(client, tables)).map((table) => [formatTableName(table), table]),
  );
  const { rows: who } = await client.query<{ readonly role: string }>('SELECT current_user AS role');
  const role = quoteIdentifier(who[0]!.role);
  return tables.flatMap((table) => {
    const name = formatTableName(table);
    const found = facts.get(name);
    if (found === undefined)
      return [check(`table:${name}`, false, `There is no table ${name}.`, { code: 'SOURCE_TABLE_MISSING' })];
    return [ok(`table:${name}`, `The table ${name} exists.`), ...oneTable(table, found, refused.get(name), role)];
  });
}

function oneTable(
  table: TableName,
  found: TableFacts,
  refused: Awaited<ReturnType<typeof tablesWithoutIdentity>>[number] | undefined,
  role: string,
): Check[] {
  const name = formatTableName(table);
  const sql = quoteTable(table);
  const identity =
    refused === undefined
      ? `Rows of ${name} can be told apart.`
      : !refused.persistent
        ? `${name} is unlogged: it leaves no trace in the WAL.`
        : refused.part === null
          ? `${name} has no primary key or other replica identity.`
          : `${name} has a partition without a replica identity: ${refused.part}.`;
  return [
    check(`privilege:${name}`, found.may_select, `The role ${found.may_select ? 'may' : 'may not'} read ${name}.`, {
      code: 'SOURCE_NO_PRIVILEGE',
      fix: `GRANT USAGE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${role}; GRANT SELECT ON ${sql} TO ${role};`,
    }),
    check(
      `owner:${name}`,
      found.is_owner,
      `${name} belongs to ${found.owner}${found.is_owner ? ', as whom we act' : ''}.`,
      {
        code: 'SOURCE_NO_PRIVILEGE',
        // Nobody should be told to make a superuser of us.
        fix: found.owner_is_superuser
          ? `Only its owner may publish a table: give it to a role that is no superuser, and make ${role} a member of that role.`
          : `Only its owner may publish a table: GRANT ${quoteIdentifier(found.owner)} TO ${role};`,
      },
    ),
    check(`identity:${name}`, refused === undefined, identity, { code: 'SOURCE_TABLE_WITHOUT_KEY' }),
    check(
      `row_security:${name}`,
      !found.row_security,
      found.row_security
        ? `Row-level security hides rows of ${name} from the role.`
        : `All rows of ${name} are visible.`,
      { code: 'SOURCE_NO_PRIVILEGE', fix: `ALTER ROLE ${role} BYPASSRLS;` },
    ),
    ...(found.single_bytes.length === 0
      ? []
      : [
          advice(
            `single_bytes:${name}`,
            false,
            `${found.single_bytes.join(', ')} of ${name} holds single bytes ("char"): one beyond ASCII is two in UTF-8, of which a target keeps the first.`,
            `ALTER TABLE ${sql} ${found.single_bytes.map((column) => `ALTER ${quoteIdentifier(column)} TYPE char(1)`).join(', ')};`,
          ),
        ]),
  ];
}

function ok(name: string, message: string): Check {
  return { name, ok: true, required: true, message };
}

function check(
  name: string,
  good: boolean,
  message: string,
  bad: { readonly code?: ErrorCode; readonly fix?: string },
): Check {
  if (good) return ok(name, message);
  const fix = bad.fix ?? (bad.code === undefined ? undefined : errorKinds[bad.code].fix);
  return {
    name,
    ok: false,
    required: true,
    message,
    ...(bad.code && { code: bad.code }),
    ...(fix !== undefined && { fix }),
  };
}

function advice(name: string, good: boolean, message: string, fix: string): Check {
  return { name, ok: good, required: false, message, ...(good ? {} : { fix }) };
}

function failed(name: string, error: unknown): Check {
  const translated =
    error instanceof TerraFusionError ? error : translateError(error, 'source', 'Could not look at the source');
  return { name, ok: false, required: true, message: translated.message, code: translated.code, fix: translated.fix };
}
