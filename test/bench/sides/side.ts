import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';

/** Where one measured run goes from and to. */
export interface Ends {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  /** "schema.table", the same at both ends; they exist at both. */
  readonly tables: readonly string[];
  /** The tables, split: a pair of its own for each group. Left out: one pair has all. */
  readonly groups?: readonly (readonly string[])[];
}

/** The groups of tables that have a pair of their own. */
export const groupsOf = ({ tables, groups }: Ends): readonly (readonly string[])[] => groups ?? [tables];

export interface Started {
  /** `performance.now()` when it began to read. */
  readonly at: number;
  /** The process to measure beside the two servers, if there is one. */
  readonly pid: number | undefined;
  /** The broker in the path, if there is one. */
  readonly broker?: number | undefined;
}

/** Somebody who replicates, to be measured. */
export interface Side {
  readonly name: string;
  /** Tables at the target, as SQL, where they are not those of the source. */
  readonly targetSchema?: string | undefined;
  /** Its slots at the source, as a pattern for LIKE; after `prepare`. */
  readonly slots: string;
  /** Brings the rows over that are there now, keeps what changes from here on, and then rests. */
  prepare(ends: Ends): Promise<void>;
  /** Starts it; see {@link untilReading}. After `pause` it goes on where it was. */
  start(): Promise<Started>;
  /** Ends applying; what changes from here on is kept. */
  pause(): Promise<void>;
  /**
   * Instead of `prepare` and `start`: begins to bring the rows over that are there now; see {@link untilCopying}. Left out: it has no load.
   */
  load?(ends: Ends): Promise<Started>;
  /** It makes the tables at the target by itself as it loads them; else they are given to it, with their keys. */
  readonly makesTables?: boolean;
  /** Whether the rows of that load are committed at the target, and from where to go on: asked every few milliseconds. */
  loaded?(): Promise<boolean>;
  /** What was made of the rows on their way is checked and undone, so that both ends can be compared. Left out: nothing was. */
  undo?(target: TestDatabase): Promise<void>;
  /** What the target must hold for the backlog to be drained, as a query for one boolean. Left out: the row that marks its end. */
  drained?(rows: number): string;
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
