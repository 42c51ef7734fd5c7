import fc from 'fast-check';
import { Op, type BlockTable } from '#schemas/block/index.ts';
import { comparePositions, endOf, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import { write, type ModelChange, type ModelTransaction } from './block-model.ts';

/** A stretch of a source's history, and the ways in which a reader may cut it into blocks. */
export interface History {
  readonly generation: number;
  readonly tables: readonly BlockTable[];
  /** Whole, in commit order. */
  readonly transactions: readonly ModelTransaction[];
}

/** Where the history begins: before its first transaction. */
export const historyStart = (generation: number): Position => ({ generation, commitLsn: 0n, ordinal: LAST_ORDINAL });

/** Whole transactions with growing commit positions; ordinals grow, with gaps where the source sent what is no change. */
export function arbTransactions(
  change: fc.Arbitrary<Omit<ModelChange, 'ordinal'>>,
  maxLength = 5,
): fc.Arbitrary<ModelTransaction[]> {
  const transaction = fc.record({
    gap: fc.bigInt({ min: 1n, max: 1000n }),
    changes: fc.array(fc.tuple(change, fc.integer({ min: 1, max: 3 })), { maxLength: 6 }),
  });
  return fc.array(transaction, { maxLength }).map((list) => {
    let commitLsn = 0n;
    return list.map(({ gap, changes }, index) => {
      commitLsn += gap;
      let ordinal = -1;
      return {
        xid: 700 + index,
        commitLsn,
        commitTime: 1_700_000_000_000_000 + index,
        origin: undefined,
        changes: changes.map(([rest, step]) => ({ ...rest, ordinal: (ordinal += step) })),
        complete: true,
        lastOrdinal: LAST_ORDINAL,
      };
    });
  });
}

export interface CutBlock {
  readonly bytes: Buffer;
  /** Position that the block reaches. */
  readonly last: Position;
}

/**
 * The history from the transaction that holds `from` on, as a reader sends it: cut wherever `cuts` says, also within transactions.
 * A transaction of which a part was stored is sent again whole.
 *
 * @param from what the reader's topic holds: the first block continues from there
 * @param cuts for each change and each transaction's end in turn, whether a block ends after it; repeated as long as needed
 */
export function cutFrom(history: History, from: Position, cuts: readonly boolean[]): CutBlock[] {
  const { generation, tables } = history;
  const blocks: CutBlock[] = [];
  let after = from;
  let pending: ModelTransaction[] = [];
  let step = 0;
  const close = (last: Position) => {
    if (pending.length === 0) return;
    const block = { source: 's', generation, after, inputOffset: -1n, tables, transactions: pending };
    blocks.push({ bytes: write(block), last });
    // What was held already when it was sent again does not move the position back.
    after = comparePositions(last, after) > 0 ? last : after;
    pending = [];
  };
  const cut = () => cuts[step++ % cuts.length] ?? false;
  for (const transaction of history.transactions) {
    const { commitLsn } = transaction;
    const end = endOf(generation, commitLsn);
    if (comparePositions(end, from) <= 0) continue;
    let slice: ModelChange[] = [];
    for (const change of transaction.changes) {
      slice.push(change);
      if (!cut()) continue;
      pending.push({ ...transaction, changes: slice, complete: false, lastOrdinal: change.ordinal });
      close({ generation, commitLsn, ordinal: change.ordinal });
      slice = [];
    }
    pending.push({ ...transaction, changes: slice });
    if (cut()) close(end);
    else if (transaction === history.transactions.at(-1)) close(end);
  }
  return blocks;
}

export const arbCuts = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });

/** A change of the first table that nobody looks into. */
export const arbOpaqueChange: fc.Arbitrary<Omit<ModelChange, 'ordinal'>> = fc.record({
  table: fc.constantFrom(0, -1),
  op: fc.constant(Op.insert),
  before: fc.constant(undefined),
  after: fc.array(fc.string(), { minLength: 1, maxLength: 2 }),
});
