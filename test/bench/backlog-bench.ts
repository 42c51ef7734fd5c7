import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { expectSameRows } from '#test/support/rows.ts';
import type { Clusters } from './clusters.ts';
import { Meter } from './meter.ts';
import type { Run } from './results.ts';
import type { Side } from './sides/side.ts';
import { MARKER, type Backlog } from './workloads.ts';

export interface BacklogTurn {
  readonly turn: number;
  readonly rows: number;
  readonly variant?: string | undefined;
  readonly say: (line: string) => void;
}

/**
 * One turn: everybody prepares on the same fresh source, the backlog is written once, and one after the other drains it from a slot of
 * their own into a target of their own.
 */
export async function runTurn(
  clusters: Clusters,
  backlog: Backlog,
  sides: readonly Side[],
  { turn, rows, variant, say }: BacklogTurn,
): Promise<Run[]> {
  const source = await clusters.source.createDatabase('bench');
  const targets: TestDatabase[] = [];
  const runs: Run[] = [];
  const { tables, groups } = backlog;
  try {
    await source.query(backlog.schema);
    await backlog.base(source, rows);
    for (const side of sides) {
      const target = await clusters.target.createDatabase('bench');
      targets.push(target);
      await target.query(side.targetSchema ?? backlog.schema);
      await side.prepare({ source, target, tables, ...(groups && { groups }) });
    }
    const changes = await backlog.write(source, rows);
    await source.query(`INSERT INTO ${MARKER} VALUES (1)`);
    // Planned statistics would come from autovacuum, which is off.
    for (const target of targets) await target.query('ANALYZE');
    // Whoever goes first in one turn goes last in the next.
    const order = sides.map((_, index) => (turn + index) % sides.length);
    for (const index of order) {
      const [side, target] = [sides[index]!, targets[index]!];
      const drained = side.drained?.(rows) ?? backlog.drained?.(rows) ?? `SELECT true FROM ${MARKER} WHERE id = 1`;
      const run = await measure(clusters, side, target, { turn, variant, changes, drained });
      await side.undo?.(target);
      // Gate: a run that lost or changed a row is void.
      await expectSameRows(source, target, side.drained ? tables.filter((table) => table !== MARKER) : tables);
      say(`  ${side.name}: ${run.rowsPerSecond.toFixed(0)} rows/s, ${run.seconds.toFixed(2)} s`);
      runs.push(run);
    }
  } finally {
    for (const side of sides) await side.stop();
    for (const database of [...targets, source]) await database.drop();
  }
  return runs;
}

interface Measured {
  readonly turn: number;
  readonly variant: string | undefined;
  readonly changes: number;
  readonly drained: string;
}

async function measure(
  clusters: Clusters,
  side: Side,
  target: TestDatabase,
  { turn, variant, changes, drained }: Measured,
): Promise<Run> {
  const client = await target.connect();
  const isDrained = async (): Promise<boolean> => {
    const { rows } = await client.query<unknown[]>({ name: 'drained', text: drained, rowMode: 'array' });
    return rows[0]?.[0] === true;
  };
  await isDrained();
  await clusters.checkpoint();
  const meter = new Meter(clusters);
  meter.start();
  const started = await side.start();
  meter.reading(started);
  await eventually(isDrained, { within: 1_800_000, every: 20, what: `${side.name} to drain the backlog` });
  const seconds = (performance.now() - started.at) / 1000;
  const measured = meter.read(changes, started);
  await side.stop();
  await client.end();
  return {
    side: side.name,
    turn,
    variant,
    changes,
    seconds,
    rowsPerSecond: changes / seconds,
    ...measured,
    latency: undefined,
  };
}
