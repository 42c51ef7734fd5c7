/**
 * The bus: durable, ordered topics of blocks. One block is one value; the bus never looks inside.
 * Offsets are dense or not, but grow; they are the bus's own and mean nothing elsewhere than in their topic.
 */
export interface Bus extends AsyncDisposable {
  /** "embedded" or "kafka"; shown in the status. */
  readonly kind: 'embedded' | 'kafka';
  /** Makes the topic when it is not there. Calling again changes nothing. */
  createTopic(topic: string): Promise<void>;
  /** Removes the topic and what it holds. An absent topic is no error. */
  deleteTopic(topic: string): Promise<void>;
  listTopics(): Promise<string[]>;
  /**
   * Appends the blocks in order, and returns the offset of the last one once all of them are durable
   * (LMDB: flushed to disk; Kafka: acknowledged by all in-sync replicas). Appends to one topic keep the order of the calls,
   * also while earlier ones are under way. A rejected append may have been stored, in whole or as a prefix:
   * who appends reads the tail and goes on from there.
   * @throws {TerraFusionError} BUS_FULL when the disk budget is used up; BUS_UNREACHABLE; BUS_BLOCK_TOO_LARGE
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
   */
  read(topic: string, from: bigint, signal: AbortSignal): AsyncIterable<BusBlock>;
  /** Forgets blocks before `offset`, but always keeps the last block: it is the appender's checkpoint. */
  truncateBefore(topic: string, offset: bigint): Promise<void>;
  /** Bytes held on disk by the topic's retained blocks, as far as the bus knows (undefined = the broker's business). */
  bytesHeld(topic: string): Promise<number | undefined>;
}

export interface BusBlock {
  readonly offset: bigint;
  readonly bytes: Buffer;
}
