import { setImmediate as nextTurn } from 'node:timers/promises';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Log } from '../log.ts';
import { lockFolder } from './folder-lock.ts';
import { LmdbStore } from './lmdb-store.ts';
import { grown, LmdbTopics, type Topic } from './lmdb-topics.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import type { Bus, BusBlock, BusUsage } from './port.ts';
import { RecentBlocks } from './recent-blocks.ts';
import { checkTopicName, offsetLost, topicMissing } from './topic-name.ts';

export interface LmdbBusOptions {
  /** Where the files are; made when absent. Nothing else may be in it. */
  readonly folder: string;
  /** Disk that all topics together may use, in bytes; the file can be somewhat larger. */
  readonly maxBytes: number;
  /** Pages read through the memory map before it is made anew, in bytes: the resident size that reading may cost. */
  readonly pagedInLimit?: number;
  /** Blocks of the topics' ends that are kept in memory, in bytes; 0: everything is read from the files. */
  readonly recentBytes?: number;
}

/** Making the map anew takes about 1 ms, so this costs reading next to nothing. */
const PAGED_IN_LIMIT = 32 * 2 ** 20;
/** What a writer that keeps up is behind by, and then some, in bytes. */
const RECENT_BYTES = 8 * 2 ** 20;
/** Bytes and blocks that one read takes without giving way to timers and sockets. */
const TURN_BYTES = 4 * 2 ** 20;
const TURN_BLOCKS = 256;

/** The bus inside of this process, on LMDB: for one machine, without a broker. */
export class LmdbBus implements Bus {
  readonly kind = 'embedded';
  readonly #store: LmdbStore;
  readonly #lock: AsyncDisposable;
  readonly #topics: LmdbTopics;
  readonly #recent: RecentBlocks;
  readonly #writer: LmdbWriter;
  readonly #maxBytes: number;
  #closed = false;

  /** @throws {TerraFusionError} DATA_FOLDER_UNUSABLE, also when another process has it open */
  static async open(options: LmdbBusOptions, log: Log): Promise<LmdbBus> {
    const lock = await lockFolder(options.folder, 'bus.lock');
    try {
      return new LmdbBus(await LmdbStore.open(options.folder, options), lock, options, log);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** For tests that need a store which fails; otherwise {@link LmdbBus.open}. */
  constructor(store: LmdbStore, lock: AsyncDisposable, options: Omit<LmdbBusOptions, 'folder'>, log: Log) {
    const { maxBytes, pagedInLimit = PAGED_IN_LIMIT, recentBytes = RECENT_BYTES } = options;
    this.#recent = new RecentBlocks(recentBytes);
    this.#store = store;
    this.#lock = lock;
    this.#topics = new LmdbTopics(store.records());
    this.#writer = new LmdbWriter(store, this.#topics, this.#recent, { maxBytes, pagedInLimit }, log);
    this.#maxBytes = maxBytes;
  }

  async createTopic(name: string): Promise<void> {
    checkTopicName(name);
    this.#failIfClosed();
    await this.#writer.create(name);
  }

  async deleteTopic(name: string): Promise<void> {
    checkTopicName(name);
    this.#failIfClosed();
    await this.#writer.delete(name);
  }

  listTopics(): Promise<string[]> {
    return this.#answer(() => this.#topics.names);
  }

  async append(name: string, blocks: readonly Buffer[]): Promise<bigint> {
    this.#failIfClosed();
    return await this.#writer.append(this.#topics.get(name), blocks);
  }

  async tail(name: string): Promise<BusBlock | undefined> {
    // Not in a function of its own: between its return and ours the files could be closed again.
    while (this.#store.reopening !== undefined) await this.#store.reopening;
    this.#failIfUnusable();
    const topic = this.#topics.get(name);
    const offset = topic.next - 1;
    if (offset < topic.first) return undefined;
    return { offset: BigInt(offset), bytes: this.#block(topic, offset) };
  }

  range(name: string): Promise<{ first: bigint; next: bigint }> {
    return this.#answer(() => {
      const { first, next } = this.#topics.get(name);
      return { first: BigInt(first), next: BigInt(next) };
    });
  }

  async *read(name: string, from: bigint, signal: AbortSignal): AsyncGenerator<BusBlock, void, undefined> {
    this.#failIfUnusable();
    const topic = this.#topics.get(name);
    if (from > BigInt(topic.next)) throw offsetLost(name, from, BigInt(topic.next));
    let offset = Number(from);
    let turnBytes = 0;
    let turnBlocks = 0;
    while (!signal.aborted) {
      if (turnBytes >= TURN_BYTES || turnBlocks >= TURN_BLOCKS) {
        // A caller that never waits would otherwise keep timers, sockets and its own abort from running.
        await nextTurn();
        turnBytes = turnBlocks = 0;
        continue;
      }
      while (this.#store.reopening !== undefined) await this.#store.reopening;
      this.#failIfUnusable();
      if (topic.deleted) throw topicMissing(name);
      offset = Math.max(offset, topic.first);
      if (offset >= topic.next) {
        await grown(topic, signal);
        turnBytes = turnBlocks = 0;
        continue;
      }
      const bytes = this.#block(topic, offset);
      turnBytes += bytes.length;
      turnBlocks++;
      this.#writer.keepMapSmall();
      yield { offset: BigInt(offset), bytes };
      offset++;
    }
  }

  async truncateBefore(name: string, offset: bigint): Promise<void> {
    this.#failIfClosed();
    await this.#writer.truncate(name, offset);
  }

  bytesHeld(name: string): Promise<number> {
    return this.#answer(() => this.#topics.get(name).bytes);
  }

  usage(): BusUsage {
    return { usedBytes: this.#topics.usedBytes, maxBytes: this.#maxBytes };
  }

  /** Finishes what is queued, ends readers with an error, and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#topics.wakeAll();
    await this.#writer.idle();
    await this.#store.close();
    await this.#lock[Symbol.asyncDispose]();
  }

  #block(topic: Topic, offset: number): Buffer {
    const block = this.#recent.get(topic.name, offset) ?? this.#store.block(topic.name, offset);
    if (block !== undefined) return block;
    const message = `Topic "${topic.name}" holds no block at offset ${offset} though it should`;
    throw new TerraFusionError('BLOCK_CORRUPT', message, { details: { topic: topic.name, offset } });
  }

  /** For what is known without looking at the files. */
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is to reject
  async #answer<T>(question: () => T): Promise<T> {
    this.#failIfUnusable();
    return question();
  }

  #failIfClosed(): void {
    if (this.#closed) throw new TerraFusionError('BUS_UNREACHABLE', 'The bus is closed');
  }

  #failIfUnusable(): void {
    this.#failIfClosed();
    if (this.#writer.failure !== undefined) throw this.#writer.failure;
  }
}
