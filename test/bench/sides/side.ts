import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';

/** Where one measured run goes from and to. */
export interface Ends {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  /** "schema.table", the same at both ends; they exist at both. */
  readonly tables: readonly string[];
}

export interface Started {
  /** `performance.now()` when it began to read. */
  readonly at: number;
  /** The process to measure beside the two servers, if there is one. */
  readonly pid: number | undefined;
}

/** Somebody who replicates, to be measured. */
export interface Side {
  readonly name: string;
  /** Brings the rows over that are there now, keeps what changes from here on, and then rests. */
  prepare(ends: Ends): Promise<void>;
  /** Starts it; see {@link untilReading}. */
  start(): Promise<Started>;
  /**
   * Instead of `prepare` and `start`: begins to bring the rows over that are there now; see {@link untilCopying}. Left out: it has no load.
   */
  load?(ends: Ends): Promise<Started>;
  /** Whether the rows of that load are committed at the target, and from where to go on: asked every few milliseconds. */
  loaded?(): Promise<boolean>;
  /** Whether nothing of that load is left to do. */
  ready?(): Promise<boolean>;
  /** Ends applying, for good. Also after a failure; calling again changes nothing. */
  stop(): Promise<void>;
}

/** For a load the clock starts when the first table is copied: slots, checks and workers that start are no part of it. */
export async function untilCopying({ source }: Ends): Promise<number> {
  const client = await source.connect();
  try {
    const look = {
      name: 'copying',
      text: "SELECT FROM pg_stat_progress_copy WHERE datname = current_database() AND command = 'COPY TO'",
    };
    await eventually(async () => (await client.query(look)).rowCount !== 0, {
      within: 120_000,
      every: 1,
      what: 'a table to be copied',
    });
    return performance.now();
  } finally {
    await client.end();
  }
}

/** The clock starts, for everybody alike, when the slot is read: how long programs take to start is no part of it. */
export async function untilReading({ source }: Ends, slot: string): Promise<number> {
  const client = await source.connect();
  try {
    const look = {
      name: 'active',
      text: 'SELECT active FROM pg_replication_slots WHERE slot_name LIKE $1',
      values: [slot],
    };
    await eventually(async () => (await client.query<{ active: boolean }>(look)).rows.some(({ active }) => active), {
      within: 60_000,
      every: 2,
      what: `slot ${slot} to be read`,
    });
    return performance.now();
  } finally {
    await client.end();
  }
}
