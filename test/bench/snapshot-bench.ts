import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { expectSameRows } from '#test/support/rows.ts';
import type { Clusters } from './clusters.ts';
import { Meter } from './meter.ts';
import type { Run } from './results.ts';
import type { Side } from './sides/side.ts';
import type { Snapshot } from './workloads.ts';

/**
 * One turn: one after the other brings the same tables, as they stand, into a target of its own. Nobody writes meanwhile. The clock, and with it
 * everybody's CPU, runs from the first COPY to the moment at which all rows are committed at the target, with the place from which the stream goes on.
 */
export async function runSnapshotTurn(
  clusters: Clusters,
  snapshot: Snapshot,
  sides: readonly Side[],
  { turn, rows, say }: { readonly turn: number; readonly rows: number; readonly say: (line: string) => void },
): Promise<Run[]> {
  const source = await clusters.source.createDatabase('bench');
  const runs: Run[] = [];
  try {
    const tables = await snapshot.make(source, rows);
    await source.query('VACUUM ANALYZE');
    for (let place = 0; place < sides.length; place += 1) {
      // Whoever goes first in one turn goes last in the next.
      const side = sides[(turn + place) % sides.length]!;
      const target = await clusters.target.createDatabase('bench');
      try {
        if (side.makesTables !== true) await target.query(snapshot.schema(rows));
        const run = await measure(clusters, side, { source, target, tables }, { turn, rows });
        // Gate: a run that lost or changed a row is void.
        await expectSameRows(source, target, tables);
        say(
          `  ${side.name}: ${run.rowsPerSecond.toFixed(0)} rows/s, ${run.seconds.toFixed(2)} s, ready after ${run.readySeconds!.toFixed(2)} s`,
        );
        runs.push(run);
      } finally {
        await side.stop();
        await target.drop();
      }
    }
  } finally {
    await source.drop();
  }
  return runs;
}

interface SnapshotEnds {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly tables: readonly string[];
}

async function measure(
  clusters: Clusters,
  side: Side,
  ends: SnapshotEnds,
  { turn, rows }: { readonly turn: number; readonly rows: number },
): Promise<Run> {
  if (!side.load || !side.loaded || !side.ready) throw new Error(`${side.name} has no load: leave it out of --sides`);
  await clusters.checkpoint();
  const meter = new Meter(clusters);
  const started = await side.load(ends);
  // What checks, slots and tables cost before the first row is no part of it.
  meter.start(started);
  await eventually(() => side.loaded!(), { within: 1_800_000, every: 10, what: `${side.name} to bring all rows` });
  const seconds = (performance.now() - started.at) / 1000;
  const measured = meter.read(rows, started);
  await eventually(() => side.ready!(), {
    within: 1_800_000,
    every: 10,
    what: `${side.name} to be done with its load`,
  });
  const readySeconds = (performance.now() - started.at) / 1000;
  return {
    side: side.name,
    turn,
    changes: rows,
    seconds,
    rowsPerSecond: rows / seconds,
    readySeconds,
    ...measured,
    latency: undefined,
  };
}
