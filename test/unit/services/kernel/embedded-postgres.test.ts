import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import {
  openEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '#services/kernel/embedded-postgres.ts';
import { silentLog } from '#services/kernel/log.ts';

const password = "it's a p@ss/word";
const module = (path: string) => JSON.stringify(new URL(`../../../../${path}`, import.meta.url).href);

let parent: string;
let folder: string;
const opened: EmbeddedPostgres[] = [];

beforeEach(async () => {
  // Only its owner may pass a folder of mkdtemp: run as root, PostgreSQL's user has to be let through.
  parent = await mkdtemp(join(tmpdir(), 'terrafusion-postgres-'));
  folder = join(parent, 'postgres');
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.stop()));
  await rm(parent, { recursive: true, force: true });
});

async function open(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const settings = { fsync: 'off', ...options.settings };
  const server = await openEmbeddedPostgres({
    folder,
    user: 'tester',
    password: new Secret(password),
    log: silentLog,
    ...options,
    settings,
  });
  opened.push(server);
  return server;
}

async function ask<T>(server: EmbeddedPostgres, sql: string): Promise<T | undefined> {
  const client = new pg.Client({ connectionString: server.url.reveal() });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ value: T }>(sql);
    return rows[0]?.value;
  } finally {
    await client.end();
  }
}

/** Opens the cluster in a process of its own, which is then killed: the server is left an orphan. */
async function leaveOrphan(): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { openEmbeddedPostgres } = await import(${module('services/kernel/embedded-postgres.ts')});
       const { silentLog } = await import(${module('services/kernel/log.ts')});
       const { Secret } = await import(${module('schemas/secret.ts')});
       await openEmbeddedPostgres({ folder: ${JSON.stringify(folder)}, user: 'tester', password: new Secret(${JSON.stringify(password)}),
         log: silentLog, settings: { fsync: 'off' } });
       process.kill(process.pid, 'SIGKILL');`,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
}

describe('an embedded PostgreSQL', { timeout: 60_000 }, () => {
  test('is made, has the settings and the locale wanted, and keeps data and port over a restart', async () => {
    const first = await open({ settings: { wal_level: 'logical', application_name: "it's" } });
    expect(first.adopted).toBe(false);
    expect(
      await ask(first, `SELECT current_setting('wal_level') || current_setting('application_name') AS value`),
    ).toBe("logicalit's");
    expect(
      await ask(
        first,
        `SELECT datcollate || pg_encoding_to_char(encoding) AS value FROM pg_database WHERE datname = 'template1'`,
      ),
    ).toMatch(/^C(\.UTF-8)?UTF8$/);
    expect(
      await ask(first, `SELECT (rolpassword LIKE 'SCRAM%') AS value FROM pg_authid WHERE rolname = 'tester'`),
    ).toBe(true);
    await ask(first, 'CREATE TABLE kept AS SELECT 1 AS value');
    await first.stop();
    await first.stop();
    await first.exited;
    const second = await open();
    expect(second.port).toBe(first.port);
    expect(await ask(second, 'SELECT value FROM kept')).toBe(1);
    expect(await ask(second, `SELECT current_setting('wal_level') AS value`)).toBe('replica');
  });

  test('works in a folder that everybody may pass', async () => {
    await chmod(parent, 0o755);
    expect(await ask(await open(), 'SELECT 1 AS value')).toBe(1);
  });

  test('makes databases, also when asked twice at once', async () => {
    const server = await open();
    const [url] = await Promise.all([server.ensureDatabase('County "A"'), server.ensureDatabase('County "A"')]);
    await server.ensureDatabase('County "A"');
    expect(url.reveal()).toContain('/County%20%22A%22');
    expect(await ask(server, `SELECT count(*)::int AS value FROM pg_database WHERE datname = 'County "A"'`)).toBe(1);
  });

  test('is taken over when its launcher was killed', async () => {
    await leaveOrphan();
    const server = await open();
    expect(server.adopted).toBe(true);
    expect(await ask(server, 'SELECT 1 AS value')).toBe(1);
    await server.stop();
    await server.exited;
    await expect(ask(server, 'SELECT 1 AS value')).rejects.toThrow();
  });

  test('is started anew when its launcher was killed and other settings are wanted', async () => {
    await leaveOrphan();
    const server = await open({ settings: { wal_level: 'logical' } });
    expect(server.adopted).toBe(false);
    expect(await ask(server, `SELECT current_setting('wal_level') AS value`)).toBe('logical');
  });

  test('recovers after the server itself was killed in the middle of work', async () => {
    const server = await open();
    await ask(server, 'CREATE TABLE kept AS SELECT 1 AS value');
    const busy = ask(server, 'SELECT pg_sleep(60)').catch(() => 'cut off');
    await expect
      .poll(() => ask(server, `SELECT count(*)::int AS value FROM pg_stat_activity WHERE wait_event = 'PgSleep'`), {
        timeout: 10_000,
      })
      .toBe(1);
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    await server.stop();
    const again = await open();
    expect(await ask(again, 'SELECT value FROM kept')).toBe(1);
    expect(await busy).toBe('cut off');
  });

  test('is not misled by a postmaster.pid whose number belongs to somebody else', async () => {
    await (await open()).stop();
    await writeFile(
      join(folder, 'cluster/postmaster.pid'),
      `${process.pid}\n${folder}/cluster\n1\n5432\n\n127.0.0.1\n\nready\n`,
    );
    expect(await ask(await open(), 'SELECT 1 AS value')).toBe(1);
  });

  test('begins again where a launcher was killed while making the cluster', async () => {
    await mkdir(join(folder, 'cluster.initialising-0badcafe/base'), { recursive: true });
    await writeFile(join(folder, 'cluster.initialising-password'), 'x');
    await open();
    expect((await readdir(folder)).filter((name) => name.includes('initialising'))).toEqual([]);
  });

  test('is not opened twice', async () => {
    await open();
    await expect(open()).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
      message: expect.stringContaining(String(process.pid)) as string,
    });
  });

  test('tells of a port in use; and takes another one when the choice is its own', async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const { port } = taken.address() as { port: number };
    try {
      await expect(open({ port })).rejects.toMatchObject({ code: 'PORT_IN_USE', details: { port } });
      const file = join(folder, 'cluster/terrafusion.conf');
      await writeFile(file, `port = '${port}'\n`);
      const server = await open();
      expect(server.port).not.toBe(port);
      expect(await readFile(file, 'utf8')).toContain(`port = '${server.port}'`);
    } finally {
      taken.close();
    }
  });

  test('a wrong password and a wrong setting are told clearly, and leave no server behind', async () => {
    await (await open()).stop();
    const wrong = open({ password: new Secret('wrong') });
    await expect(wrong).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
      message: expect.stringContaining('password') as string,
    });
    await expect(wrong).rejects.not.toMatchObject({ message: expect.stringContaining('wrong') as string });
    await expect(open({ settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
      message: expect.stringContaining('shared_buffers') as string,
    });
    expect(await readdir(join(folder, 'cluster'))).not.toContain('postmaster.pid');
  });

  test('a broken folder is told clearly', async () => {
    await writeFile(folder, 'a file');
    await expect(open()).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
    await rm(folder);
    await mkdir(join(folder, 'cluster'), { recursive: true });
    await expect(open()).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
      message: expect.stringContaining('no complete') as string,
    });
    await mkdir(join(folder, 'cluster/global'));
    await writeFile(join(folder, 'cluster/global/pg_control'), '');
    await writeFile(join(folder, 'cluster/PG_VERSION'), '9\n');
    await expect(open()).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
      message: expect.stringContaining('PostgreSQL 9') as string,
    });
  });
});
