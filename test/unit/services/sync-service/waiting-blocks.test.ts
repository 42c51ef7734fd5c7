import { expect, test } from 'vitest';
import type { Applied } from '#connectors/contract/target.ts';
import { LAST_ORDINAL } from '#schemas/position.ts';
import { WaitingBlocks } from '#services/sync-service/waiting-blocks.ts';
import { write } from '#test/unit/schemas/block-model.ts';
import { block, insert, table } from '#test/unit/services/stream-processor/fixture.ts';

const tables = [table('pacs.owner', ['id* int4'])];
/** Blocks of one transaction each, committed at the source at 10 s, 20 s … */
const blockAt = (lsn: bigint, seconds: number) => {
  const model = block(tables, [insert(['1'])]);
  const transactions = model.transactions.map((each) => ({ ...each, commitLsn: lsn, commitTime: seconds * 1_000_000 }));
  return write({ ...model, transactions });
};
const held = (lsn: bigint, nextOffset: bigint): Applied => ({
  position: { generation: 2, commitLsn: lsn, ordinal: LAST_ORDINAL },
  topic: 'changes.s',
  nextOffset,
  overlayUntil: 0n,
});

test('the lag is the age of the oldest change that waits, not of the last one that was applied', () => {
  const waiting = new WaitingBlocks();
  waiting.opened(held(1n, 0n));
  expect(waiting.look(0n, 100_000)).toEqual({ seconds: 0, blocks: 0 });
  // An hour later one change comes, and is looked at half a second after its commit.
  waiting.read({ bytes: blockAt(2n, 3700), nextOffset: 1n });
  expect(waiting.look(1n, 3_700_500)).toEqual({ seconds: 0.5, blocks: 1 });
  waiting.read({ bytes: blockAt(3n, 3701), nextOffset: 2n });
  expect(waiting.look(5n, 3_702_000)).toEqual({ seconds: 2, blocks: 5 });
  waiting.applied(held(2n, 1n));
  expect(waiting.look(5n, 3_702_000)).toEqual({ seconds: 1, blocks: 4 });
  waiting.applied(held(3n, 2n));
  waiting.read({ bytes: blockAt(4n, 3702), nextOffset: 5n });
  waiting.applied(held(4n, 5n));
  expect(waiting.look(5n, 9_000_000)).toEqual({ seconds: 0, blocks: 0 });
});

test('blocks that nobody reads, since the target is away, age from when they were first seen', () => {
  const waiting = new WaitingBlocks();
  waiting.opened(held(1n, 7n));
  expect(waiting.look(9n, 50_000)).toEqual({ seconds: 0, blocks: 2 });
  expect(waiting.look(12n, 80_000)).toEqual({ seconds: 30, blocks: 5 });
  // Read on, they are not those that were seen then.
  waiting.read({ bytes: blockAt(1n, 40), nextOffset: 11n });
  expect(waiting.look(12n, 90_000)).toEqual({ seconds: 0, blocks: 1 });
});

test('what is read again after an interruption and is held already waits for nobody', () => {
  const waiting = new WaitingBlocks();
  waiting.opened(held(1n, 0n));
  waiting.read({ bytes: blockAt(2n, 10), nextOffset: 1n });
  waiting.opened(held(2n, 0n));
  waiting.read({ bytes: blockAt(2n, 10), nextOffset: 1n });
  expect(waiting.look(1n, 500_000)).toEqual({ seconds: 0, blocks: 0 });
});

test('a block that ends within a transaction waits for the rest of it, not for the writer', () => {
  const waiting = new WaitingBlocks();
  waiting.opened(held(1n, 0n));
  const model = block(tables, [insert(['1'])]);
  const [first] = model.transactions;
  const part = { ...first!, commitLsn: 2n, commitTime: 10_000_000, complete: false, lastOrdinal: 0 };
  waiting.read({ bytes: write({ ...model, transactions: [part] }), nextOffset: 1n });
  // It is lag all the same.
  expect(waiting.look(1n, 20_000).blocks).toBe(1);
  expect(waiting.applicable(1n)).toBe(0);
  // What nobody has read yet may hold the rest.
  expect(waiting.applicable(3n)).toBe(2);
  waiting.read({ bytes: blockAt(2n, 11), nextOffset: 2n });
  expect(waiting.applicable(2n)).toBe(1);
  waiting.applied(held(2n, 2n));
  expect(waiting.applicable(2n)).toBe(0);
});

test('a source whose clock is ahead makes no negative lag', () => {
  const waiting = new WaitingBlocks();
  waiting.opened(held(1n, 0n));
  waiting.read({ bytes: blockAt(2n, 20), nextOffset: 1n });
  expect(waiting.look(1n, 15_000)).toEqual({ seconds: 0, blocks: 1 });
});
