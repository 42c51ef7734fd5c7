import { describe, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { startNative } from '#test/support/native-replication.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation, loneSource } from '#test/support/servers.ts';
import { postgresOf } from '#test/support/versions.ts';
import { workloadTables } from '#test/support/workload/tables.ts';
import { createWorkloadTables, runWorkload } from '#test/support/workload/workload.ts';

/** TEST_SEED replays one run; TEST_TRANSACTIONS makes it longer. */
const seeds = process.env['TEST_SEED'] === undefined ? [1, 2, 3] : [Number(process.env['TEST_SEED'])];
const transactions = Number(process.env['TEST_TRANSACTIONS'] ?? 400);

describe('differential oracle', () => {
  for (const seed of seeds) {
    test(`what PostgreSQL's own replication makes of a random workload, we make of it too (TEST_SEED=${seed})`, async () => {
      await compareWithNative(await loneSource(), seed);
    });
  }

  test(`the same from PostgreSQL 14 to the newest (TEST_SEED=${seeds[0]!})`, async ({ skip }) => {
    const version = await postgresOf(14);
    if ('missing' in version) skip(version.missing);
    else await compareWithNative(await loneSource(version.binaries), seeds[0]!);
  });
});

async function compareWithNative(source: TestDatabase, seed: number): Promise<void> {
  const [ours, theirs] = [await freshDatabase('target'), await freshDatabase('target')];
  await createWorkloadTables(source);
  await createWorkloadTables(theirs);
  await runWorkload(source, { seed, transactions: transactions / 4 });

  // Both set themselves up and copy what is there while the workload goes on.
  const installation = await freshInstallation();
  const service = installation.start();
  const [pair, native] = await Promise.all([
    installation.addPair({ source, target: ours, tables: workloadTables.map(({ name }) => ({ source: name })) }),
    startNative({ source, target: theirs }),
    runWorkload(source, { seed: seed + 1_000_000, transactions: transactions / 2 }),
  ]);
  await pair.until('streaming');
  await service.stop();
  await runWorkload(source, { seed: seed + 2_000_000, transactions: transactions / 4 });

  // A second service goes on where the first one stopped.
  const second = installation.start();
  await runWorkload(source, { seed: seed + 3_000_000, transactions: transactions / 4 });
  await Promise.all([pair.fence(), native.caughtUp()]);
  await expectSameRows(source, theirs);
  await expectSameRows(source, ours);
  await second.stop();
}
