import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LoadRequest } from '#connectors/contract/target.ts';
import { postgresTarget } from '#connectors/postgres/target/target.ts';
import { before } from '#schemas/position.ts';
import { parseTableName } from '#schemas/tables.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { contextOf, insert, Pair, remove, table, update } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const applied = { position: before(1, 77n), topic: 'changes.x', nextOffset: 5n, overlayUntil: 99n };
const name = parseTableName;

async function* chunks(...texts: string[]): AsyncIterable<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

const openLoad = (tables: readonly string[], existingRows: LoadRequest['existingRows'] = 'refuse') =>
  pair.target.openLoad({ pairId: pair.id, tables: tables.map(name), existingRows }, contextOf());

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query(`DROP SCHEMA IF EXISTS _terrafusion CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public`);
  pair = new Pair(database);
});

describe('a first load', () => {
  beforeEach(async () => {
    await database.query(`CREATE TABLE parent (id int PRIMARY KEY, name text);
      CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent, up int REFERENCES child)`);
  });

  test('parents first, chunks of any cut, seen only once it is committed', async () => {
    expect(await pair.applied()).toBeUndefined();
    {
      await using load = await openLoad(['public.child', 'public.parent']);
      expect(load.order).toEqual([name('public.parent'), name('public.child')]);
      expect(await load.copyIn(name('public.parent'), ['id', 'name'], chunks('1\tA', 'nn\n2', '\t', '\\N\n'))).toBe(2);
      expect(await load.copyIn(name('public.child'), ['id', 'up', 'parent_id'], chunks('1\t2\t1\n2\t\\N\t2\n'))).toBe(
        2,
      );
      expect(await pair.rows('parent')).toEqual([]);
      await load.commit(applied);
    }
    expect(await pair.rows('parent')).toEqual([
      ['1', 'Ann'],
      ['2', null],
    ]);
    expect(await pair.applied()).toEqual(applied);
  });

  test('blocks, of several tables too, and parts of a table by the same COPY', async () => {
    const parent = table('public.parent', ['id*', 'name']);
    const child = table('public.child', ['id*', 'parent_id', 'up']);
    const rows = (n: number) =>
      Array.from({ length: 100 }, (_, i) => insert(parent, [String(n * 100 + i), `\t${i}\\`]));
    {
      await using load = await openLoad(['public.child', 'public.parent']);
      for (let n = 0; n < 5; n++) await load.write(pair.history.block(rows(n)).bytes);
      // A row points to one that comes in a later block.
      await load.write(pair.history.block([insert(child, ['1', '7', '2'])]).bytes);
      await load.write(pair.history.block([insert(child, ['2', '499', null]), insert(parent, ['1000', null])]).bytes);
      await load.write(pair.history.block([]).bytes);
      await load.commit(applied);
    }
    expect(await database.value('SELECT count(*)::int FROM parent')).toBe(501);
    expect(await database.value('SELECT name FROM parent WHERE id = 499')).toBe('\t99\\');
    expect(await pair.rows('child')).toEqual([
      ['1', '7', '2'],
      ['2', '499', null],
    ]);
  });

  test('tables that hold rows are refused, or emptied within the load', async () => {
    await database.query(`INSERT INTO parent VALUES (1, 'old')`);
    await expect(openLoad(['public.child', 'public.parent'])).rejects.toMatchObject({
      code: 'TARGET_TABLE_NOT_EMPTY',
      message: expect.stringContaining('public.parent') as string,
    });
    {
      await using load = await openLoad(['public.child', 'public.parent'], 'replace');
      await load.copyIn(name('public.parent'), ['id', 'name'], chunks('1\tnew\n'));
    }
    expect(await pair.rows('parent')).toEqual([['1', 'old']]);
    {
      await using load = await openLoad(['public.child', 'public.parent'], 'replace');
      await load.copyIn(name('public.parent'), ['id', 'name'], chunks('1\tnew\n'));
      await load.commit(applied);
    }
    expect(await pair.rows('parent')).toEqual([['1', 'new']]);
  });

  test('a table that others point to is emptied row by row', async () => {
    await database.query(`INSERT INTO parent VALUES (1, 'old')`);
    await using load = await openLoad(['public.parent'], 'replace');
    await load.copyIn(name('public.parent'), ['id', 'name'], chunks('2\tnew\n'));
    await load.commit(applied);
    expect(await pair.rows('parent')).toEqual([['2', 'new']]);
  });

  test('tables whose foreign keys form a circle', async () => {
    await database.query(`ALTER TABLE parent ADD favourite int REFERENCES child DEFERRABLE;
      ALTER TABLE child ALTER CONSTRAINT child_parent_id_fkey DEFERRABLE`);
    await using load = await openLoad(['public.parent', 'public.child']);
    await load.copyIn(name('public.parent'), ['id', 'favourite'], chunks('1\t1\n'));
    await load.copyIn(name('public.child'), ['id', 'parent_id'], chunks('1\t1\n'));
    await load.commit(applied);
    expect(await database.value('SELECT favourite FROM parent')).toBe(1);
  });

  test('a row that the target refuses ends it, and says where', async () => {
    await using load = await openLoad(['public.child', 'public.parent']);
    const copying = load.copyIn(name('public.parent'), ['id', 'name'], chunks('1\ta\n', 'two\tb\n'));
    await expect(copying).rejects.toMatchObject({
      code: 'TARGET_ROW_REJECTED',
      heals: false,
      message: expect.stringContaining('COPY parent, line 2, column id') as string,
    });
    await expect(load.commit(applied)).rejects.toThrow();
    expect(await pair.applied()).toBeUndefined();
  });

  test('a source that breaks off leaves nothing', async () => {
    async function* broken(): AsyncIterable<Buffer> {
      yield Buffer.from('1\ta\n');
      throw new Error('gone');
    }
    {
      await using load = await openLoad(['public.child', 'public.parent']);
      await expect(load.copyIn(name('public.parent'), ['id', 'name'], broken())).rejects.toThrow('gone');
    }
    expect(await pair.rows('parent')).toEqual([]);
    expect(await database.value('SELECT count(*)::int FROM _terrafusion.applied_positions')).toBe(0);
  });

  test('a table that is not there', async () => {
    await expect(openLoad(['public.parent', 'public.gone'])).rejects.toMatchObject({ code: 'TARGET_TABLE_MISSING' });
  });
});

describe('tables', () => {
  const column = (of: string, type: string, notNull = false) => ({ name: of, type, notNull });

  test('missing ones are made, with their schema and key; there is no harm in asking twice, or two at once', async () => {
    const wanted = [
      {
        table: name('gis."Parcel Map"'),
        columns: [column('Id', 'bigint', true), column('v', 'numeric(14,2)')],
        primaryKey: ['Id'],
      },
      { table: name('public.plain'), columns: [column('a', 'character varying(10)[]')], primaryKey: [] },
    ];
    await database.query('DROP SCHEMA IF EXISTS gis CASCADE');
    const made = await Promise.all([
      pair.target.createTables(wanted, contextOf()),
      pair.target.createTables(wanted, contextOf()),
    ]);
    expect(made.map((tables) => tables.length).sort()).toEqual([0, 2]);
    await database.query(`INSERT INTO plain VALUES ('{a}')`);
    expect(await pair.target.describe([...wanted.map((one) => one.table), name('public.gone')], contextOf())).toEqual([
      {
        table: { schema: 'gis', name: 'Parcel Map' },
        columns: [
          { name: 'Id', type: 'bigint', notNull: true, hasDefault: false, generated: false, identityAlways: false },
          {
            name: 'v',
            type: 'numeric(14,2)',
            notNull: false,
            hasDefault: false,
            generated: false,
            identityAlways: false,
          },
        ],
        primaryKey: ['Id'],
        uniqueKeys: [['Id']],
        hasRows: false,
      },
      {
        table: { schema: 'public', name: 'plain' },
        columns: [
          {
            name: 'a',
            type: 'character varying(10)[]',
            notNull: false,
            hasDefault: false,
            generated: false,
            identityAlways: false,
          },
        ],
        primaryKey: [],
        uniqueKeys: [],
        hasRows: true,
      },
    ]);
  });

  test.each(['public.citext_that_is_not_there', 'int); DROP TABLE x; --', 'int -- x', 'serial', ''])(
    'a type that is not there makes nothing: %s',
    async (type) => {
      const wanted = [
        { table: name('public.one'), columns: [column('a', 'int')], primaryKey: [] },
        { table: name('public.two'), columns: [column('a', 'int'), column('b', type)], primaryKey: [] },
      ];
      await expect(pair.target.createTables(wanted, contextOf())).rejects.toMatchObject({
        code: 'TARGET_TYPE_MISSING',
        message: expect.stringContaining('public.two.b') as string,
      });
      expect(await database.value(`SELECT to_regclass('public.one')`)).toBeNull();
    },
  );
});

describe('the bookkeeping', () => {
  test('is made once, also when many begin at the same time', async () => {
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        await using load = await pair.target.openLoad(
          { pairId: `p${i}`, tables: [], existingRows: 'refuse' },
          contextOf(),
        );
        await load.commit(applied);
      }),
    );
    expect(await database.value('SELECT count(*)::int FROM _terrafusion.applied_positions')).toBe(8);
  });

  test('forgets a pair; what was never there is no error', async () => {
    await pair.target.forget(pair.id, contextOf());
    await pair.start();
    await pair.target.forget(pair.id, contextOf());
    expect(await pair.applied()).toBeUndefined();
  });

  test('can be watched over one connection, from before it is there', async () => {
    await using monitor = (await pair.target.openMonitor?.(contextOf()))!;
    expect(await monitor.applied(pair.id)).toBeUndefined();
    await pair.start();
    expect((await monitor.applied(pair.id))?.position).toEqual(pair.history.position);
  });

  test('a writer without a first load begins the position itself, once', async () => {
    await database.query('CREATE TABLE parent (id int PRIMARY KEY, name text)');
    const block = pair.history.block([insert(table('public.parent', ['id*', 'name']), ['1', null])]);
    await using one = await pair.open();
    await using two = await pair.open();
    expect(one.held).toBeUndefined();
    await one.apply(pair.batch([block]), pair.reject);
    await expect(two.apply(pair.batch([block]), pair.reject)).rejects.toMatchObject({ code: 'TARGET_FENCED' });
    expect((await pair.applied())?.position).toEqual(block.last);
  });
});

describe('mended rows', () => {
  const parcel = table('public.parcel', ['id*', 'owner'], { tolerant: true });

  test('are upserted, beside the stream and without a position', async () => {
    await database.query(
      `CREATE TABLE parcel (id int PRIMARY KEY, owner varchar(5)); INSERT INTO parcel VALUES (1, 'x')`,
    );
    const block = pair.history.block([insert(parcel, ['1', 'Ann']), update(parcel, ['2', 'Bob'])]);
    await pair.target.upsert(block.bytes, contextOf());
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Ann'],
      ['2', 'Bob'],
    ]);
    expect(await pair.applied()).toBeUndefined();
    await expect(
      pair.target.upsert(
        pair.history.block([remove(parcel, ['1', null]), insert(parcel, ['3', 'too long'])]).bytes,
        contextOf(),
      ),
    ).rejects.toMatchObject({ code: 'TARGET_ROW_REJECTED', message: expect.stringContaining('too long') as string });
    expect(await pair.rows('parcel')).toHaveLength(2);
  });
});

describe('checks', () => {
  test('everything is well', async () => {
    await database.query('CREATE TABLE parcel (id int PRIMARY KEY)');
    const checks = await pair.target.check([name('public.parcel'), name('new.table')], contextOf());
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map((check) => check.name)).toEqual([
      'login',
      'version',
      'pooler',
      'primary',
      'encoding',
      'connections',
      'bookkeeping',
      'table:public.parcel',
      'privilege:public.parcel',
      'truncate:public.parcel',
      'key:public.parcel',
      'row_security:public.parcel',
      'table:new.table',
    ]);
  });

  test('nobody there, a wrong password, a database that does not exist', async () => {
    for (const [url, code] of [
      ['postgresql://x@127.0.0.1:1/x', 'TARGET_UNREACHABLE'],
      [database.url.replace(/\/\/[^@]*@/, '//nobody:wrong@'), 'TARGET_LOGIN_FAILED'],
      [new URL('/gone_database', database.url).href, 'TARGET_DATABASE_MISSING'],
    ] as const) {
      const checks = await postgresTarget({ url }).check([], contextOf());
      expect(checks).toMatchObject([{ name: 'login', ok: false, required: true, code }]);
    }
  });

  test('a role that may nothing', async () => {
    const login = `check_${database.name}`;
    await database.query(`CREATE TABLE parcel (id int); CREATE ROLE "${login}" LOGIN PASSWORD 'secret'`);
    try {
      const url = new URL(database.url);
      [url.username, url.password] = [login, 'secret'];
      const checks = await postgresTarget({ url: url.href }).check(
        [name('public.parcel'), name('public.other'), name('new.table')],
        contextOf(),
      );
      expect(checks.filter(({ ok, required }) => !ok && required).map((check) => [check.name, check.code])).toEqual([
        ['bookkeeping', 'TARGET_NO_PRIVILEGE'],
        ['privilege:public.parcel', 'TARGET_NO_PRIVILEGE'],
        ['table:public.other', 'TARGET_NO_PRIVILEGE'],
        ['table:new.table', 'TARGET_NO_PRIVILEGE'],
      ]);
      for (const { fix } of checks.filter(({ ok }) => !ok)) expect(fix).toMatch(/GRANT|ALTER|Add/);
    } finally {
      await database.query(`DROP ROLE "${login}"`);
    }
  });
});
