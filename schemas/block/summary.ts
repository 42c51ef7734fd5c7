import type { Position } from '../position.ts';

/** What a block holds, without its rows. */
export interface BlockSummary {
  /** Position of the first change, when there is one. */
  readonly first: Position | undefined;
  /** The position that this block reaches. */
  readonly last: Position;
  /** Whether it reaches the end of a transaction. */
  readonly complete: boolean;
  readonly transactions: number;
  readonly changes: number;
  /** Microseconds since 1970; 0 without transactions. */
  readonly lastCommitTime: number;
}

/**
 * Whoever writes a block knows this, and whoever gets the very same buffer need not walk through all of it to learn it again. Blocks are
 * never changed once they are written.
 */
const known = new WeakMap<Buffer, BlockSummary>();

export const noteSummary = (block: Buffer, summary: BlockSummary): void => void known.set(block, summary);
export const knownSummary = (block: Buffer): BlockSummary | undefined => known.get(block);
