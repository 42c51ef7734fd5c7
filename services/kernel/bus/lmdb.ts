import { mkdir } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Log } from '../log.ts';
import { lockFolder } from './folder-lock.ts';
import { LmdbStore, storedBytes, type StoreWrites, type TopicRecord } from './lmdb-store.ts';
import type { Bus, BusBlock, BusUsage } from './port.ts';
import { checkTopicName, offsetLost, topicMissing } from './topic-name.ts';

export interface LmdbBusOptions {
  /** Where the files are; made when absent. Nothing else may be in it. */
  readonly folder: string;
  /** Disk that all topics together may use, in bytes; the file can be somewhat larger. */
  readonly maxBytes: number;
}

/** Blocks that one commit takes at most, in bytes: what waits shares one sync, and nobody waits long for a large one. */
const COMMIT_BYTES = 16 * 2 ** 20;
/** Blocks that one commit forgets at most, so that appends get their turn between. */
const TRUNCATE_STEP = 1000;
/** Pages read through the memory map before it is made anew: the resident size that reading may cost, in bytes. */
const PAGED_IN_LIMIT = 64 * 2 ** 20;
/** Bytes and blocks that one read takes without giving way to timers and sockets. */
const TURN_BYTES = 4 * 2 ** 20;
const TURN_BLOCKS = 256;

interface Topic {
  readonly name: string;
  first: number;
  /** Offset after the last durable block: what readers see ends here. */
  next: number;
  bytes: number;
  deleted: boolean;
  /** Readers at the end, to be woken. */
  readonly waiting: Set<() => void>;
}

interface Append {
  readonly topic: Topic;
  readonly blocks: readonly Buffer[];
  readonly bytes: number;
  readonly settle: PromiseWithResolvers<bigint>;
}

/** What waits for its turn to write: an append, or something that wants the files for itself. */
type Job = Append | (() => Promise<void>);

/**
 * The bus inside of this process, on LMDB: for one machine, without a broker. All writing is one queue: what is queued when a commit
 * ends goes into the next one together, so that appends to all topics share its sync, and their order is the queue's.
 */
export class LmdbBus implements Bus {
  readonly kind = 'embedded';
  readonly #store: LmdbStore;
  readonly #lock: AsyncDisposable;
  readonly #log: Log;
  readonly #maxBytes: number;
  readonly #topics = new Map<string, Topic>();
  readonly #queue: Job[] = [];
  #pump: Promise<void> | undefined;
  #usedBytes = 0;
  #recycling = false;
  /** Why the files cannot be used at present. */
  #failure: TerraFusionError | undefined;
  #closed = false;

  /** @throws {TerraFusionError} DATA_FOLDER_UNUSABLE, also when another process has it open */
  static async open(options: LmdbBusOptions, log: Log): Promise<LmdbBus> {
    const lock = await lockFolderOf(options.folder);
    try {
      return new LmdbBus(await LmdbStore.open(options.folder, options), lock, options, log);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** For tests that need a store which fails; otherwise {@link LmdbBus.open}. */
  constructor(store: LmdbStore, lock: AsyncDisposable, { maxBytes }: Pick<LmdbBusOptions, 'maxBytes'>, log: Log) {
    this.#store = store;
    this.#lock = lock;
    this.#log = log;
    this.#maxBytes = maxBytes;
    for (const [name, record] of store.records()) {
      if (!record.deleted) this.#add(name, record);
    }
  }

  createTopic(name: string): Promise<void> {
    checkTopicName(name);
    return this.#alone(async () => {
      if (this.#topics.has(name)) return;
      // Made again after a deletion it goes on counting: an offset that somebody still holds must not come back with other content.
      const next = this.#store.record(name)?.next ?? 0;
      const record = { deleted: false, first: next, next, bytes: 0 };
      await this.#write((writes) => {
        writes.putRecord(name, record);
      }, name);
      this.#add(name, record);
    });
  }

  deleteTopic(name: string): Promise<void> {
    checkTopicName(name);
    return this.#alone(async () => {
      const topic = this.#topics.get(name);
      if (topic === undefined) return;
      this.#forget(topic);
      await this.#write((writes) => {
        writes.dropTopic(name);
        writes.putRecord(name, { deleted: true, first: topic.next, next: topic.next, bytes: 0 });
      });
    });
  }

  async listTopics(): Promise<string[]> {
    await this.#usable();
    return [...this.#topics.keys()];
  }

  append(name: string, blocks: readonly Buffer[]): Promise<bigint> {
    if (this.#closed) return Promise.reject(closedError());
    // A topic whose creation is queued before this append is there when its turn comes; nobody awaits so little, so it need not work.
    const topic = this.#topics.get(name);
    if (topic === undefined) return Promise.reject(topicMissing(name));
    const bytes = blocks.reduce((sum, block) => sum + storedBytes(block.length), 0);
    const settle = Promise.withResolvers<bigint>();
    this.#enqueue({ topic, blocks, bytes, settle });
    return settle.promise;
  }

  async tail(name: string): Promise<BusBlock | undefined> {
    await this.#usable();
    const topic = this.#topic(name);
    const offset = topic.next - 1;
    if (offset < topic.first) return undefined;
    return { offset: BigInt(offset), bytes: this.#block(topic, offset) };
  }

  async range(name: string): Promise<{ first: bigint; next: bigint }> {
    await this.#usable();
    const { first, next } = this.#topic(name);
    return { first: BigInt(first), next: BigInt(next) };
  }

  async *read(name: string, from: bigint, signal: AbortSignal): AsyncGenerator<BusBlock, void, undefined> {
    await this.#usable();
    const topic = this.#topic(name);
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
      await this.#usable();
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
      this.#keepMapSmall();
      yield { offset: BigInt(offset), bytes };
      offset++;
    }
  }

  truncateBefore(name: string, offset: bigint): Promise<void> {
    return this.#alone(async () => {
      const topic = this.#topic(name);
      // The last block stays: it is the appender's checkpoint. (Promise 1)
      const keep = Math.min(Number(offset), topic.next - 1);
      if (topic.first >= keep) return;
      while (topic.first < keep) {
        await this.#forgetBlocks(topic, Math.min(keep, topic.first + TRUNCATE_STEP));
        await this.#writeAppends();
      }
      // LMDB gives pages freed by one commit out again after the next one. On a full disk only this small one can be that.
      await this.#write((writes) => {
        this.#putRecord(writes, topic, topic);
      });
      this.#keepMapSmall();
    });
  }

  async bytesHeld(name: string): Promise<number> {
    await this.#usable();
    return this.#topic(name).bytes;
  }

  usage(): BusUsage {
    return { usedBytes: this.#usedBytes, maxBytes: this.#maxBytes };
  }

  /** Finishes what is queued, ends readers with an error, and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const topic of this.#topics.values()) wake(topic);
    await this.#pump;
    await this.#store.close();
    await this.#lock[Symbol.asyncDispose]();
  }

  // --- the queue of writes ---

  #alone(job: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    const settle = Promise.withResolvers<undefined>();
    this.#enqueue(async () => {
      try {
        await job();
        settle.resolve(undefined);
      } catch (error) {
        settle.reject(error);
      }
    });
    return settle.promise;
  }

  #enqueue(job: Job): void {
    this.#queue.push(job);
    this.#pump ??= this.#work();
  }

  async #work(): Promise<void> {
    // What is called in the same breath shares the first commit already.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      await this.#writeAppends();
      const job = this.#queue[0];
      if (typeof job !== 'function') continue;
      this.#queue.shift();
      await job();
    }
    this.#pump = undefined;
  }

  /** Commits the appends at the head of the queue, as far as one commit goes. */
  async #writeAppends(): Promise<void> {
    const group: Append[] = [];
    let bytes = 0;
    for (let job = this.#queue[0]; job !== undefined && typeof job !== 'function'; job = this.#queue[0]) {
      if (group.length > 0 && bytes + job.bytes > COMMIT_BYTES) break;
      const refusal = this.#refusal(job, bytes);
      if (refusal) {
        this.#rejectAll(job.topic, refusal);
        continue;
      }
      this.#queue.shift();
      group.push(job);
      bytes += job.bytes;
    }
    if (group.length > 0) await this.#commit(group);
  }

  #refusal({ topic, bytes }: Append, bytesBefore: number): TerraFusionError | undefined {
    if (topic.deleted) return topicMissing(topic.name);
    if (this.#usedBytes + bytesBefore + bytes <= this.#maxBytes || bytes === 0) return undefined;
    return new TerraFusionError(
      'BUS_FULL',
      `The embedded bus holds ${this.#usedBytes} of ${this.#maxBytes} bytes; ${bytes} more for "${topic.name}" do not fit`,
      { details: { topic: topic.name, usedBytes: this.#usedBytes, maxBytes: this.#maxBytes } },
    );
  }

  /** A rejected append takes those behind it along: they would leave a gap that its caller does not know of yet. */
  #rejectAll(topic: Topic, error: TerraFusionError): void {
    const rejected = this.#queue.filter((job) => typeof job !== 'function' && job.topic === topic) as Append[];
    const others = this.#queue.filter((job) => typeof job === 'function' || job.topic !== topic);
    this.#queue.splice(0, this.#queue.length, ...others);
    for (const { settle } of rejected) settle.reject(error);
  }

  async #commit(group: readonly Append[]): Promise<void> {
    const grown = new Map<Topic, { next: number; bytes: number }>();
    const lasts: number[] = [];
    try {
      await this.#write((writes) => {
        for (const { topic, blocks, bytes } of group) {
          const end = grown.get(topic) ?? { next: topic.next, bytes: topic.bytes };
          for (const block of blocks) writes.putBlock(topic.name, end.next++, block);
          end.bytes += bytes;
          grown.set(topic, end);
          lasts.push(end.next - 1);
        }
        for (const [topic, end] of grown) this.#putRecord(writes, topic, end);
      });
    } catch (error) {
      for (const { settle } of group) settle.reject(error);
      for (const { topic } of group) this.#rejectAll(topic, error as TerraFusionError);
      return;
    }
    for (const [topic, { next, bytes }] of grown) {
      this.#usedBytes += bytes - topic.bytes;
      topic.bytes = bytes;
      topic.next = next;
      wake(topic);
    }
    group.forEach(({ settle }, index) => {
      settle.resolve(BigInt(lasts[index]!));
    });
  }

  async #forgetBlocks(topic: Topic, until: number): Promise<void> {
    const from = topic.first;
    let freed = 0;
    for (let offset = from; offset < until; offset++) freed += this.#store.storedSize(topic.name, offset);
    // Readers skip these from now on, so that none looks for a block which the commit is taking away.
    topic.first = until;
    await this.#write((writes) => {
      for (let offset = from; offset < until; offset++) writes.removeBlock(topic.name, offset);
      this.#putRecord(writes, topic, { next: topic.next, bytes: topic.bytes - freed });
    });
    topic.bytes -= freed;
    this.#usedBytes -= freed;
  }

  #putRecord(writes: StoreWrites, topic: Topic, { next, bytes }: { next: number; bytes: number }): void {
    writes.putRecord(topic.name, { deleted: false, first: topic.first, next, bytes });
  }

  async #write(change: (writes: StoreWrites) => void, newTopic?: string): Promise<void> {
    if (this.#failure !== undefined) await this.#lookAgain();
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await this.#store.commit(change, newTopic);
    } catch (error) {
      // Nobody but the disk knows what a failed commit has left.
      await this.#lookAgain();
      throw error;
    }
  }

  /** Opens the files anew and takes over what they say. */
  async #lookAgain(): Promise<void> {
    try {
      await this.#store.reopen();
    } catch (error) {
      this.#failure = error as TerraFusionError;
      this.#log.error({ error }, 'The embedded bus cannot be opened again; the next write tries once more.');
      for (const topic of this.#topics.values()) wake(topic);
      return;
    }
    this.#failure = undefined;
    for (const [name, record] of this.#store.records()) {
      const topic = this.#topics.get(name);
      if (topic === undefined) {
        if (!record.deleted) this.#add(name, record);
        continue;
      }
      this.#usedBytes += record.bytes - topic.bytes;
      Object.assign(topic, { first: record.first, next: record.next, bytes: record.bytes });
      wake(topic);
    }
  }

  /** Gives the memory of pages that were read back to the system, when it has become much. */
  #keepMapSmall(): void {
    if (this.#store.pagedIn < PAGED_IN_LIMIT || this.#recycling || this.#closed) return;
    this.#recycling = true;
    this.#enqueue(async () => {
      await this.#lookAgain();
      this.#recycling = false;
    });
  }

  // --- topics ---

  #add(name: string, { first, next, bytes }: TopicRecord): void {
    this.#topics.set(name, { name, first, next, bytes, deleted: false, waiting: new Set() });
    this.#usedBytes += bytes;
  }

  #forget(topic: Topic): void {
    topic.deleted = true;
    this.#topics.delete(topic.name);
    this.#usedBytes -= topic.bytes;
    wake(topic);
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw topicMissing(name);
    return topic;
  }

  #block(topic: Topic, offset: number): Buffer {
    const block = this.#store.block(topic.name, offset);
    if (block === undefined) {
      throw new TerraFusionError(
        'BLOCK_CORRUPT',
        `Topic "${topic.name}" holds no block at offset ${offset} though it should`,
      );
    }
    return block;
  }

  /** Resolves in the turn in which the files can be read. */
  async #usable(): Promise<void> {
    while (this.#store.reopening !== undefined) await this.#store.reopening;
    if (this.#closed) throw closedError();
    if (this.#failure !== undefined) throw this.#failure;
  }
}

async function lockFolderOf(folder: string): Promise<AsyncDisposable> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${folder} cannot be made`, { cause });
  }
  return await lockFolder(folder, 'bus.lock');
}

/** Resolves when the topic may have more for a reader at its end, or the reader shall end. */
async function grown(topic: Topic, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const woken = (): void => {
      topic.waiting.delete(woken);
      signal.removeEventListener('abort', woken);
      resolve();
    };
    topic.waiting.add(woken);
    signal.addEventListener('abort', woken);
  });
}

function wake(topic: Topic): void {
  for (const woken of [...topic.waiting]) woken();
}

function closedError(): TerraFusionError {
  return new TerraFusionError('BUS_UNREACHABLE', 'The bus is closed');
}
