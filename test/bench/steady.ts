import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Run } from './results.ts';

/** A steady load of one-row transactions, and what can be told of it at the target. */

export const SCHEMA =
  'CREATE TABLE latency (id bigint PRIMARY KEY, committed_at timestamptz, situs text, value numeric(14, 2));';
/** Nobody writes this column: it tells when the row was. */
export const TARGET_SCHEMA = `${SCHEMA} ALTER TABLE latency ADD applied_at timestamptz DEFAULT clock_timestamp();`;
export const TABLES = ['public.latency'];
/** Each side runs under the load for so long before anything counts. */
export const WARM_UP_SECONDS = 5;

const program = fileURLToPath(new URL('load-process.ts', import.meta.url));

export interface Load {
  /** Resolves when it has written all it was to write, or what it had in hand when it was stopped. */
  readonly finished: Promise<void>;
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** One-row transactions a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly firstId: number;
}

export function startLoad(source: TestDatabase, { rate, seconds, firstId }: LoadOptions): Load {
  const args = [program, source.url, ...[rate, seconds, firstId].map(String)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const finished = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`The load ended with ${String(code)}`);
  });
  finished.catch(() => undefined);
  return {
    finished,
    stop: async () => {
      child.kill('SIGTERM');
      await finished;
    },
  };
}

export async function generate(source: TestDatabase, options: LoadOptions): Promise<void> {
  await startLoad(source, options).finished;
}

export async function arrived(target: TestDatabase, count: number): Promise<void> {
  await eventually(() => target.value<boolean>('SELECT count(*) >= $1 FROM latency', [count]), {
    within: 120_000,
    every: 100,
    what: `${count} rows at the target`,
  });
}

/** The newest row's number, 0 when there is none: rows are written in about the order of their numbers. */
export const newestRow = (database: TestDatabase): Promise<number> =>
  database.value<number>('SELECT coalesce(max(id), 0)::int FROM latency');

const LATENCY = 'extract(epoch FROM applied_at - committed_at) * 1000';

/** Commit to applied of every row from this one on; none is sampled. */
export async function latencyFrom(target: TestDatabase, firstId: number): Promise<NonNullable<Run['latency']>> {
  const [row] = await target.query<NonNullable<Run['latency']>>(
    `SELECT (percentile_disc(0.5) WITHIN GROUP (ORDER BY ${LATENCY}))::float8 AS p50,
       (percentile_disc(0.99) WITHIN GROUP (ORDER BY ${LATENCY}))::float8 AS p99, max(${LATENCY})::float8 AS max
     FROM latency WHERE id >= $1`,
    [firstId],
  );
  return row!;
}
