import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';

/** A session of somebody who is at work does not rest for so long in a transaction, in milliseconds. */
const STILL_MS = 5000;
/** The server cuts names at 63 bytes, and one that was cut may be another pair's, too: with a long application_name nobody is sent away. */
const WHOLE_NAME_BYTES = 60;

/**
 * Ends sessions that a process which worked under our name has left in a transaction: stopped, or its machine frozen, its kernel goes on answering for
 * it, and what it has locked stays locked. Whoever opens a session of the name has the work (its lease), so that nothing they could still send would
 * be taken. Those that wait for their client only: what the server is at, it may finish.
 */
export async function endLeftBehind(
  client: pg.ClientBase,
  { log, healing }: Pick<ConnectorContext, 'log' | 'healing'>,
  stillMs = STILL_MS,
): Promise<void> {
  if (healing?.isOn('end_left_behind_sessions') === false) return;
  const { rows } = await client.query<{ pid: number; state: string; still_ms: number; ended: boolean }>(
    `SELECT pid, state, (extract(epoch FROM clock_timestamp() - since) * 1000)::float8 AS still_ms, pg_terminate_backend(pid) AS ended
       FROM pg_stat_activity a CROSS JOIN LATERAL (SELECT greatest(a.query_start, a.state_change) AS since) s
      WHERE a.application_name = current_setting('application_name') AND a.datname = current_database() AND a.usename = current_user
        AND octet_length(a.application_name) < ${WHOLE_NAME_BYTES} AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL AND a.wait_event_type = 'Client'
        AND since <= clock_timestamp() - $1::float8 * interval '1 millisecond'`,
    [stillMs],
  );
  if (rows.length === 0) return;
  log.warn({ sessions: rows }, 'Sessions at the target were ended that an earlier process has left in a transaction.');
  healing?.done(
    'end_left_behind_sessions',
    `Sessions at the target that an earlier process has left in a transaction were ended: ${rows.map(({ pid }) => pid).join(', ')}`,
  );
}
