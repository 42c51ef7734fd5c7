import type { TestDatabase } from '#test/support/database.ts';
import { expectSameRows } from '#test/support/rows.ts';
import type { Clusters } from './clusters.ts';
import { Meter } from './meter.ts';
import type { Run } from './results.ts';
import type { Side } from './sides/side.ts';
import { arrived, generate, latencyFrom, SCHEMA, TABLES, TARGET_SCHEMA, WARM_UP_SECONDS } from './steady.ts';

export interface SteadyLoad {
  readonly turn: number;
  /** One-row transactions a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Under the load before anything counts; {@link WARM_UP_SECONDS} when left out. */
  readonly warmUp?: number;
  readonly say: (line: string) => void;
}

/** One turn: each side alone under the same steady load. Every row's latency counts, none is sampled. */
export async function runSteadyTurn(clusters: Clusters, sides: readonly Side[], load: SteadyLoad): Promise<Run[]> {
  return await oneAfterTheOther(clusters, sides, load.turn, async (side, source, target) => {
    const run = await measure(clusters, side, { source, target }, load);
    load.say(`  ${side.name}: p50 ${run.latency!.p50.toFixed(2)} ms, p99 ${run.latency!.p99.toFixed(2)} ms`);
    return run;
  });
}

/** Each side alone, with databases of its own that hold the table of the steady load; whoever goes first in one turn goes last in the next. */
export async function oneAfterTheOther(
  clusters: Clusters,
  sides: readonly Side[],
  turn: number,
  measureSide: (side: Side, source: TestDatabase, target: TestDatabase) => Promise<Run>,
): Promise<Run[]> {
  const runs: Run[] = [];
  const order = sides.map((_, index) => sides[(turn + index) % sides.length]!);
  for (const side of order) {
    const source = await clusters.source.createDatabase('bench');
    const target = await clusters.target.createDatabase('bench');
    try {
      await source.query(SCHEMA);
      await target.query(TARGET_SCHEMA);
      await side.prepare({ source, target, tables: TABLES });
      await clusters.checkpoint();
      const run = await measureSide(side, source, target);
      await side.stop();
      // Gate: a run that lost or changed a row is void.
      await expectSameRows(source, target, TABLES);
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
  { turn, rate, seconds, warmUp = WARM_UP_SECONDS }: SteadyLoad,
): Promise<Run> {
  const started = await side.start();
  await generate(source, { rate, seconds: warmUp, firstId: 1 });
  const firstId = rate * warmUp + 1;
  await arrived(target, firstId - 1);
  const meter = new Meter(clusters);
  meter.start();
  meter.reading(started);
  const at = performance.now();
  await generate(source, { rate, seconds, firstId });
  const changes = rate * seconds;
  await arrived(target, firstId + changes - 1);
  const measured = meter.read(changes, started);
  const took = (performance.now() - at) / 1000;
  const latency = await latencyFrom(target, firstId);
  return { side: side.name, turn, changes, seconds: took, rowsPerSecond: changes / took, ...measured, latency };
}
