import { expect, test } from 'vitest';
import { startNative } from '#test/support/native-replication.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { createWorkloadTables, runWorkload } from '#test/support/workload/workload.ts';

test('a seed gives the same rows again, in transactions of which some commit and some do not', async () => {
  const [one, other] = [await freshDatabase('source'), await freshDatabase('source')];
  for (const database of [one, other]) await createWorkloadTables(database);
  const first = await runWorkload(one, { seed: 7, transactions: 150 });
  expect(await runWorkload(other, { seed: 7, transactions: 150 })).toEqual(first);
  expect(first.committed).toBeGreaterThan(100);
  expect(first.rolledBack).toBeGreaterThan(5);
  const rows = await expectSameRows(one, other);
  expect(Object.values(rows).every((count) => count > 0)).toBe(true);
});

test('PostgreSQL itself replicates the workload without a difference', async () => {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  for (const database of [source, target]) await createWorkloadTables(database);
  await runWorkload(source, { seed: 1, transactions: 60 });
  const native = await startNative({ source, target });
  await runWorkload(source, { seed: 2, transactions: 200 });
  await native.caughtUp();
  await expectSameRows(source, target);
});
