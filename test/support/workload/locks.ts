import type { WorkloadTable } from './tables.ts';

/** Keys of a table are taken in buckets: a transaction holds all of a bucket or nothing. */
export const BUCKETS = 10;
export const KEYS_PER_BUCKET = 12;

/** Which session's open transaction may touch which keys, so that no statement ever waits for another session. */
export class Locks {
  /** Session by "table/bucket". */
  readonly #holders = new Map<string, number>();

  forSession(session: number): SessionLocks {
    return {
      bucket: (table, wanted) => {
        for (let step = 0; step < BUCKETS; step += 1) {
          const bucket = (wanted + step) % BUCKETS;
          const key = `${table.name}/${bucket}`;
          const holder = this.#holders.get(key);
          if (holder !== undefined && holder !== session) continue;
          this.#holders.set(key, session);
          return bucket;
        }
        return undefined;
      },
      whole: (table) => {
        const keys = Array.from({ length: BUCKETS }, (_, bucket) => `${table.name}/${bucket}`);
        if (keys.some((key) => (this.#holders.get(key) ?? session) !== session)) return false;
        for (const key of keys) this.#holders.set(key, session);
        return true;
      },
      release: () => {
        for (const [key, holder] of this.#holders) if (holder === session) this.#holders.delete(key);
      },
    };
  }
}

export interface SessionLocks {
  /** Takes the wanted bucket or the next one that is free; undefined when others hold them all. */
  bucket(table: WorkloadTable, wanted: number): number | undefined;
  /** Takes the whole table; false when others hold some of it. */
  whole(table: WorkloadTable): boolean;
  /** The transaction is over. */
  release(): void;
}
