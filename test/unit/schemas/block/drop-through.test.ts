import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockReader, dropThrough, type BlockTable } from '#schemas/block/index.ts';
import { comparePositions, endOf, formatPosition, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import { read, write, type ModelChange } from '../block-model.ts';
import {
  arbCuts,
  arbOpaqueChange,
  arbTransactions,
  cutFrom,
  historyStart,
  type CutBlock,
  type History,
} from '../history.ts';

const table: BlockTable = {
  relationId: 1,
  schema: 's',
  name: 't',
  identity: 'default',
  tolerant: false,
  columns: [],
};
const generation = 3;
const arbHistory = arbTransactions(arbOpaqueChange).map((transactions): History => ({
  generation,
  tables: [table],
  transactions,
}));

/** What a consumer makes of blocks: the changes in order with the ends of transactions, and the position it holds. */
class Consumer {
  held: Position = historyStart(generation);
  readonly seen: unknown[] = [];
  readonly #order: string[] = [];

  take({ bytes }: CutBlock): void {
    const { after } = BlockReader.open(bytes).header;
    expect(comparePositions(after, this.held)).toBeLessThanOrEqual(0);
    const news = dropThrough(bytes, this.held);
    if (!news) return;
    const block = read(news);
    // What is left says that it continues from what is held, and no sooner.
    expect(comparePositions(block.after, this.held)).toBeLessThanOrEqual(0);
    for (const { changes, complete, commitLsn, xid } of block.transactions) {
      for (const change of changes) this.#see(commitLsn, change);
      if (complete) this.seen.push({ end: commitLsn, xid });
    }
    const { last } = BlockReader.summary(news);
    expect(comparePositions(last, this.held)).toBeGreaterThan(0);
    this.held = last;
  }

  #see(commitLsn: bigint, change: ModelChange): void {
    this.seen.push({ commitLsn, ...change });
    this.#order.push(formatPosition({ generation, commitLsn, ordinal: change.ordinal }));
    expect(new Set(this.#order).size).toBe(this.#order.length);
  }
}

function everything({ transactions }: History): unknown[] {
  return transactions.flatMap(({ changes, commitLsn, xid }) => [
    ...changes.map((change) => ({ commitLsn, ...change })),
    { end: commitLsn, xid },
  ]);
}

describe('dropThrough', () => {
  test('gives the history once and in order, however often and differently cut it is sent again', () => {
    const restarts = fc.array(fc.record({ taken: fc.nat(10), back: fc.nat(4), cuts: arbCuts }), { maxLength: 5 });
    fc.assert(
      fc.property(arbHistory, arbCuts, restarts, (history, lastCuts, stops) => {
        const consumer = new Consumer();
        const held = [consumer.held];
        for (const { taken, back, cuts } of stops) {
          // The reader starts from something it has stored, at or before what the consumer holds.
          const from = held[Math.max(0, held.length - 1 - back)]!;
          for (const block of cutFrom(history, from, cuts).slice(0, taken)) {
            consumer.take(block);
            held.push(consumer.held);
          }
        }
        for (const block of cutFrom(history, held.at(-1)!, lastCuts)) consumer.take(block);
        expect(consumer.seen).toEqual(everything(history));
      }),
      { numRuns: 500 },
    );
  });

  test('gives the same buffer when nothing has to go', () => {
    fc.assert(
      fc.property(arbHistory, arbCuts, (history, cuts) => {
        let held = historyStart(generation);
        for (const { bytes, last } of cutFrom(history, held, cuts)) {
          const startsNewTransaction = held.ordinal === LAST_ORDINAL;
          const news = dropThrough(bytes, held);
          expect(news).toBeDefined();
          if (startsNewTransaction) expect(news).toBe(bytes);
          held = last;
        }
      }),
    );
  });

  test('leaves nothing of a block that is held', () => {
    fc.assert(
      fc.property(arbHistory, arbCuts, (history, cuts) => {
        for (const { bytes, last } of cutFrom(history, historyStart(generation), cuts)) {
          expect(dropThrough(bytes, last)).toBeUndefined();
          expect(dropThrough(bytes, { generation: generation + 1, commitLsn: 0n, ordinal: 0 })).toBeUndefined();
        }
      }),
    );
  });

  test('changes nothing the second time', () => {
    fc.assert(
      fc.property(arbHistory, arbCuts, fc.nat(20), fc.nat(8), (history, cuts, lsn, ordinal) => {
        const held: Position = { generation, commitLsn: BigInt(lsn), ordinal };
        for (const { bytes } of cutFrom(history, historyStart(generation), cuts)) {
          const once = dropThrough(bytes, held);
          if (once) expect(dropThrough(once, held)?.equals(once)).toBe(true);
        }
      }),
    );
  });

  const head = { source: 's', generation, inputOffset: 5n, tables: [table] };
  const transaction = { xid: 1, commitLsn: 10n, commitTime: 0, origin: undefined };
  const insert = (ordinal: number): ModelChange => ({ table: 0, op: 0, ordinal, before: undefined, after: ['x'] });

  test('keeps an end that is news though every change before it is held', () => {
    const bytes = write({
      ...head,
      after: historyStart(generation),
      transactions: [{ ...transaction, changes: [insert(0), insert(1)], complete: true, lastOrdinal: LAST_ORDINAL }],
    });
    const news = dropThrough(bytes, { generation, commitLsn: 10n, ordinal: 1 });
    expect(read(news!).transactions).toEqual([
      { ...transaction, changes: [], complete: true, lastOrdinal: LAST_ORDINAL },
    ]);
    expect(read(news!)).toMatchObject({ inputOffset: 5n, after: { generation, commitLsn: 10n, ordinal: 1 } });
  });

  test('keeps a slice whose last ordinal is news though its changes were filtered away', () => {
    const bytes = write({
      ...head,
      after: historyStart(generation),
      transactions: [{ ...transaction, changes: [], complete: false, lastOrdinal: 7 }],
    });
    const news = dropThrough(bytes, { generation, commitLsn: 10n, ordinal: 3 });
    expect(BlockReader.summary(news!).last).toEqual({ generation, commitLsn: 10n, ordinal: 7 });
  });

  test('drops a block without transactions only when its position is held', () => {
    const bytes = write({ ...head, after: endOf(generation, 10n), transactions: [] });
    expect(dropThrough(bytes, endOf(generation, 10n))).toBeUndefined();
    expect(dropThrough(bytes, endOf(generation, 9n))).toBe(bytes);
  });
});
