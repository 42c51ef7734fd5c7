import { afterAll, inject } from 'vitest';
import { createDatabase, type TestDatabase } from './database.ts';

/**
 * A fresh database in the project's shared cluster, dropped after the file.
 * Tests that restart, kill or block a server start one of their own, see postgres.ts.
 */
export async function freshDatabase(end: 'source' | 'target'): Promise<TestDatabase> {
  const database = await createDatabase(inject(end === 'source' ? 'sourceServer' : 'targetServer'), end);
  made.push(database);
  return database;
}

const made: TestDatabase[] = [];

afterAll(async () => {
  for (const database of made.splice(0)) await database.drop();
});
