import { mkdir, open as openFile, statfs } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { open, type Database, type RootDatabase } from 'lmdb';
import { TerraFusionError } from '#schemas/errors.ts';

/** What the meta database keeps of a topic. A deleted topic stays, so that its offsets are never given out twice. */
export interface TopicRecord {
  readonly deleted: boolean;
  /** Offset of the first retained block. */
  readonly first: number;
  /** Offset of the next block. */
  readonly next: number;
  /** Disk taken by the retained blocks; see {@link storedBytes}. */
  readonly bytes: number;
}

/** The writes of one transaction, collected. All of them happen, or none. */
export interface StoreWrites {
  putBlock(topic: string, offset: number, block: Buffer): void;
  removeBlock(topic: string, offset: number): void;
  putRecord(topic: string, record: TopicRecord): void;
  /** Removes the topic's blocks; its record stays to be put. */
  dropTopic(topic: string): void;
}

interface TopicDatabases {
  readonly blocks: Database<Buffer, number>;
  /** Stored size of each block: LMDB tells sizes only by fetching the value, and truncation must not page in what it throws away. */
  readonly sizes: Database<Buffer, number>;
}

const FORMAT = '1';
/** Key of the format among the topics' records: no topic can have this name. */
const FORMAT_KEY = '#format';
const PAGE = 4096;
/** LMDB puts values that fill less than half a page between the keys, larger ones on pages of their own. */
const INLINE_LIMIT = 2000;
/** Node headers, keys and the size entry of one block. */
const ENTRY = 96;
/** Free bytes below which a failed write means a full disk: more than one commit writes. */
const FULL_BELOW = 64 * 2 ** 20;
/** Two databases a topic, and the meta database. */
const MAX_DATABASES = 2 * 1000 + 1;
const blockDatabase = (topic: string): string => `blocks/${topic}`;
const sizeDatabase = (topic: string): string => `sizes/${topic}`;

/** Disk that a block of this many bytes takes, whole pages as LMDB gives them out. */
export function storedBytes(length: number): number {
  return length < INLINE_LIMIT ? length + ENTRY : Math.ceil((length + 16) / PAGE) * PAGE + ENTRY;
}

/**
 * The embedded bus's files: one LMDB environment, per topic one database of blocks by offset and one of their sizes, and a meta database.
 * Knows transactions and pages, nothing of waiting, budgets or order: that is the bus's part. One transaction at a time is its caller's care.
 *
 * Plain LMDB commits, not lmdb-js's default `overlappingSync`: a commit writes pages, syncs them, and then writes the meta page
 * through (O_DSYNC). So visible is durable, a failed sync is a failed commit, and the file is the one that LMDB's crash safety is known for.
 * Measured no slower here than `overlappingSync` with `flushed`, since the bus groups what is queued into one commit anyway.
 */
export class LmdbStore {
  readonly #folder: string;
  readonly #mapBytes: number;
  #root: RootDatabase<Buffer, string>;
  #meta: Database<Buffer, string>;
  #topics = new Map<string, TopicDatabases>();
  #pagedIn = 0;
  #reopening: Promise<void> | undefined;

  /** @throws {TerraFusionError} DATA_FOLDER_UNUSABLE */
  static async open(folder: string, { maxBytes }: { readonly maxBytes: number }): Promise<LmdbStore> {
    try {
      await mkdir(folder, { recursive: true });
      await syncFile(join(folder, 'data.mdb'));
      // Twice the budget, since copy-on-write and scattered free pages make the file larger than what it holds. Only address space.
      return new LmdbStore(folder, Math.max(2 ** 30, 2 * maxBytes));
    } catch (cause) {
      if (cause instanceof TerraFusionError) throw cause;
      throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `The embedded bus in ${folder} cannot be opened`, { cause });
    }
  }

  private constructor(folder: string, mapBytes: number) {
    this.#folder = folder;
    this.#mapBytes = mapBytes;
    [this.#root, this.#meta] = this.#openEnvironment();
    const format = this.#meta.getBinary(FORMAT_KEY)?.toString();
    if (format === undefined) this.#meta.putSync(FORMAT_KEY, Buffer.from(FORMAT));
    else if (format !== FORMAT) {
      throw new TerraFusionError(
        'DATA_FOLDER_UNUSABLE',
        `The embedded bus in ${folder} has format ${format}; this version writes format ${FORMAT}`,
      );
    }
    this.#openTopics();
  }

  /** Bytes read through the memory map since it was made. They stay in the process's resident size until {@link reopen}. */
  get pagedIn(): number {
    return this.#pagedIn;
  }

  /** Set while the files are closed for a moment: who wants to read awaits it first. */
  get reopening(): Promise<void> | undefined {
    return this.#reopening;
  }

  /** All topics ever made, deleted ones too. */
  records(): Map<string, TopicRecord> {
    const records = new Map<string, TopicRecord>();
    for (const topic of this.#meta.getKeys()) {
      if (topic !== FORMAT_KEY) records.set(topic, this.record(topic)!);
    }
    return records;
  }

  record(topic: string): TopicRecord | undefined {
    const stored = this.#meta.getBinary(topic);
    return stored === undefined ? undefined : (JSON.parse(stored.toString()) as TopicRecord);
  }

  /** A copy: LMDB's own bytes live only as long as the read transaction. Not while {@link reopening}. */
  block(topic: string, offset: number): Buffer | undefined {
    try {
      const block = this.#topics.get(topic)?.blocks.getBinary(offset);
      this.#pagedIn += block === undefined ? 0 : storedBytes(block.length);
      return block;
    } catch (cause) {
      throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `The embedded bus in ${this.#folder} cannot be read`, {
        cause,
      });
    }
  }

  /** What the block takes on disk; 0 when there is none. */
  storedSize(topic: string, offset: number): number {
    return this.#topics.get(topic)?.sizes.getBinary(offset)?.readUInt32LE(0) ?? 0;
  }

  /**
   * Resolves when the writes are on disk. When it rejects, all or nothing of them is: {@link reopen} and look.
   * `newTopic` is made room for first.
   * @throws {TerraFusionError} BUS_FULL when the disk is full; DATA_FOLDER_UNUSABLE
   */
  async commit(change: (writes: StoreWrites) => void, newTopic?: string): Promise<void> {
    const dropped: string[] = [];
    const databases = (topic: string): TopicDatabases => this.#topics.get(topic)!;
    try {
      // A transaction of its own; should the rest fail, the empty databases wait for the next attempt.
      if (newTopic !== undefined) this.#openTopic(newTopic);
      // What is put inside of `batch` is one transaction. A put that threw would leave the ones before it in: none of these can.
      await this.#root.batch(() => {
        change({
          putBlock: (topic, offset, block) => {
            const { blocks, sizes } = databases(topic);
            const size = Buffer.allocUnsafe(4);
            size.writeUInt32LE(storedBytes(block.length));
            void blocks.put(offset, block);
            void sizes.put(offset, size);
          },
          removeBlock: (topic, offset) => {
            const { blocks, sizes } = databases(topic);
            void blocks.remove(offset);
            void sizes.remove(offset);
            // Removing looks at the block's first page, and the system maps its neighbours along.
            this.#pagedIn += 16 * PAGE;
          },
          putRecord: (topic, record) => void this.#meta.put(topic, Buffer.from(JSON.stringify(record))),
          dropTopic: (topic) => {
            const { blocks, sizes } = databases(topic);
            void blocks.drop();
            void sizes.drop();
            dropped.push(topic);
          },
        });
      });
    } catch (error) {
      const cause = await commitError(error);
      if (await isDiskFull(this.#folder, cause)) {
        throw new TerraFusionError('BUS_FULL', `The disk of ${this.#folder} is full`, { cause });
      }
      throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `The embedded bus in ${this.#folder} cannot be written`, {
        cause,
      });
    }
    for (const topic of dropped) this.#topics.delete(topic);
  }

  /**
   * Closes the files and opens them again, about 1 ms: the only way to give back the memory of mapped pages,
   * and the way to learn what is stored after a commit failed. Not while a commit is under way.
   */
  async reopen(): Promise<void> {
    const reopened = Promise.withResolvers<undefined>();
    this.#reopening = reopened.promise;
    try {
      await this.#root.close();
      this.#pagedIn = 0;
      [this.#root, this.#meta] = this.#openEnvironment();
      this.#openTopics();
    } catch (cause) {
      throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `The embedded bus in ${this.#folder} cannot be opened`, {
        cause,
      });
    } finally {
      this.#reopening = undefined;
      reopened.resolve(undefined);
    }
  }

  async close(): Promise<void> {
    await this.#reopening;
    this.#topics.clear();
    await this.#root.close();
  }

  #openEnvironment(): [RootDatabase<Buffer, string>, Database<Buffer, string>] {
    const root = open<Buffer, string>({
      path: this.#folder,
      maxDbs: MAX_DATABASES,
      mapSize: this.#mapBytes,
      overlappingSync: false,
      // The bus says itself what belongs into one transaction, with `batch`; lmdb-js need not wait for the end of the event's turn.
      eventTurnBatching: false,
      ...plain,
    });
    return [root, root.openDB<Buffer, string>({ name: 'meta', ...plain })];
  }

  #openTopic(topic: string): void {
    if (this.#topics.has(topic)) return;
    const blocks = this.#root.openDB<Buffer, number>({ name: blockDatabase(topic), ...plain });
    const sizes = this.#root.openDB<Buffer, number>({ name: sizeDatabase(topic), ...plain });
    this.#topics.set(topic, { blocks, sizes });
  }

  #openTopics(): void {
    this.#topics = new Map();
    for (const [topic, { deleted }] of this.records()) {
      if (!deleted) this.#openTopic(topic);
    }
  }
}

const plain = { encoding: 'binary', compression: false } as const;

/** lmdb-js rejects with a general error and gives the reason in a promise of its own, which nobody would otherwise catch. */
async function commitError(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<unknown> }).commitError;
  if (reason === undefined) return error;
  try {
    // It settles in the same turn; should it not, the general error has to do.
    await Promise.race([reason, delay(1000, undefined, { ref: false })]);
    return error;
  } catch (cause) {
    return cause;
  }
}

/** LMDB calls a write that ran into the end of the disk an input/output error; the free space tells what it was. */
async function isDiskFull(folder: string, error: unknown): Promise<boolean> {
  const { code } = error as { code?: unknown };
  if (code === constants.errno.ENOSPC || code === constants.errno.EDQUOT) return true;
  if (code !== constants.errno.EIO) return false;
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < FULL_BELOW;
}

/**
 * What a process that was killed had written but not yet synced is visible to us and could still vanish with the power:
 * before we call it durable, it is. (Promise 1)
 */
async function syncFile(file: string): Promise<void> {
  try {
    await using handle = await openFile(file, 'r+');
    await handle.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
