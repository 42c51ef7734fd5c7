import type { Applied, TargetBatch } from '#connectors/contract/target.ts';
import { BlockReader, continuesFrom, dropThrough } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, formatPosition, LAST_ORDINAL, type Position } from '#schemas/position.ts';

/** A block that has been through the chain, and where the topic goes on after it. */
export interface ReadyBlock {
  readonly bytes: Buffer;
  readonly nextOffset: bigint;
}

/** A batch, and when its last source transaction was committed there, in µs since 1970. */
export interface Built {
  readonly batch: TargetBatch;
  readonly lastCommitTime: number;
  /** The same of each of its blocks. */
  readonly commitTimes: readonly number[];
}

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
   * One batch, or two when the blocks end within a source transaction: what can be committed is not kept waiting for its end.
   * None when nothing in the blocks is news.
   * @throws {TerraFusionError} PAIR_HISTORY_LOST when a block continues from somewhere after what came before it (Promise 2)
   */
  build(blocks: readonly ReadyBlock[], mode: TargetBatch['mode']): readonly Built[] {
    return this.batches(
      blocks.map((block) => this.news(block)).filter((part) => part !== undefined),
      mode,
    );
  }

  /** Batches of parts that are news. */
  batches(news: readonly News[], mode: TargetBatch['mode']): readonly Built[] {
    const whole = news.findLastIndex(({ last }) => isWhole(last)) + 1;
    return [news.slice(0, whole), news.slice(whole)]
      .filter((parts) => parts.length > 0)
      .map((parts) => {
        const { last, lastCommitTime, nextOffset } = parts.at(-1)!;
        return {
          batch: { blocks: parts.map(({ bytes }) => bytes), last, topic: this.#topic, nextOffset, mode },
          lastCommitTime,
          commitTimes: parts.map((part) => part.lastCommitTime),
        };
      });
  }

  /**
   * What of a block the target does not hold yet.
   * @throws {TerraFusionError} PAIR_HISTORY_LOST
   */
  news({ bytes, nextOffset }: ReadyBlock): News | undefined {
    const after = continuesFrom(bytes) ?? BlockReader.open(bytes).header.after;
    const order = comparePositions(after, this.#position);
    if (order > 0) throw this.#gap(after);
    // What continues from just here is news from its first change on.
    const rest = order === 0 ? bytes : dropThrough(bytes, this.#position);
    if (rest === undefined) return undefined;
    const { transactions, last, lastCommitTime } = BlockReader.summary(rest);
    if (transactions === 0) return undefined;
    this.#position = last;
    return { bytes: rest, last, lastCommitTime, nextOffset };
  }

  #gap(after: Position): TerraFusionError {
    return new TerraFusionError(
      'PAIR_HISTORY_LOST',
      `The topic goes on from ${formatPosition(after)}, the target holds only ${formatPosition(this.#position)}`,
      { details: { topic: this.#topic } },
    );
  }
}

export interface News extends ReadyBlock {
  readonly last: Position;
  readonly lastCommitTime: number;
}

/** Whether the position lies between source transactions, not within one. */
export function isWhole({ ordinal }: Position): boolean {
  return ordinal === LAST_ORDINAL || ordinal < 0;
}
