import type { TopicRecord } from './lmdb-store.ts';
import { topicMissing } from './topic-name.ts';

/** What the process knows of a topic: the same as the disk, from the moment that a commit is on it. */
export interface Topic {
  readonly name: string;
  first: number;
  /** Offset after the last durable block: what readers see ends here. */
  next: number;
  bytes: number;
  deleted: boolean;
  /** Readers at the end, to be woken. */
  readonly waiting: Set<() => void>;
}

/** The topics of the embedded bus, and what they take together. */
export class LmdbTopics {
  readonly #topics = new Map<string, Topic>();
  #usedBytes = 0;

  constructor(records: ReadonlyMap<string, TopicRecord>) {
    this.takeOver(records);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get names(): string[] {
    return [...this.#topics.keys()];
  }

  find(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  /** @throws {TerraFusionError} BUS_TOPIC_MISSING */
  get(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw topicMissing(name);
    return topic;
  }

  add(name: string, { first, next, bytes }: TopicRecord): void {
    this.#topics.set(name, { name, first, next, bytes, deleted: false, waiting: new Set() });
    this.#usedBytes += bytes;
  }

  /** Takes it out and tells its readers. */
  remove(topic: Topic): void {
    topic.deleted = true;
    this.#topics.delete(topic.name);
    this.#usedBytes -= topic.bytes;
    wake(topic);
  }

  /** Takes over what is on disk now, and wakes readers for which that is more. */
  update(topic: Topic, { first, next, bytes }: Pick<TopicRecord, 'first' | 'next' | 'bytes'>): void {
    this.#usedBytes += bytes - topic.bytes;
    Object.assign(topic, { first, next, bytes });
    wake(topic);
  }

  /** Takes over all that the disk says. */
  takeOver(records: ReadonlyMap<string, TopicRecord>): void {
    for (const [name, record] of records) {
      const topic = this.#topics.get(name);
      if (topic !== undefined) this.update(topic, record);
      else if (!record.deleted) this.add(name, record);
    }
  }

  /** Wakes all readers, so that they see what has become of the bus. */
  wakeAll(): void {
    for (const topic of this.#topics.values()) wake(topic);
  }
}

/** Resolves when the topic may have more for a reader at its end, or the reader shall end. */
export async function grown(topic: Topic, signal: AbortSignal): Promise<void> {
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
