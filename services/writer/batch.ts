import type { Applied, TargetBatch } from '#connectors/contract/target.ts';
import { BlockReader, continuesFrom, dropThrough, splitBefore } from '#schemas/block/index.ts';
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

/**
 * Bytes of blocks that a transaction of the target may cover beyond the end of a source transaction, before a block is cut there. Cutting
 * copies the block; a load of middling transactions soon ends one between blocks by itself.
 */
const MOST_OPEN_BYTES = 16 * 2 ** 20;

/** Makes batches of blocks that follow one another without a gap, the parts that the target holds already left out. */
export class BatchBuilder {
  readonly #topic: string;
  readonly #mostOpen: number;
  #position: Position;
  /** Bytes since the last batch that ended between source transactions. */
  #open = 0;

  /** @param held what the target holds; the first block may begin before it, not after */
  constructor(held: Applied, topic: string, mostOpenBytes = MOST_OPEN_BYTES) {
    this.#position = held.position;
    this.#topic = topic;
    this.#mostOpen = mostOpenBytes;
  }

  /**
   * One batch, or two when the blocks end within a source transaction: what can be committed is not kept waiting for its end (of a block that
   * holds the end of one and the beginning of another: not for long).
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
    return this.#divided(news)
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
    return { bytes: rest, last, lastCommitTime, nextOffset, again: nextOffset - 1n };
  }

  /** What ends between source transactions, and the rest. */
  #divided(news: readonly News[]): readonly (readonly News[])[] {
    const whole = news.findLastIndex(({ last }) => isWhole(last)) + 1;
    const rest = news.slice(whole);
    if (whole > 0) this.#open = 0;
    this.#open += sizeOf(rest);
    if (this.#open <= this.#mostOpen) return [news.slice(0, whole), rest];
    const cut = cutAtLastEnd(rest);
    if (cut === undefined) return [news.slice(0, whole), rest];
    this.#open = sizeOf(cut.rest);
    return [[...news.slice(0, whole), ...cut.ended], cut.rest];
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
  /** Where the topic has to be read from for what comes after a part of the block. */
  readonly again: bigint;
}

const sizeOf = (parts: readonly News[]): number => parts.reduce((sum, { bytes }) => sum + bytes.length, 0);

/**
 * Parts that all end within a transaction, cut where the last one before it has ended; undefined when none has. Under a load of large
 * transactions no block may ever end between two of them: without a cut all of them would be one transaction of the target, and the topic
 * could forget nothing meanwhile. (Promises 6 and 7)
 */
function cutAtLastEnd(parts: readonly News[]): { readonly ended: News[]; readonly rest: News[] } | undefined {
  // Several transactions in a block: all but the last have ended.
  const at = parts.findLastIndex(({ bytes }) => BlockReader.summary(bytes).transactions > 1);
  const part = parts[at];
  if (part === undefined) return undefined;
  const { head, tail } = splitBefore(part.bytes, { ...part.last, ordinal: -1 });
  if (head === undefined || tail === undefined) return undefined;
  const { last, lastCommitTime } = BlockReader.summary(head);
  return {
    ended: [...parts.slice(0, at), { bytes: head, last, lastCommitTime, nextOffset: part.again, again: part.again }],
    rest: [{ ...part, bytes: tail }, ...parts.slice(at + 1)],
  };
}

/** Whether the position lies between source transactions, not within one. */
export function isWhole({ ordinal }: Position): boolean {
  return ordinal === LAST_ORDINAL || ordinal < 0;
}
