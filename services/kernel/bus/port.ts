/**
 * The bus: durable, ordered topics of blocks. One block is one value; the bus never looks inside.
 * Offsets are dense or not, but grow; they are the bus's own and mean nothing elsewhere than in their topic.
 *
 * Topic names are 1 to 200 of `A-Z a-z 0-9 . _ -`. Every call but `createTopic`, `deleteTopic` and `listTopics` wants a topic that is
 * there, and says BUS_TOPIC_MISSING otherwise. Two implementations, one contract suite: `test/conformance/bus-contract.ts`.
 */
export interface Bus extends AsyncDisposable {
  /** "embedded" or "kafka"; shown in the status. */
  readonly kind: 'embedded' | 'kafka';
  /** Makes the topic when it is not there. Calling again changes nothing. */
  createTopic(topic: string): Promise<void>;
  /**
   * Removes the topic and what it holds. An absent topic is no error. Who reads it gets BUS_TOPIC_MISSING.
   * Made again under the same name it is empty: the embedded bus goes on at the old next offset, Kafka begins at 0 again.
   */
  deleteTopic(topic: string): Promise<void>;
  listTopics(): Promise<string[]>;
  /**
   * Appends the blocks in order, and returns the offset of the last one once all of them are durable
   * (LMDB: flushed to disk; Kafka: acknowledged by all in-sync replicas). Appends to one topic keep the order of the calls,
   * also while earlier ones are under way. A rejected append may have been stored, in whole or as a prefix, and takes all appends to its
   * topic along that wait behind it: who appends reads the tail and goes on from there.
   * The buffers must not be changed any more, whatever comes of it: readers may get the very same. An empty list stores nothing and returns the offset before the next one (-1n
   * in a topic that never held a block).
   * @throws {TerraFusionError} BUS_FULL when the disk budget is used up (nothing was stored); BUS_UNREACHABLE; BUS_BLOCK_TOO_LARGE
   */
  append(topic: string, blocks: readonly Buffer[]): Promise<bigint>;
  /** The last durable block, or undefined for a topic that holds none. */
  tail(topic: string): Promise<BusBlock | undefined>;
  /** First retained offset and the offset that the next append gets. `first === next` when nothing is retained. */
  range(topic: string): Promise<{ first: bigint; next: bigint }>;
  /**
   * Durable blocks in order, from the first one at or after `from` (earlier retained ones are not shown; when `from` lies before
   * retention it starts at the first retained one: consumers notice by the block's own chain of positions). Waits for more at the end; ends when the signal is aborted.
   * What was appended but is not durable yet is never shown: offsets must not come back with other content after a crash.
   * Blocks are fetched as the caller takes them, a few MiB ahead at most; their buffers are the caller's to read for as long as it likes.
   * @throws {TerraFusionError} BUS_OFFSET_LOST when the topic ends before `from`; BUS_UNREACHABLE when nothing came for too long though
   * there is more: open it again
   */
  read(topic: string, from: bigint, signal: AbortSignal, options?: ReadOptions): AsyncIterable<BusBlock>;
  /** Forgets blocks before `offset`, but always keeps the last block: it is the appender's checkpoint. */
  truncateBefore(topic: string, offset: bigint): Promise<void>;
  /** Bytes held on disk by the topic's retained blocks, as far as the bus knows (undefined = the broker's business). */
  bytesHeld(topic: string): Promise<number | undefined>;
  /** Disk used by all topics and how much they may use, in bytes; absent where that is the broker's business. */
  usage?(): BusUsage;
}

export interface BusBlock {
  readonly offset: bigint;
  readonly bytes: Buffer;
}

export interface ReadOptions {
  /**
   * Consumer group under which Kafka shows how far this read has come, every few seconds, for people who watch lag with its tools.
   * Nothing is ever read back from it. The embedded bus has no such place.
   */
  readonly group?: string;
}

export interface BusUsage {
  readonly usedBytes: number;
  readonly maxBytes: number;
}
