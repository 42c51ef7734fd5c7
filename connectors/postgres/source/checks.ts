import type pg from 'pg';
import type { Check } from '#connectors/contract/check.ts';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { StreamIdentity } from '#connectors/contract/source.ts';
import type { TableName } from '#schemas/tables.ts';
import { advice, check, failed, good, versionCheck } from '../check-results.ts';
import { connect, endClient } from '../connection.ts';
import { quoteIdentifier } from '../identifiers.ts';
import { type PostgresSettings, resolveAddress } from '../settings.ts';
import { publicationCheck, tableChecks } from './table-checks.ts';

/**
 * Looks at everything that must be so before a system can be a source. (CHECKLIST 8, 9, 13) Never throws for what it finds.
 * @param stream what the source keeps for us already
 */
export async function checkSource(
  settings: PostgresSettings,
  tables: readonly TableName[] | undefined,
  context: ConnectorContext,
  stream?: Pick<StreamIdentity, 'slot' | 'publication'>,
): Promise<Check[]> {
  let client: pg.Client;
  try {
    client = await connect(settings, context, { role: 'source', purpose: 'check' });
  } catch (error) {
    context.signal.throwIfAborted();
    return [failed('source', 'login', error)];
  }
  try {
    const server = await serverChecks(client, stream?.slot);
    const replication = await replicationCheck(settings, context);
    const publication = stream === undefined ? [] : await publicationCheck(client, stream.publication);
    const found = [good('login', 'The source lets us in.'), ...server, replication, ...publication];
    return tables === undefined ? found : [...found, ...(await tableChecks(client, tables, stream?.publication))];
  } catch (error) {
    context.signal.throwIfAborted();
    return [good('login', 'The source lets us in.'), failed('source', 'catalog', error)];
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
  readonly slot_is_there: boolean;
  readonly longest: string | null;
  readonly role: string;
  readonly database: string;
}

async function serverChecks(client: pg.Client, slot: string | undefined): Promise<Check[]> {
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
            pg_is_in_recovery() AS in_recovery,
            EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1) AS slot_is_there,
            (SELECT format('process %s (user %s, application %s) since %s', pid, usename, application_name, date_trunc('second', xact_start))
               FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '1 minute' AND pid <> pg_backend_pid()
             UNION ALL SELECT format('prepared transaction %s of %s since %s', gid, owner, date_trunc('second', prepared)) FROM pg_prepared_xacts
              WHERE prepared < now() - interval '1 minute' LIMIT 1) AS longest,
            current_user AS role, current_database() AS database`,
    [slot ?? null],
  );
  const row = rows[0]!;
  const role = quoteIdentifier(row.role);
  const { processID } = client as pg.Client & { readonly processID: number };
  return [
    versionCheck('source', row.version, row.version_text),
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
      // Ours, once it is there, takes no other.
      row.slots < row.max_slots || row.slot_is_there,
      `${row.slots} of ${row.max_slots} replication slots are in use, ${Math.max(0, row.max_slots - row.slots)} free${row.slot_is_there ? '; ours is among them' : ''}.`,
      {
        code: 'SOURCE_SLOTS_EXHAUSTED',
      },
    ),
    check(
      'max_wal_senders',
      row.senders < row.max_senders,
      `${row.senders} of ${row.max_senders} WAL senders are in use, ${Math.max(0, row.max_senders - row.senders)} free.`,
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
      'open_transactions',
      row.longest === null,
      row.longest === null
        ? 'No transaction has been writing for more than a minute.'
        : `A transaction has been open for more than a minute: ${row.longest}.`,
      'Slot and snapshot wait for it to end. End it, or expect SOURCE_SLOT_BLOCKED.',
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
    return good('replication_connection', 'The source lets us replicate.');
  } catch (error) {
    context.signal.throwIfAborted();
    const check = failed('source', 'replication_connection', error);
    if (check.code !== 'SOURCE_NO_PRIVILEGE') return check;
    return { ...check, fix: `ALTER ROLE ${quoteIdentifier(resolveAddress(settings).user)} REPLICATION;` };
  }
}
