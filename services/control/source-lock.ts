import type { Database } from '#services/kernel/database/index.ts';

/** First part of the advisory locks' keys, so that they meet nobody else's. */
const SOURCE_LOCK = 0x74665372;

/** Runs `work` while no other process is in a section of the same source: what is made, dropped and noted there fits together. */
export async function lockSource<T>(database: Database, sourceId: string, work: () => Promise<T>): Promise<T> {
  return await database.session(async (session) => {
    await session.query('SELECT pg_advisory_lock($1, hashtext($2))', [SOURCE_LOCK, sourceId]);
    try {
      return await work();
    } finally {
      await session.query('SELECT pg_advisory_unlock($1, hashtext($2))', [SOURCE_LOCK, sourceId]);
    }
  });
}
