import type { Applied, TargetBatch } from '#connectors/contract/target.ts';
import { BlockReader, dropThrough } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, formatPosition, type Position } from '#schemas/position.ts';
import type { ReadyBlock } from './writer.ts';

/** Makes batches of blocks that follow one another without a gap, the parts that the target holds already left out. */
export class BatchBuilder {
  readonly #topic: string;
  #position: Position;

  /** @param held what the target holds; the first block may begin before it, not after */
  constructor(held: Applied, topic: string) {
    this.#position = held.position;
    this.#topic = topic;
  }

  /**
   * @returns undefined when nothing in the blocks is news
   * @throws {TerraFusionError} PAIR_HISTORY_LOST when a block continues from somewhere after what came before it (Promise 2)
   */
  build(
    blocks: readonly ReadyBlock[],
    mode: TargetBatch['mode'],
  ): { readonly batch: TargetBatch; readonly lastCommitTime: number } | undefined {
    const news: Buffer[] = [];
    let lastCommitTime = 0;
    for (const { bytes } of blocks) {
      const { after } = BlockReader.open(bytes).header;
      if (comparePositions(after, this.#position) > 0) throw this.#gap(after);
      const rest = dropThrough(bytes, this.#position);
      if (!rest) continue;
      const summary = BlockReader.summary(rest);
      if (summary.transactions === 0) continue;
      news.push(rest);
      this.#position = summary.last;
      lastCommitTime = summary.lastCommitTime;
    }
    if (news.length === 0) return undefined;
    const { nextOffset } = blocks.at(-1)!;
    return {
      batch: { blocks: news, last: this.#position, topic: this.#topic, nextOffset, mode },
      lastCommitTime,
    };
  }

  #gap(after: Position): TerraFusionError {
    return new TerraFusionError(
      'PAIR_HISTORY_LOST',
      `The topic goes on from ${formatPosition(after)}, the target holds only ${formatPosition(this.#position)}`,
      { details: { topic: this.#topic } },
    );
  }
}
