import { expect, test } from 'vitest';
import type { BatchOutcome } from '#connectors/contract/target.ts';
import { AppliedSince } from '#services/sync-service/applied-since.ts';

const table = (name: string, changes: number, lastCommitTime: number) => ({
  table: { schema: 's', name },
  changes,
  lastCommitTime,
});

const outcome = (inserted: number, tables: BatchOutcome['tables']): BatchOutcome => ({
  committed: true,
  inserted,
  updated: 1,
  deleted: 0,
  rejected: 0,
  tables,
});

test('what was told is not told again, and what came in meanwhile is', () => {
  const since = new AppliedSince();
  since.add(outcome(2, [table('a', 2, 5_000_000), table('b', 1, 4_000_000)]));
  since.add(outcome(1, [table('a', 2, 3_000_000)]));
  const first = since.get();
  expect(first).toEqual({
    inserted: 3,
    updated: 2,
    deleted: 0,
    tables: [
      { target: { schema: 's', name: 'a' }, changes: 4, lastChangeAt: new Date(5000) },
      { target: { schema: 's', name: 'b' }, changes: 1, lastChangeAt: new Date(4000) },
    ],
  });
  since.add(outcome(1, [table('a', 2, 9_000_000)]));
  since.told(first);
  expect(since.get()).toMatchObject({
    inserted: 1,
    updated: 1,
    tables: [{ target: { name: 'a' }, changes: 2, lastChangeAt: new Date(9000) }],
  });
  since.told(since.get());
  expect(since.get()).toEqual({ inserted: 0, updated: 0, deleted: 0, tables: [] });
});
