import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, stat, chown, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, endClient } from '#connectors/postgres/connection.ts';
import { postgresSettings, type PostgresSettings } from '#connectors/postgres/settings.ts';
import { eventually } from '#test/support/eventually.ts';
import { startPostgres, type TestDatabase, type TestPostgres } from '#test/support/postgres.ts';
import { contextOf, dataOf, readUntil, TestStream } from './postgres-source-fixture.ts';

const openssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('over TLS', () => {
  let folder: string;
  let server: TestPostgres;
  let database: TestDatabase;

  beforeAll(async () => {
    if (!openssl) return;
    folder = await mkdtemp(join(tmpdir(), 'terrafusion-tls-'));
    const [key, certificate] = [join(folder, 'server.key'), join(folder, 'server.crt')];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'].concat([
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        certificate,
      ]),
      { stdio: 'ignore' },
    );
    server = await startPostgres({ settings: { fsync: false } });
    // Whoever the server runs as owns its folder.
    const { uid, gid } = await stat(join(server.folder, 'data'));
    await chmod(folder, 0o755);
    await chmod(key, 0o600);
    await chown(key, uid, gid);
    await server.restart({ ssl: true, ssl_key_file: key, ssl_cert_file: certificate });
    database = await server.createDatabase('source');
  });
  afterAll(async () => {
    if (!openssl) return;
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Whether the session is encrypted. */
  async function encrypted(others: Partial<PostgresSettings>): Promise<boolean> {
    const client = await connect(postgresSettings.parse({ url: database.url, ...others }), contextOf(), {
      role: 'source',
    });
    const { rows } = await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    await endClient(client);
    return rows[0]!.ssl;
  }

  test('each mode checks what it says', async ({ skip }) => {
    skip(!openssl, 'there is no openssl here to make a certificate with');
    const ca = { ssl_ca_file: join(folder, 'server.crt') };
    expect(await encrypted({ ssl_mode: 'disable' })).toBe(false);
    expect(await encrypted({})).toBe(true);
    expect(await encrypted({ ssl_mode: 'require' })).toBe(true);
    expect(await encrypted({ ssl_mode: 'verify-ca', ...ca })).toBe(true);
    expect(await encrypted({ ssl_mode: 'verify-full', ...ca })).toBe(true);
    await expect(encrypted({ ssl_mode: 'verify-ca' })).rejects.toMatchObject({ code: 'SOURCE_LOGIN_FAILED' });
    const byName = database.url.replace('127.0.0.1', 'localhost');
    expect(await encrypted({ url: byName, ssl_mode: 'verify-ca', ...ca })).toBe(true);
    await expect(encrypted({ url: byName, ssl_mode: 'verify-full', ...ca })).rejects.toMatchObject({
      code: 'SOURCE_LOGIN_FAILED',
    });
    await expect(encrypted({ ssl_mode: 'require', ssl_ca_file: join(folder, 'none') })).rejects.toMatchObject({
      code: 'SOURCE_LOGIN_FAILED',
      message: expect.stringContaining('ssl_ca_file') as string,
    });
  });

  test('the stream, its back-pressure and its clean end', async ({ skip }) => {
    skip(!openssl, 'there is no openssl here to make a certificate with');
    await database.query('CREATE TABLE secured (id int PRIMARY KEY, v text)');
    const stream = await TestStream.create(database, ['secured'], { bufferBytes: 100_000 });
    const reader = await stream.open(undefined);
    await database.query(`INSERT INTO secured SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g`);
    await eventually(() => reader.status().bufferedBytes >= 100_000);
    expect(dataOf(await readUntil(reader, await stream.mark()))).toHaveLength(20_000);
    expect(
      await database.value<boolean>('SELECT bool_and(ssl) FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)'),
    ).toBe(true);
    await reader[Symbol.asyncDispose]();
    expect((await stream.source.slotStatus(stream.identity.slot, contextOf())).active).toBe(false);
  });

  test('a password in a file, read anew at each connect', async ({ skip }) => {
    skip(!openssl, 'there is no openssl here to make a certificate with');
    await database.query(`CREATE ROLE rotating LOGIN PASSWORD 'first'`);
    const url = server.url(database.name, { user: 'rotating' });
    const file = { url, password_file: join(folder, 'password') };
    await writeFile(file.password_file, 'first\n');
    expect(await encrypted(file)).toBe(true);
    await database.query(`ALTER ROLE rotating PASSWORD 'second'`);
    await expect(encrypted(file)).rejects.toMatchObject({ code: 'SOURCE_LOGIN_FAILED' });
    await writeFile(file.password_file, 'second');
    expect(await encrypted(file)).toBe(true);
    await rm(file.password_file);
    await expect(encrypted(file)).rejects.toMatchObject({ code: 'SOURCE_LOGIN_FAILED' });
  });
});
