import type { Applied } from '#connectors/contract/target.ts';
import { BlockReader } from '#schemas/block/index.ts';
import { comparePositions, type Position } from '#schemas/position.ts';
import { isWhole } from '#services/writer/batch.ts';
import type { ReadyBlock } from '#services/writer/writer.ts';

interface Waiting {
  readonly last: Position;
  /** Of its last source transaction, ms since 1970. */
  readonly committedAt: number;
}

/**
 * What a pair's stream has taken from its topic and the target does not hold yet: as much as the writer's queue and its batches in flight
 * may hold, one small entry a block. (Promise 6)
 */
export class WaitingBlocks {
  readonly #blocks: Waiting[] = [];
  #held: Position | undefined;
  /** Where the topic is read on. */
  #next = 0n;
  /** Since when blocks lie in the topic that nobody goes on to read: where it was read on then, and ms since 1970. */
  #unread: { readonly from: bigint; readonly since: number } | undefined;

  /** The target was asked, and the topic is read anew from what it holds. */
  opened(held: Applied): void {
    this.#blocks.length = 0;
    this.#next = held.nextOffset;
    this.#held = held.position;
  }

  read({ bytes, nextOffset }: ReadyBlock): void {
    this.#next = nextOffset;
    const { last, lastCommitTime, transactions } = BlockReader.summary(bytes);
    // What the target holds already, or what holds nothing, waits for nobody.
    if (transactions === 0 || (this.#held && comparePositions(last, this.#held) <= 0)) return;
    this.#blocks.push({ last, committedAt: lastCommitTime / 1000 });
  }

  applied({ position }: Applied): void {
    this.#held = position;
    let gone = 0;
    while (gone < this.#blocks.length && comparePositions(this.#blocks[gone]!.last, position) <= 0) gone++;
    if (gone > 0) this.#blocks.splice(0, gone);
  }

  /**
   * How many blocks could be applied now. Those that end within a transaction wait for the rest of it, which the source may send much later:
   * the writer has done its part of them.
   * @param end as for {@link look}
   */
  applicable(end: bigint): number {
    const unread = end > this.#next ? Number(end - this.#next) : 0;
    return unread + this.#blocks.filter(({ last }) => isWhole(last)).length;
  }

  /**
   * The age of the oldest change that waits, in seconds, and how many blocks do.
   * @param end offset that the topic's next block gets
   */
  look(end: bigint, now: number): { readonly seconds: number; readonly blocks: number } {
    const unread = end > this.#next ? Number(end - this.#next) : 0;
    if (unread === 0) this.#unread = undefined;
    else if (this.#unread?.from !== this.#next) this.#unread = { from: this.#next, since: now };
    const oldest = this.#blocks[0]?.committedAt ?? this.#unread?.since;
    // A source's clock may be ahead of ours.
    const seconds = oldest === undefined ? 0 : Math.max(0, (now - oldest) / 1000);
    return { seconds, blocks: this.#blocks.length + unread };
  }
}
