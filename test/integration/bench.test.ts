import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runTurn } from '#test/bench/backlog-bench.ts';
import { openClusters, type Clusters } from '#test/bench/clusters.ts';
import { runOutageTurn } from '#test/bench/outage-bench.ts';
import { shapes } from '#test/bench/price.ts';
import { ofPairs, scalings } from '#test/bench/scaling.ts';
import { NativeSide } from '#test/bench/sides/native.ts';
import { PipelineSide } from '#test/bench/sides/pipeline.ts';
import { runSoak } from '#test/bench/soak-bench.ts';
import { backlogs } from '#test/bench/workloads.ts';

/*
 * Every kind of workload once, so small that its figures say nothing: it runs to its end, and both ends are equal (else it throws).
 */

let clusters: Clusters;
beforeAll(async () => {
  clusters = await openClusters();
});
afterAll(() => clusters[Symbol.asyncDispose]());

const say = (): void => undefined;
const ours = (): PipelineSide => new PipelineSide(clusters.control.url(), { profile: false });

test('W1 leaves every second wide value where it is', async () => {
  await using source = await clusters.source.createDatabase('bench');
  const backlog = backlogs['W1']!;
  await source.query(backlog.schema);
  await backlog.base(source, 40);
  // A value that is stored out of line stays in its place when an update leaves it as it is: only then "unchanged" travels. A plan of its
  // own for a row would hold its values whole.
  await source.query(`CREATE TABLE seen (kept boolean);
    CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$ BEGIN
      INSERT INTO seen SELECT pg_column_toast_chunk_id(o.body) = pg_column_toast_chunk_id(n.body) FROM (SELECT OLD.*) AS o, (SELECT NEW.*) AS n;
      RETURN NULL;
    END $$;
    CREATE TRIGGER look AFTER UPDATE ON wide FOR EACH ROW EXECUTE FUNCTION look()`);
  expect(await backlog.write(source, 40)).toBe(40);
  expect(await source.query('SELECT kept, count(*)::int FROM seen GROUP BY kept ORDER BY kept')).toEqual([
    { kept: false, count: 20 },
    { kept: true, count: 20 },
  ]);
});

describe('backlogs', () => {
  test('W1: native and ours end equal', async () => {
    const runs = await runTurn(clusters, backlogs['W1']!, [new NativeSide(), ours()], { turn: 1, rows: 100, say });
    expect(runs.map(({ side }) => side)).toEqual(['pipeline', 'native']);
    for (const { changes, rowsPerSecond } of runs) {
      expect(changes).toBe(100);
      expect(rowsPerSecond).toBeGreaterThan(0);
    }
  });

  test('P1: what the chains make of the rows is as it should be', async () => {
    const sides = shapes.map((shape) => new PipelineSide(clusters.control.url(), { profile: false, shape }));
    const runs = await runTurn(clusters, backlogs['B1']!, sides, { turn: 0, rows: 1500, say });
    expect(runs.map(({ side }) => side)).toEqual(['no-op', 'rename + filter', 'compute + rule']);
  });

  test('scaling: as many pairs as said, each with its own table, and every row arrives', async () => {
    const { backlog } = ofPairs(3);
    const runs = await runTurn(clusters, backlog, [new NativeSide(), ours()], { turn: 0, rows: 3500, say });
    expect(runs).toHaveLength(2);
  });

  test('scaling: a hundred tables, ten in each transaction', async () => {
    const { backlog } = scalings['scale-tables']!.variants.find(({ value }) => value === 100)!;
    const [run] = await runTurn(clusters, backlog, [ours()], { turn: 0, rows: 15_500, variant: '100 tables', say });
    expect(run!.variant).toBe('100 tables');
  });
});

describe('under a load', () => {
  const load = { turn: 1, rate: 100, seconds: 2, warmUp: 1, say };

  test('R1: what waited while the pipeline was stopped drains', async () => {
    const [run] = await runOutageTurn(clusters, [ours()], 'pipeline', load);
    expect(run!.outage!.waiting).toBeGreaterThanOrEqual(150);
    expect(run!.changes).toBeGreaterThanOrEqual(run!.outage!.waiting - 20);
    expect(run!.outage!.slot).toBeUndefined();
  });

  test('R2: the slot goes on while the target is down (Promise 7)', async () => {
    const [run] = await runOutageTurn(clusters, [ours()], 'target', load);
    const { waiting, slot } = run!.outage!;
    expect(waiting).toBeGreaterThanOrEqual(150);
    expect(slot!.confirmed).toBeGreaterThan(0);
    expect(slot!.confirmed).toBeGreaterThan(slot!.written / 2);
  });

  test('soak: looks at memory, disk and lag again and again', async () => {
    const { run, samples } = await runSoak(clusters, ours(), {
      rate: 100,
      minutes: 0.1,
      everySeconds: 2,
      warmUp: 1,
      say,
    });
    expect(run.latency!.p50).toBeGreaterThan(0);
    expect(samples).toHaveLength(3);
    for (const sample of samples) {
      expect(sample.rssMiB).toBeGreaterThan(sample.anonymousMiB);
      expect(sample.busMiB).toBeGreaterThan(0);
      expect(sample.controlMiB).toBeGreaterThan(0);
    }
  });
});
