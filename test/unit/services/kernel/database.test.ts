import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { isUniqueViolation, migrate, openDatabase, type Database } from '#services/kernel/database/index.ts';
import { silentLog } from '#services/kernel/log.ts';
import { migrations, withControlDatabase } from './control-database.ts';

const control = withControlDatabase({ migrated: false });

async function freshDatabase(name: string): Promise<Database> {
  return await openDatabase({ url: await control.server.ensureDatabase(name) }, { name: 'test', log: silentLog });
}

describe('the control database', () => {
  test('gives rows, the first row, and the number of rows touched; int8 is exact', async () => {
    const { database } = control;
    expect(await database.query('SELECT n FROM generate_series(1, $1::int) AS n', [2])).toEqual([{ n: 1 }, { n: 2 }]);
    expect(
      await database.one('SELECT 9223372036854775807 AS big, 0.10::numeric AS n, $1::jsonb AS j', [
        { a: [1n.toString()] },
      ]),
    ).toEqual({
      big: 9_223_372_036_854_775_807n,
      n: '0.10',
      j: { a: ['1'] },
    });
    expect(await database.one('SELECT 1 WHERE false')).toBeUndefined();
    await database.run('CREATE TABLE touched (id bigint PRIMARY KEY)');
    expect(await database.run('INSERT INTO touched SELECT generate_series(1, 5)')).toBe(5);
    expect(await database.query<{ id: bigint }>('SELECT id FROM touched WHERE id = $1', [3n])).toEqual([{ id: 3n }]);
  });

  test('a transaction is committed whole or rolled back whole', async () => {
    const { database } = control;
    await database.run('CREATE TABLE tx (id int PRIMARY KEY)');
    const count = async () => (await database.one<{ n: number }>('SELECT count(*)::int AS n FROM tx'))?.n;
    expect(
      await database.transaction(async (tx) => {
        await tx.run('INSERT INTO tx VALUES (1)');
        return 'result';
      }),
    ).toBe('result');
    await expect(
      database.transaction(async (tx) => {
        await tx.run('INSERT INTO tx VALUES (2)');
        throw new TerraFusionError('NOT_FOUND', 'changed my mind');
      }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const swallowed = database.transaction(async (tx) => {
      await tx.run('INSERT INTO tx VALUES (3)');
      await tx.run('INSERT INTO tx VALUES (1)').catch(() => undefined);
    });
    await expect(swallowed).rejects.toThrow(/cannot be committed/);
    expect(await count()).toBe(1);
  });

  test('transactions that collide are repeated', async () => {
    const { database } = control;
    await database.run('CREATE TABLE counter AS SELECT 0 AS n');
    let runs = 0;
    await Promise.all(
      Array.from({ length: 4 }, () =>
        database.transaction(
          async (tx) => {
            runs += 1;
            const row = await tx.one<{ n: number }>('SELECT n FROM counter');
            await tx.run('UPDATE counter SET n = $1', [row!.n + 1]);
          },
          { isolation: 'serializable' },
        ),
      ),
    );
    expect(await database.one('SELECT n FROM counter')).toEqual({ n: 4 });
    expect(runs).toBeGreaterThanOrEqual(4);
  });

  test('errors speak our words and keep their cause', async () => {
    const { database } = control;
    await database.run('CREATE TABLE named (name text CONSTRAINT named_name_key UNIQUE)');
    await database.run(`INSERT INTO named VALUES ('a')`);
    const twice = await database.run(`INSERT INTO named VALUES ('a')`).catch((error: unknown) => error);
    expect(twice).toMatchObject({
      code: 'CONFLICTING_STATE',
      details: { sqlstate: '23505', constraint: 'named_name_key' },
    });
    expect(isUniqueViolation(twice)).toBe(true);
    expect(isUniqueViolation(twice, 'named_name_key')).toBe(true);
    expect(isUniqueViolation(twice, 'other')).toBe(false);
    await expect(database.query('SELECT nonsense')).rejects.toMatchObject({
      code: 'INTERNAL',
      details: { sqlstate: '42703' },
    });
  });

  test('who cannot get in is told why, and no password', async () => {
    const { port } = control.server;
    const open = (url: string) => openDatabase({ url: new Secret(url) }, { name: 'test', log: silentLog });
    const wrong = open(`postgresql://tester:hunter2@127.0.0.1:${port}/control`);
    await expect(wrong).rejects.toMatchObject({ code: 'CONTROL_DATABASE_LOGIN_FAILED' });
    await expect(wrong).rejects.not.toMatchObject({ message: expect.stringContaining('hunter2') as string });
    await expect(open(`postgresql://tester:secret@127.0.0.1:${port}/nowhere`)).rejects.toMatchObject({
      code: 'CONTROL_DATABASE_LOGIN_FAILED',
      message: expect.stringContaining('nowhere') as string,
    });
    await expect(open('postgresql://tester:secret@127.0.0.1:1/control')).rejects.toMatchObject({
      code: 'CONTROL_DATABASE_UNREACHABLE',
    });
    await expect(open('postgresql://tester:secret@no.such.host.invalid/control')).rejects.toMatchObject({
      code: 'CONTROL_DATABASE_UNREACHABLE',
    });
    const parts = { host: '127.0.0.1', port, user: 'tester', password: new Secret('secret'), database: 'control' };
    await using database = await openDatabase(parts, { name: 'test', log: silentLog });
    expect(await database.one('SELECT current_database() AS name')).toEqual({ name: 'control' });
  });

  test('a session that the server ends is an outage, and the next one works', async () => {
    await using database = await openDatabase(
      { url: control.server.urlOf('control') },
      { name: 'test', log: silentLog, connections: 1 },
    );
    await expect(
      database.transaction((tx) => tx.run('SELECT pg_terminate_backend(pg_backend_pid())')),
    ).rejects.toMatchObject({ code: 'CONTROL_DATABASE_UNREACHABLE' });
    expect(await database.one('SELECT 1 AS one')).toEqual({ one: 1 });
  });
});

describe('statements that come again and again', () => {
  const prepared = `SELECT name, statement FROM pg_prepared_statements WHERE statement LIKE '%' || $1 || '%'`;
  /** On one connection, so that what is prepared can be seen. */
  const oneConnection = () =>
    openDatabase({ url: control.server.urlOf('control') }, { name: 'test', log: silentLog, connections: 1 });

  test('are prepared, but no more than two hundred of them', async () => {
    await using database = await oneConnection();
    const sql = 'SELECT $1::int + 1 AS often';
    for (const n of [1, 2]) expect(await database.one(sql, [n])).toEqual({ often: n + 1 });
    expect(await database.query(prepared, ['often'])).toEqual([]);
    for (const n of [3, 4]) expect(await database.one(sql, [n])).toEqual({ often: n + 1 });
    expect(await database.query(prepared, ['often'])).toMatchObject([{ statement: sql }]);
    for (let text = 0; text < 250; text += 1) {
      for (let use = 0; use < 3; use += 1) await database.one(`SELECT $1::int + ${text}`, [use]);
    }
    expect(await database.one('SELECT count(*)::int AS n FROM pg_prepared_statements')).toEqual({ n: 200 });
  });

  test('survive that their tables are altered by a newer version, also within a transaction', async () => {
    await using database = await oneConnection();
    await database.run('CREATE TABLE altered (id int PRIMARY KEY, value int)');
    await database.run('INSERT INTO altered VALUES (1, 7)');
    const look = (queryable: Pick<Database, 'one'>) =>
      queryable.one('SELECT value AS looked FROM altered WHERE id = $1', [1]);
    for (let use = 0; use < 4; use += 1) expect(await look(database)).toEqual({ looked: 7 });
    await database.run('ALTER TABLE altered ALTER value TYPE text');
    expect(await look(database)).toEqual({ looked: '7' });
    // Prepared anew, under another name.
    for (let use = 0; use < 4; use += 1) expect(await look(database)).toEqual({ looked: '7' });
    expect(await database.query(prepared, ['looked'])).toMatchObject([{ name: 'terrafusion_2' }]);
    await database.run('ALTER TABLE altered ALTER value TYPE int USING value::int');
    expect(await database.transaction(look)).toEqual({ looked: 7 });
  });

  test('do without being prepared where somebody between us and the server hands sessions round', async () => {
    await using database = await oneConnection();
    const look = () => database.one('SELECT $1::int AS shared', [1]);
    for (let use = 0; use < 4; use += 1) await look();
    await database.run('DEALLOCATE ALL');
    expect(await look()).toEqual({ shared: 1 });
    for (let use = 0; use < 4; use += 1) await look();
    expect(await database.query(prepared, ['shared'])).toEqual([]);
  });
});

describe('listening', () => {
  test('tells of notifications, begins again when the connection breaks, and says that something may be missed', async () => {
    const { database } = control;
    const heard: (string | undefined)[] = [];
    const clock = new ManualClock();
    await using impatient = await openDatabase(
      { url: control.server.urlOf('control') },
      { name: 'listening test', log: silentLog, clock },
    );
    {
      await using listeners = new AsyncDisposableStack();
      listeners.use(impatient.listen('news', (payload) => heard.push(payload)));
      await expect.poll(() => heard).toEqual([undefined]);
      await database.run(`SELECT pg_notify('news', 'one')`);
      await expect.poll(() => heard).toEqual([undefined, 'one']);
      await database.run(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'terrafusion listening test' AND query LIKE 'LISTEN%'`,
      );
      await expect
        .poll(() => {
          clock.advance(30_000);
          return heard;
        })
        .toEqual([undefined, 'one', undefined]);
      await database.run(`SELECT pg_notify('news', 'two')`);
      await expect.poll(() => heard).toEqual([undefined, 'one', undefined, 'two']);
    }
    await expect
      .poll(() => database.one(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`))
      .toEqual({ n: 0 });
  });
});

describe('migrations', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'terrafusion-migrations-'));
    await cp(migrations, folder, { recursive: true });
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  test('are applied once, also by two processes at once, and only the missing ones', async () => {
    await using one = await freshDatabase('migrated');
    await using two = await freshDatabase('migrated');
    const applied = await Promise.all([migrate(one, folder), migrate(two, folder)]);
    expect(applied.map((names) => names.includes('0001_control_database')).sort()).toEqual([false, true]);
    await writeFile(
      join(folder, '9998_more.sql'),
      'CREATE TABLE terrafusion.more (id int);\nINSERT INTO terrafusion.more VALUES (1);\n',
    );
    expect(await migrate(one, folder)).toEqual(['9998_more']);
    expect(await migrate(one, folder)).toEqual([]);
    expect(await one.one('SELECT id FROM terrafusion.more')).toEqual({ id: 1 });
  });

  test('one that fails leaves nothing half done', async () => {
    await using database = await freshDatabase('failing');
    await writeFile(join(folder, '9999_broken.sql'), 'CREATE TABLE terrafusion.half (id int);\nSELECT nonsense;\n');
    await expect(migrate(database, folder)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(
      await database.one(
        `SELECT to_regclass('terrafusion.half') AS half, to_regclass('terrafusion.more')::text AS more`,
      ),
    ).toEqual({
      half: null,
      more: 'terrafusion.more',
    });
    await rm(join(folder, '9999_broken.sql'));
    expect(await migrate(database, folder)).toEqual([]);
  });

  test('an altered or a newer one is told about, other line ends are no alteration', async () => {
    await using database = await freshDatabase('altered');
    await migrate(database, folder);
    const file = join(folder, '9998_more.sql');
    await writeFile(file, 'CREATE TABLE terrafusion.more (id int);\r\nINSERT INTO terrafusion.more VALUES (1);\r\n');
    expect(await migrate(database, folder)).toEqual([]);
    await writeFile(file, 'CREATE TABLE terrafusion.more (id text);\n');
    await expect(migrate(database, folder)).rejects.toMatchObject({
      code: 'CONTROL_DATABASE_VERSION',
      message: expect.stringContaining('9998_more') as string,
    });
    await rm(file);
    await expect(migrate(database, folder)).rejects.toMatchObject({
      code: 'CONTROL_DATABASE_VERSION',
      message: expect.stringContaining('does not know') as string,
    });
  });
});
