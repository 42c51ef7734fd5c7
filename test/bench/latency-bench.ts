import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { expectSameRows } from '#test/support/rows.ts';
import type { Clusters } from './clusters.ts';
import { Meter } from './meter.ts';
import type { Run } from './results.ts';
import type { Side } from './sides/side.ts';

export interface SteadyLoad {
  readonly turn: number;
  /** One-row transactions a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly say: (line: string) => void;
}

const SCHEMA =
  'CREATE TABLE latency (id bigint PRIMARY KEY, committed_at timestamptz, situs text, value numeric(14, 2))';
/** Nobody writes this column: it tells when the row was. */
const APPLIED = 'ALTER TABLE latency ADD applied_at timestamptz DEFAULT clock_timestamp()';
const TABLES = ['public.latency'];
const WARM_UP_SECONDS = 5;
const program = fileURLToPath(new URL('load-process.ts', import.meta.url));

/** One turn: each side alone under the same steady load. Every row's latency counts, none is sampled. */
export async function runSteadyTurn(clusters: Clusters, sides: readonly Side[], load: SteadyLoad): Promise<Run[]> {
  const runs: Run[] = [];
  const order = sides.map((_, index) => sides[(load.turn + index) % sides.length]!);
  for (const side of order) {
    const source = await clusters.source.createDatabase('bench');
    const target = await clusters.target.createDatabase('bench');
    try {
      await source.query(SCHEMA);
      await target.query(`${SCHEMA}; ${APPLIED}`);
      await side.prepare({ source, target, tables: TABLES });
      const run = await measure(clusters, side, { source, target }, load);
      await expectSameRows(source, target, TABLES);
      load.say(`  ${side.name}: p50 ${run.latency!.p50.toFixed(2)} ms, p99 ${run.latency!.p99.toFixed(2)} ms`);
      runs.push(run);
    } finally {
      await side.stop();
      await target.drop();
      await source.drop();
    }
  }
  return runs;
}

async function measure(
  clusters: Clusters,
  side: Side,
  { source, target }: { readonly source: TestDatabase; readonly target: TestDatabase },
  { turn, rate, seconds }: SteadyLoad,
): Promise<Run> {
  await clusters.checkpoint();
  const { pid } = await side.start();
  await generate(source, rate, WARM_UP_SECONDS, 1);
  const firstMeasured = rate * WARM_UP_SECONDS + 1;
  await arrived(target, firstMeasured - 1);
  const meter = new Meter(clusters);
  meter.start();
  meter.reading(pid);
  const at = performance.now();
  await generate(source, rate, seconds, firstMeasured);
  const changes = rate * seconds;
  await arrived(target, firstMeasured + changes - 1);
  const measured = meter.read(changes, pid);
  const took = (performance.now() - at) / 1000;
  await side.stop();
  const latency = `extract(epoch FROM applied_at - committed_at) * 1000`;
  const [row] = await target.query<{ p50: number; p99: number; max: number }>(
    `SELECT (percentile_disc(0.5) WITHIN GROUP (ORDER BY ${latency}))::float8 AS p50,
       (percentile_disc(0.99) WITHIN GROUP (ORDER BY ${latency}))::float8 AS p99, max(${latency})::float8 AS max
     FROM latency WHERE id >= $1`,
    [firstMeasured],
  );
  return { side: side.name, turn, changes, seconds: took, rowsPerSecond: changes / took, ...measured, latency: row };
}

async function generate(source: TestDatabase, rate: number, seconds: number, firstId: number): Promise<void> {
  await promisify(execFile)(process.execPath, [program, source.url, String(rate), String(seconds), String(firstId)]);
}

async function arrived(target: TestDatabase, count: number): Promise<void> {
  await eventually(() => target.value<boolean>('SELECT count(*) >= $1 FROM latency', [count]), {
    within: 120_000,
    every: 100,
    what: `${count} rows at the target`,
  });
}
