import type { TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';

export interface NativeOptions {
  readonly source: TestDatabase;
  /** Its tables are there already: PostgreSQL creates none. */
  readonly target: TestDatabase;
  /** As SQL wants them; all tables when left out. */
  readonly tables?: readonly string[];
  /** Of the subscription, its slot and the publication; made of the target's when left out. */
  readonly name?: string;
  /** Whether rows that are there come over first. */
  readonly copyData?: boolean;
  readonly binary?: boolean;
  readonly streaming?: 'off' | 'on' | 'parallel';
}

/** PostgreSQL's own logical replication: the oracle for what a target has to look like, and the peer of the benchmarks. */
export interface NativeReplication {
  /** The subscription's name: also that of its slot and its walsender's application. */
  readonly name: string;
  /** Resolves once everything committed at the source before the call is at the target. */
  caughtUp(within?: number): Promise<void>;
  /** Stops and starts applying; the slot stays. */
  disable(): Promise<void>;
  enable(): Promise<void>;
  drop(): Promise<void>;
}

export async function startNative(options: NativeOptions): Promise<NativeReplication> {
  const { source, target, tables, copyData = true, binary = false, streaming = 'off' } = options;
  const { name = `native_${target.name}` } = options;
  const what = tables === undefined ? 'ALL TABLES' : `TABLE ${tables.join(', ')}`;
  await source.query(`CREATE PUBLICATION ${name} FOR ${what} WITH (publish_via_partition_root = true)`);
  await target.query(
    `CREATE SUBSCRIPTION ${name} CONNECTION '${connectionOf(source)}' PUBLICATION ${name}
     WITH (copy_data = ${copyData}, binary = ${binary}, streaming = ${streaming})`,
  );
  return {
    name,
    caughtUp: async (within = 60_000) => {
      const lsn = await source.value('SELECT pg_current_wal_insert_lsn()');
      await eventually(
        async () =>
          (await target.value<boolean>("SELECT coalesce(bool_and(srsubstate = 'r'), true) FROM pg_subscription_rel")) &&
          (await source.value<boolean>(
            `SELECT count(*) > 0 FROM pg_stat_replication WHERE application_name = $1 AND replay_lsn >= $2::pg_lsn`,
            [name, lsn],
          )),
        { within, what: `native replication to reach ${lsn}` },
      );
    },
    disable: async () => {
      await target.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
    },
    enable: async () => {
      await target.query(`ALTER SUBSCRIPTION ${name} ENABLE`);
    },
    drop: async () => {
      await target.query(`DROP SUBSCRIPTION ${name}`);
      await source.query(`DROP PUBLICATION ${name}`);
    },
  };
}

/** libpq takes a URL too; quotes doubled for the SQL literal around it. */
function connectionOf(source: TestDatabase): string {
  return source.url.replaceAll("'", "''");
}
