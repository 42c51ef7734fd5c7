import { afterAll, inject } from 'vitest';
import type { PostgresBinaries } from '#services/kernel/embedded-postgres/binaries.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { FAST } from './shared-servers.ts';
import { openInstallation, type Installation, type InstallationOptions } from './installation.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';

/**
 * A fresh database in the project's shared cluster, dropped after the file.
 * Tests that restart, kill or block a server start one of their own, see postgres.ts.
 */
export async function freshDatabase(end: 'source' | 'target', encoding?: string): Promise<TestDatabase> {
  const database = await createDatabase(inject(end === 'source' ? 'sourceServer' : 'targetServer'), end, encoding);
  made.push(database);
  return database;
}

/**
 * The only database of a cluster of its own, for tests that keep transactions open all the time: making a slot or a snapshot waits for
 * every transaction of a cluster, other tests' too.
 */
export async function loneSource(binaries?: PostgresBinaries): Promise<TestDatabase> {
  return (await loneServer(binaries)).createDatabase('source');
}

/** A cluster of its own, ended after the file; of another major version when its binaries are given (versions.ts). */
export async function loneServer(binaries?: PostgresBinaries): Promise<TestPostgres> {
  const server = await startPostgres({ settings: FAST, ...(binaries && { binaries }) });
  servers.push(server);
  return server;
}

/** An installation whose control database is in the project's shared cluster; closed after the file, before the databases go. */
export async function freshInstallation(options: Partial<InstallationOptions> = {}): Promise<Installation> {
  const installation = await openInstallation({ server: inject('targetServer'), ...options });
  installations.push(installation);
  return installation;
}

const servers: TestPostgres[] = [];
const made: TestDatabase[] = [];
const installations: Installation[] = [];

afterAll(async () => {
  for (const installation of installations.splice(0)) await installation.close();
  for (const database of made.splice(0)) await database.drop();
  for (const server of servers.splice(0)) await server.stop();
});
