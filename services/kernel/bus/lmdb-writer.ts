import { TerraFusionError } from '#schemas/errors.ts';
import type { Log } from '../log.ts';
import { storedBytes, type LmdbStore, type StoreWrites } from './lmdb-store.ts';
import type { LmdbTopics, Topic } from './lmdb-topics.ts';
import type { RecentBlocks } from './recent-blocks.ts';
import { topicMissing } from './topic-name.ts';

export interface WriterLimits {
  /** Disk that all topics together may use, in bytes. */
  readonly maxBytes: number;
  /** Pages read through the memory map before it is made anew, in bytes: the resident size that reading may cost. */
  readonly pagedInLimit: number;
}

/** Blocks that one commit takes at most, in bytes: what waits shares one sync, and nobody waits long for a large one. */
const COMMIT_BYTES = 16 * 2 ** 20;
/** Blocks that one commit forgets at most, so that appends get their turn between. */
const TRUNCATE_STEP = 1000;

interface Append {
  readonly topic: Topic;
  readonly blocks: readonly Buffer[];
  readonly bytes: number;
  readonly settle: PromiseWithResolvers<bigint>;
}

/** What waits for its turn to write: an append, or something that wants the files for itself. */
type Job = Append | (() => Promise<void>);

/**
 * All writing to the store, one thing after the other. Appends that are queued when a commit ends go into the next one
 * together, so that those to all topics share its sync; their order is the queue's.
 */
export class LmdbWriter {
  readonly #store: LmdbStore;
  readonly #topics: LmdbTopics;
  readonly #recent: RecentBlocks;
  readonly #limits: WriterLimits;
  readonly #log: Log;
  readonly #queue: Job[] = [];
  #pump: Promise<void> | undefined;
  #recycling = false;
  #failure: TerraFusionError | undefined;

  constructor(store: LmdbStore, topics: LmdbTopics, recent: RecentBlocks, limits: WriterLimits, log: Log) {
    this.#store = store;
    this.#topics = topics;
    this.#recent = recent;
    this.#limits = limits;
    this.#log = log;
  }

  /** Why the files cannot be used at present, if so. The next write tries to open them again. */
  get failure(): TerraFusionError | undefined {
    return this.#failure;
  }

  append(topic: Topic, blocks: readonly Buffer[]): Promise<bigint> {
    const bytes = blocks.reduce((sum, block) => sum + storedBytes(block.length), 0);
    const settle = Promise.withResolvers<bigint>();
    this.#enqueue({ topic, blocks, bytes, settle });
    return settle.promise;
  }

  create(name: string): Promise<void> {
    return this.#alone(async () => {
      if (this.#topics.find(name) !== undefined) return;
      // Made again after a deletion it goes on counting: an offset that somebody still holds must not come back with other content.
      const next = this.#store.record(name)?.next ?? 0;
      const record = { deleted: false, first: next, next, bytes: 0 };
      await this.#write((writes) => {
        writes.putRecord(name, record);
      }, name);
      this.#topics.add(name, record);
    });
  }

  delete(name: string): Promise<void> {
    return this.#alone(async () => {
      const topic = this.#topics.find(name);
      if (topic === undefined) return;
      this.#topics.remove(topic);
      this.#recent.forget(name);
      await this.#write((writes) => {
        writes.dropTopic(name);
        writes.putRecord(name, { deleted: true, first: topic.next, next: topic.next, bytes: 0 });
      });
    });
  }

  truncate(name: string, offset: bigint): Promise<void> {
    return this.#alone(async () => {
      const topic = this.#topics.get(name);
      // The last block stays: it is the appender's checkpoint. (Promise 1)
      const keep = Math.min(Number(offset), topic.next - 1);
      if (topic.first >= keep) return;
      while (topic.first < keep) {
        await this.#forgetBlocks(topic, Math.min(keep, topic.first + TRUNCATE_STEP));
        if (this.#store.pagedIn >= this.#limits.pagedInLimit) await this.#lookAgain();
        await this.#writeAppends();
      }
      // LMDB gives pages freed by one commit out again after the next one. On a full disk only this small one can be that.
      await this.#write((writes) => {
        this.#putRecord(writes, topic, topic);
      });
    });
  }

  /** Gives the memory of pages that were read back to the system, when it has become much. */
  keepMapSmall(): void {
    if (this.#store.pagedIn < this.#limits.pagedInLimit || this.#recycling) return;
    this.#recycling = true;
    this.#enqueue(async () => {
      await this.#lookAgain();
      this.#recycling = false;
    });
  }

  /** Resolves when nothing is queued. */
  async idle(): Promise<void> {
    await this.#pump;
  }

  #alone(job: () => Promise<void>): Promise<void> {
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
    const { usedBytes } = this.#topics;
    const { maxBytes } = this.#limits;
    if (usedBytes + bytesBefore + bytes <= maxBytes || bytes === 0) return undefined;
    return new TerraFusionError(
      'BUS_FULL',
      `The embedded bus holds ${usedBytes} of ${maxBytes} bytes; ${bytes} more for "${topic.name}" do not fit`,
      { details: { topic: topic.name, usedBytes, maxBytes } },
    );
  }

  /** A rejected append takes those behind it along: they would leave a gap that their caller does not know of yet. */
  #rejectAll(topic: Topic, error: TerraFusionError): void {
    const rejected = this.#queue.filter((job) => typeof job !== 'function' && job.topic === topic) as Append[];
    const others = this.#queue.filter((job) => typeof job === 'function' || job.topic !== topic);
    this.#queue.splice(0, this.#queue.length, ...others);
    for (const { settle } of rejected) settle.reject(error);
  }

  async #commit(group: readonly Append[]): Promise<void> {
    const ends = new Map<Topic, { next: number; bytes: number }>();
    const lasts: number[] = [];
    try {
      await this.#write((writes) => {
        for (const { topic, blocks, bytes } of group) {
          const end = ends.get(topic) ?? { next: topic.next, bytes: topic.bytes };
          for (const block of blocks) writes.putBlock(topic.name, end.next++, block);
          end.bytes += bytes;
          ends.set(topic, end);
          lasts.push(end.next - 1);
        }
        for (const [topic, end] of ends) this.#putRecord(writes, topic, end);
      });
    } catch (error) {
      for (const { settle } of group) settle.reject(error);
      for (const { topic } of group) this.#rejectAll(topic, error as TerraFusionError);
      return;
    }
    for (const [index, { topic, blocks }] of group.entries()) {
      const first = lasts[index]! + 1 - blocks.length;
      for (const [at, block] of blocks.entries()) this.#recent.add(topic.name, first + at, block);
    }
    for (const [topic, end] of ends) this.#topics.update(topic, { first: topic.first, ...end });
    group.forEach(({ settle }, index) => {
      settle.resolve(BigInt(lasts[index]!));
    });
  }

  async #forgetBlocks(topic: Topic, until: number): Promise<void> {
    const { first: from, next, bytes } = topic;
    let freed = 0;
    for (let offset = from; offset < until; offset++) freed += this.#store.storedSize(topic.name, offset);
    // Readers skip these from now on, so that none looks for a block which the commit is taking away.
    topic.first = until;
    const record = { next, bytes: bytes - freed };
    await this.#write((writes) => {
      for (let offset = from; offset < until; offset++) writes.removeBlock(topic.name, offset);
      this.#putRecord(writes, topic, record);
    });
    this.#topics.update(topic, { first: until, ...record });
  }

  #putRecord(writes: StoreWrites, { name, first }: Topic, { next, bytes }: { next: number; bytes: number }): void {
    writes.putRecord(name, { deleted: false, first, next, bytes });
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
      this.#topics.wakeAll();
      return;
    }
    this.#failure = undefined;
    this.#topics.takeOver(this.#store.records());
  }
}
