import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import { migrate, openDatabase, type Database } from '#services/kernel/database/index.ts';
import { openEmbeddedPostgres, type EmbeddedPostgres } from '#services/kernel/embedded-postgres.ts';
import { silentLog } from '#services/kernel/log.ts';

export const migrations = fileURLToPath(new URL('../../../../infra/migrations', import.meta.url));

/** A server for this test file, and a control database on it. Gone afterwards. */
export function withControlDatabase({ migrated = true }: { migrated?: boolean } = {}): {
  readonly server: EmbeddedPostgres;
  readonly database: Database;
} {
  const state: { server?: EmbeddedPostgres; database?: Database; folder?: string } = {};
  beforeAll(async () => {
    state.folder = await mkdtemp(join(tmpdir(), 'terrafusion-control-'));
    state.server = await openEmbeddedPostgres({
      folder: state.folder,
      user: 'tester',
      password: new Secret('secret'),
      log: silentLog,
      settings: { fsync: 'off' },
    });
    const url = await state.server.ensureDatabase('control');
    state.database = await openDatabase({ url }, { name: 'test', log: silentLog });
    if (migrated) await migrate(state.database, migrations);
  }, 60_000);
  afterAll(async () => {
    await state.database?.[Symbol.asyncDispose]();
    await state.server?.stop();
    if (state.folder !== undefined) await rm(state.folder, { recursive: true, force: true });
  }, 60_000);
  return {
    get server() {
      return state.server!;
    },
    get database() {
      return state.database!;
    },
  };
}
