import type pg from 'pg';

/** A transaction that somebody waits for. Its statement is left out: it may hold secrets. */
export interface Blocker {
  /** Process at the source; absent for a prepared transaction, which has none. */
  readonly pid?: number;
  readonly xid?: string;
  readonly user?: string;
  readonly application?: string;
  readonly state?: string;
  /** When it began, as the source prints it. */
  readonly since?: string;
  /** Name of a prepared transaction. */
  readonly prepared?: string;
}

/** All transactions of the database that have written something, ours left out; with `cluster` those of all databases. */
const RUNNING = `
  SELECT a.pid, a.backend_xid::text AS xid, a.usename AS user, a.application_name AS application, a.state,
         a.xact_start::text AS since, NULL::text AS prepared
    FROM pg_stat_activity a
   WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid() AND (a.datname = current_database() OR $1)
  UNION ALL
  SELECT NULL, p.transaction::text, p.owner, NULL, 'prepared', p.prepared::text, p.gid
    FROM pg_prepared_xacts p WHERE p.database = current_database() OR $1`;

type Row = { readonly [Field in keyof Blocker]-?: Blocker[Field] | null };

/** What is running and has written something. */
export async function runningTransactions(client: pg.Client): Promise<Blocker[]> {
  const { rows } = await client.query<Row>(`${RUNNING} ORDER BY since`, [false]);
  return rows.map(withoutNulls);
}

/** The transaction that the process waits for; failing that the oldest one that is running. */
export async function firstBlocker(client: pg.Client, waitingPid: number): Promise<Blocker> {
  const { rows } = await client.query<Row>(
    `SELECT r.* FROM (${RUNNING}) r
       LEFT JOIN pg_locks l ON l.pid = $2 AND NOT l.granted AND l.locktype = 'transactionid' AND l.transactionid::text = r.xid
      WHERE r.pid IS DISTINCT FROM $2 ORDER BY l.pid IS NULL, r.since LIMIT 1`,
    [true, waitingPid],
  );
  return rows[0] === undefined ? {} : withoutNulls(rows[0]);
}

/** "process 4711 (user clerk, application psql, idle in transaction since …, xid 742)" */
export function describeBlocker(blocker: Blocker): string {
  const { pid, xid, user, application, state, since, prepared } = blocker;
  if (xid === undefined && pid === undefined) return 'a transaction that could not be found out';
  const facts = [
    user === undefined ? undefined : `user ${user}`,
    application === undefined || application === '' ? undefined : `application ${application}`,
    [state, since === undefined ? undefined : `since ${since}`].filter(Boolean).join(' '),
    xid === undefined ? undefined : `xid ${xid}`,
  ].filter(Boolean);
  const name = prepared === undefined ? `process ${pid ?? 'unknown'}` : `the prepared transaction "${prepared}"`;
  return `${name} (${facts.join(', ')})`;
}

function withoutNulls(row: Row): Blocker {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}
