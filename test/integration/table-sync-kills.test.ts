import { describe, expect, test } from 'vitest';
import { crashPoints } from '#services/kernel/crash-points.ts';
import { killAt } from '#test/chaos/killer.ts';
import { tableSyncCancelPoint, tableSyncPoints } from '#test/chaos/points.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation, loneSource } from '#test/support/servers.ts';
import { workloadTables } from '#test/support/workload/tables.ts';
import { createWorkloadTables, runWorkload } from '#test/support/workload/workload.ts';
import { PairSyncs } from './table-sync-suite.ts';

/** Killed anywhere on its way, a table sync ends where it would have ended. (Promise 5) */
describe('SIGKILL during a table sync', () => {
  test('at each of its points, one after the other, and where a cancelled one is taken back', async () => {
    const [source, target] = [await loneSource(), await freshDatabase('target')];
    await createWorkloadTables(source);
    const installation = await freshInstallation();
    const pair = await installation.addPair({
      source,
      target,
      tables: workloadTables.map(({ name }) => ({ source: name })),
    });
    const syncs = new PairSyncs(installation, pair);
    const first = installation.startProcess();
    await pair.until('streaming');
    await runWorkload(source, { seed: 1, transactions: 60 });
    await pair.fence();
    await first.stop();

    await target.query("DELETE FROM event; UPDATE parcel SET situs = 'spoiled'");
    const sync = await syncs.resync('public.event', 'public.parcel');
    let seed = 2;
    for (const point of tableSyncPoints) {
      await runWorkload(source, { seed: seed++, transactions: 20 });
      await killAt(installation, point, 1);
    }
    // Cancelled once its tables had left, and before their rows were replaced.
    const cancelled = await syncs.resync('public.account');
    await killAt(installation, crashPoints.SUPERVISOR_TABLE_SYNC_APART_NOT_NOTED, 1);
    await runWorkload(source, { seed, transactions: 20 });
    await syncs.cancel(cancelled);
    await runWorkload(source, { seed: seed + 1, transactions: 20 });
    await killAt(installation, tableSyncCancelPoint, 1);

    const last = installation.startProcess();
    await syncs.until(sync, 'done');
    await syncs.until(cancelled, 'done');
    await pair.fence();
    await expectSameRows(source, target);
    expect(await target.query("SELECT FROM _terrafusion.applied_positions WHERE pair_id LIKE '%/%'")).toEqual([]);
    await last.stop();
  });

  test('cancelled at any moment of its load, every row is as it was before, with the stream on top', async () => {
    const [source, target] = [await loneSource(), await freshDatabase('target')];
    await createWorkloadTables(source);
    await source.query(
      'CREATE TABLE mark (id int PRIMARY KEY, x text); INSERT INTO mark SELECT n, n FROM generate_series(1, 100) n',
    );
    await runWorkload(source, { seed: 1, transactions: 60 });
    const installation = await freshInstallation();
    const all = ['public.mark', ...workloadTables.map(({ name }) => name)];
    const pair = await installation.addPair({
      source,
      target,
      tables: all.map((name) => ({ source: name })),
      config: { load_chunk_rows: 20 },
    });
    const syncs = new PairSyncs(installation, pair);
    const first = installation.startProcess();
    await pair.until('streaming');
    await pair.fence();
    await first.stop();
    // What only the target has tells the rows of before from those of the source.
    await target.query(`UPDATE mark SET x = 'before'`);
    const isAsBefore = async (): Promise<void> => {
      expect(await target.query(`SELECT DISTINCT x FROM mark WHERE id > 10`)).toEqual([{ x: 'before' }]);
    };
    let seed = 10;
    for (const point of [
      crashPoints.LOADER_PLANNED_NOT_COPIED,
      crashPoints.LOADER_MID_COPY,
      crashPoints.LOADER_CHUNK_COMMITTED_NOT_NOTED,
      crashPoints.LOADER_BEFORE_COMMIT,
    ]) {
      const sync = await syncs.resync(...all);
      await killAt(installation, point, 1);
      await isAsBefore();
      await runWorkload(source, { seed: seed++, transactions: 20 });
      await source.query(`UPDATE mark SET x = '${point}' WHERE id <= 10`);
      await syncs.cancel(sync);
      const next = installation.startProcess();
      await syncs.until(sync, 'done');
      await pair.fence();
      await isAsBefore();
      await expectSameRows(source, target, all.slice(1));
      expect(await target.query(`SELECT DISTINCT x FROM mark WHERE id <= 10`)).toEqual([{ x: point }]);
      expect(await target.query("SELECT FROM pg_class WHERE relname LIKE 'staged%'")).toEqual([]);
      await next.stop();
    }
    const last = installation.startProcess();
    await syncs.until(await syncs.resync(...all), 'done');
    await pair.fence();
    await expectSameRows(source, target);
    await last.stop();
  });
});
