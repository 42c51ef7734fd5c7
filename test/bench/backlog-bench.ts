import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { expectSameRows } from '#test/support/rows.ts';
import type { Clusters } from './clusters.ts';
import { Meter } from './meter.ts';
import type { Run } from './results.ts';
import type { Side } from './sides/side.ts';
import type { Backlog } from './workloads.ts';

/**
 * One turn: everybody prepares on the same fresh source, the backlog is written once, and one after the other drains it from a slot of
 * their own into a target of their own.
 */
export async function runTurn(
  clusters: Clusters,
  backlog: Backlog,
  sides: readonly Side[],
  { turn, rows, say }: { readonly turn: number; readonly rows: number; readonly say: (line: string) => void },
): Promise<Run[]> {
  const source = await clusters.source.createDatabase('bench');
  const targets: TestDatabase[] = [];
  const runs: Run[] = [];
  try {
    await source.query(backlog.schema);
    await backlog.base(source, rows);
    for (const side of sides) {
      const target = await clusters.target.createDatabase('bench');
      targets.push(target);
      await target.query(backlog.schema);
      await side.prepare({ source, target, tables: backlog.tables });
    }
    const changes = await backlog.write(source, rows);
    await source.query('INSERT INTO bench_marker VALUES (1)');
    // Planned statistics would come from autovacuum, which is off.
    for (const target of targets) await target.query('ANALYZE');
    // Whoever goes first in one turn goes last in the next.
    const order = sides.map((_, index) => (turn + index) % sides.length);
    for (const index of order) {
      const side = sides[index]!;
      const run = await measure(clusters, side, targets[index]!, { turn, changes });
      // Gate: a run that lost or changed a row is void.
      await expectSameRows(source, targets[index]!, backlog.tables);
      say(`  ${side.name}: ${run.rowsPerSecond.toFixed(0)} rows/s, ${run.seconds.toFixed(2)} s`);
      runs.push(run);
    }
  } finally {
    for (const side of sides) await side.stop();
    for (const database of [...targets, source]) await database.drop();
  }
  return runs;
}

async function measure(
  clusters: Clusters,
  side: Side,
  target: TestDatabase,
  { turn, changes }: { readonly turn: number; readonly changes: number },
): Promise<Run> {
  const client = await target.connect();
  const marker = async (): Promise<boolean> =>
    (await client.query({ name: 'marker', text: 'SELECT 1 FROM bench_marker WHERE id = 1' })).rowCount === 1;
  await marker();
  await clusters.checkpoint();
  const meter = new Meter(clusters);
  meter.start();
  const { at, pid } = await side.start();
  meter.reading(pid);
  await eventually(marker, { within: 1_800_000, every: 20, what: `${side.name} to drain the backlog` });
  const seconds = (performance.now() - at) / 1000;
  const measured = meter.read(changes, pid);
  await side.stop();
  await client.end();
  return {
    side: side.name,
    turn,
    changes,
    seconds,
    rowsPerSecond: changes / seconds,
    ...measured,
    latency: undefined,
  };
}
