import pg from 'pg';
import { eventually } from './eventually.ts';
import { startPostgres, type Settings, type TestDatabase, type TestPostgres } from './postgres.ts';
import { SUPERUSER } from './postgres-template.ts';

/** A primary and a physical standby that follows it, as for high availability. */
export interface PrimaryAndStandby extends AsyncDisposable {
  readonly primary: TestPostgres;
  readonly standby: TestPostgres;
  /** Resolves once the standby has replayed all that the primary has written. */
  untilReplayed(): Promise<void>;
  /** Resolves once the standby has a copy of this slot that would outlive a failover. @param source the slot's database, whose reader is at work */
  untilSynced(slot: string, source: TestDatabase): Promise<void>;
  /** The standby hears nothing more of the primary, which goes on. */
  cutOff(): Promise<void>;
  /** The primary is killed, and the standby takes its place. */
  failOver(): Promise<void>;
  /** One statement at the standby. */
  askStandby<T>(sql: string, values?: unknown[]): Promise<T>;
}

/** @param prepare what is to be in both before they part: the copy is taken after it */
export async function startPrimaryAndStandby(
  settings: Settings,
  prepare: (primary: TestPostgres) => Promise<void>,
): Promise<PrimaryAndStandby> {
  const primary = await startPostgres({ settings });
  try {
    await prepare(primary);
    const asking = await primary.createDatabase('asking');
    await asking.query(`SELECT pg_create_physical_replication_slot('standby', true)`);
    await primary.shutdown();
    const standby = await startPostgres({
      copyOf: primary,
      // It lets nobody in before it has heard from the primary.
      copied: () => primary.start(),
      standby: true,
      settings: {
        ...settings,
        hot_standby_feedback: 'on',
        sync_replication_slots: 'on',
        primary_slot_name: 'standby',
        primary_conninfo: `host=${primary.host} port=${primary.port} user=${SUPERUSER.user} password=${SUPERUSER.password} dbname=postgres`,
      },
    });
    return new Pair(primary, standby, asking.name);
  } catch (error) {
    await primary.stop();
    throw error;
  }
}

class Pair implements PrimaryAndStandby {
  readonly primary: TestPostgres;
  readonly standby: TestPostgres;
  readonly #database: string;

  constructor(primary: TestPostgres, standby: TestPostgres, database: string) {
    this.primary = primary;
    this.standby = standby;
    this.#database = database;
  }

  askStandby<T>(sql: string, values: unknown[] = []): Promise<T> {
    return ask<T>(this.standby.url(this.#database), sql, values);
  }

  async untilReplayed(): Promise<void> {
    const end = await ask<string>(this.primary.url(this.#database), 'SELECT pg_current_wal_insert_lsn()::text');
    await eventually(
      () => this.askStandby<boolean>('SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)', [end]),
      { within: 60_000, what: `the standby to replay ${end}` },
    );
  }

  async untilSynced(slot: string, source: TestDatabase): Promise<void> {
    await eventually(
      async () => {
        // A copy counts once the slot has passed where the standby's own history begins: it has to be moved along.
        await source.query(`SELECT pg_logical_emit_message(true, 'activity', ''), pg_log_standby_snapshot()`);
        return this.askStandby<boolean>(
          'SELECT coalesce((SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = $1), false)',
          [slot],
        );
      },
      { within: 90_000, every: 500, what: `slot ${slot} to be at the standby` },
    );
  }

  async cutOff(): Promise<void> {
    await this.askStandby(`ALTER SYSTEM SET primary_conninfo = ''`);
    await this.askStandby('SELECT pg_reload_conf()');
    await eventually(() => this.askStandby<boolean>('SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)'), {
      within: 60_000,
      what: 'the standby to be cut off',
    });
  }

  async failOver(): Promise<void> {
    await this.primary.kill9();
    await this.askStandby('SELECT pg_promote(true, 60)');
    await eventually(() => this.askStandby<boolean>('SELECT NOT pg_is_in_recovery()'), { what: 'the promotion' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.standby.stop();
    await this.primary.stop();
  }
}

async function ask<T>(url: string, sql: string, values: unknown[] = []): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, values, rowMode: 'array' });
    return rows[0]?.[0] as T;
  } finally {
    await client.end();
  }
}
