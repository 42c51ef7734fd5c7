import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { errorKinds } from '#schemas/errors.ts';
import { allFaults, page, PAGE, readRuns } from '#test/chaos/report.ts';

test('no fault has ended otherwise than it should; the page tells how', async () => {
  const runs = await readRuns();
  const failed = allFaults().filter(({ name }) => runs[name]?.seconds === null);
  expect(failed.map(({ name }) => name)).toEqual([]);
  expect(await readFile(PAGE, 'utf8')).toBe(page(runs));
});

test('faults have names of their own, and halt only with what does not heal by itself', () => {
  const names = allFaults().map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const fault of allFaults()) {
    const { outcome } = fault;
    if (typeof outcome === 'object')
      expect([outcome.halts, errorKinds[outcome.halts].heals]).toEqual([outcome.halts, false]);
    expect('fix' in fault).toBe(typeof outcome === 'object');
  }
});
