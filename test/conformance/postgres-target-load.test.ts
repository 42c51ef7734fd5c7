import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LoadRequest, LoadSession, TargetLoad } from '#connectors/contract/target.ts';
import { ensureMadeObjects, recordMade } from '#connectors/postgres/schema/made.ts';
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

const openLoad = (
  tables: readonly string[],
  existingRows: LoadRequest['existingRows'] = 'refuse',
  number = 1,
  begun = 'here',
): Promise<TargetLoad> =>
  pair.target.openLoad({ pairId: pair.id, number, tables: tables.map(name), existingRows, begun }, contextOf());

const snapshot = { until: 42n, shown: '10:20:' };
const whole = { by: 'whole' } as const;

/** Plans so many chunks of a table. */
const plan = (load: TargetLoad, of: string, count = 1): Promise<void> =>
  load.plan([{ table: name(of), ranges: Array.from({ length: count }, () => whole) }]);

interface Piece {
  readonly of: string;
  readonly columns: readonly string[];
  readonly text: readonly string[];
  readonly number?: number;
}

/** Chunks in one transaction. */
async function copy(session: LoadSession, ...pieces: readonly Piece[]): Promise<void> {
  session.begin(pieces.length > 1);
  for (const { of, columns, text, number = 0 } of pieces) {
    await session.copyIn(name(of), columns, 'text', chunks(...text));
    session.finish({ table: name(of), number, finished: { rows: 1, bytes: 10, snapshot } });
  }
  await session.commit();
}

const parentRows = (text: string, number = 0): Piece => ({
  of: 'public.parent',
  columns: ['id', 'name'],
  text: [text],
  number,
});

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query(`DROP SCHEMA IF EXISTS _terrafusion CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public`);
  pair = new Pair(database);
});

describe('primary keys of tables that we have made', () => {
  const parent = 'public.parent';
  const open = (number = 1, unaltered: readonly string[] = [parent]): Promise<TargetLoad> =>
    pair.target.openLoad(
      {
        pairId: pair.id,
        number,
        tables: [name(parent)],
        existingRows: number === 1 ? 'refuse' : 'replace',
        begun: 'here',
        unaltered: unaltered.map(name),
      },
      contextOf(),
    );
  const keys = (): Promise<{ readonly definition: string }[]> =>
    database.query(
      `SELECT conname || ' ' || pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'parent'::regclass AND contype = 'p'`,
    );
  const KEY = [{ definition: 'one key PRIMARY KEY (id)' }];

  beforeEach(async () => {
    await database.query('CREATE TABLE parent (id int NOT NULL, name text, CONSTRAINT "one key" PRIMARY KEY (id))');
    const client = await database.connect();
    await ensureMadeObjects(client);
    await recordMade(client, 'table public.parent', ['CREATE …'], 'public.parent');
  });

  test('are made once all rows are there, and known meanwhile', async () => {
    await using load = await open();
    expect(load.tables[0]!.primaryKey).toEqual(['id']);
    expect(await keys()).toEqual([]);
    const [described] = await pair.target.describe([name(parent)], contextOf());
    expect(described).toMatchObject({ primaryKey: ['id'], uniqueKeys: [['id']] });
    await plan(load, parent);
    await using session = await load.openSession(contextOf());
    await copy(session, parentRows('2\tBea\n1\tAnn\n'));
    await load.makeKey(name(parent));
    expect(await keys()).toEqual(KEY);
    await load.makeKey(name(parent));
    await load.commit(applied);
    expect(await database.query('SELECT FROM _terrafusion.late_keys')).toEqual([]);
    expect(await database.query('SELECT id FROM parent ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('are made by whoever goes on with the load', async () => {
    {
      await using load = await open();
      await plan(load, parent);
      await using session = await load.openSession(contextOf());
      await copy(session, parentRows('1\tAnn\n'));
    }
    await using load = await open();
    expect(load.tables[0]!.primaryKey).toEqual(['id']);
    expect(await keys()).toEqual([]);
    await load.makeKey(name(parent));
    expect(await keys()).toEqual(KEY);
  });

  test('are not made of rows that have one in common', async () => {
    await using load = await open();
    await plan(load, parent);
    await using session = await load.openSession(contextOf());
    await copy(session, parentRows('1\tAnn\n1\tBea\n'));
    await expect(load.makeKey(name(parent))).rejects.toMatchObject({ code: 'TARGET_CONFLICT' });
    expect(await keys()).toEqual([]);
    await load.reset([name(parent)]);
    await load.makeKey(name(parent));
    expect(await keys()).toEqual(KEY);
  });

  test('are there again when the pair goes in the middle of its load, unless rows contradict them', async () => {
    {
      await using load = await open();
      await plan(load, parent, 2);
      await using session = await load.openSession(contextOf());
      await copy(session, parentRows('1\tAnn\n'));
    }
    await pair.target.forget(pair.id, contextOf());
    expect(await keys()).toEqual(KEY);
    expect(await database.query('SELECT FROM _terrafusion.late_keys')).toEqual([]);
    {
      await using load = await open(2);
      expect(await keys()).toEqual([]);
      await plan(load, parent);
      await using session = await load.openSession(contextOf());
      await copy(session, parentRows('1\tAnn\n1\tBea\n'));
    }
    await pair.target.forget(pair.id, contextOf());
    expect(await keys()).toEqual([]);
  });

  test('that somebody has made meanwhile are taken as they are', async () => {
    await using load = await open();
    await database.query('ALTER TABLE parent ADD CONSTRAINT theirs PRIMARY KEY (name, id)');
    await load.makeKey(name(parent));
    expect(await keys()).toEqual([{ definition: 'theirs PRIMARY KEY (name, id)' }]);
  });

  test.each([
    ['rows come through a chain', ''],
    ['the table is not ours', 'DELETE FROM _terrafusion.made_objects'],
    ['the table was made again', 'DROP TABLE parent; CREATE TABLE parent (id int CONSTRAINT "one key" PRIMARY KEY)'],
    ['a foreign key points to it', 'CREATE TABLE child (id int REFERENCES parent)'],
    ['a view groups by it', 'CREATE VIEW named AS SELECT name FROM parent GROUP BY id'],
    ['it is published', 'CREATE PUBLICATION onward FOR TABLE parent'],
    ['it has storage parameters', 'ALTER INDEX "one key" SET (fillfactor = 50)'],
    ['tables inherit from it', 'CREATE TABLE heir () INHERITS (parent)'],
  ])('stay where they are: %s', async (_why, sql) => {
    await database.query(sql);
    await using load = await open(1, sql === '' ? [] : [parent]);
    expect(await keys()).toEqual(KEY);
    await load.makeKey(name(parent));
    await load.commit(applied);
    await database.query('DROP PUBLICATION IF EXISTS onward');
  });
});

describe('a first load', () => {
  beforeEach(async () => {
    await database.query(`CREATE TABLE parent (id int PRIMARY KEY, name text);
      CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent, up int REFERENCES child)`);
  });

  test('says which tables wait for others, and which go together', async () => {
    await database.query('CREATE TABLE alone (id int); CREATE TABLE grandchild (child_id int REFERENCES child)');
    await using load = await openLoad(['public.grandchild', 'public.alone', 'public.child', 'public.parent']);
    const tables = new Map(load.tables.map((one) => [one.table.name, one]));
    expect([...tables.keys()].filter((one) => one !== 'alone')).toEqual(['parent', 'child', 'grandchild']);
    expect(tables.get('alone')).toMatchObject({ after: [], together: [], primaryKey: [] });
    expect(tables.get('parent')).toMatchObject({ after: [], together: [], primaryKey: ['id'] });
    expect(tables.get('child')).toMatchObject({ after: [name('public.parent')], together: [name('public.child')] });
    expect(tables.get('grandchild')).toMatchObject({ after: [name('public.child')], together: [] });
  });

  test('a chunk is there with its note, or neither is', async () => {
    await using load = await openLoad(['public.parent']);
    await plan(load, 'public.parent', 3);
    {
      await using session = await load.openSession(contextOf());
      await copy(session, { ...parentRows(''), text: ['1\tA', 'nn\n2', '\t', '\\N\n'] });
      session.begin(false);
      await session.copyIn(name('public.parent'), ['id', 'name'], 'text', chunks('3\tBea\n'));
      session.finish({ table: name('public.parent'), number: 1, finished: { rows: 1, bytes: 6, snapshot } });
      // Given up before its commit.
    }
    expect(await pair.rows('parent')).toEqual([
      ['1', 'Ann'],
      ['2', null],
    ]);
    expect((await load.chunks()).map(({ finished }) => finished)).toEqual([
      { rows: 1, bytes: 10, snapshot },
      undefined,
      undefined,
    ]);
    expect(await pair.applied()).toBeUndefined();
    await load.commit(applied);
    expect(await pair.applied()).toMatchObject(applied);
  });

  test('a chunk that is not waiting any more leaves no rows', async () => {
    await using load = await openLoad(['public.parent']);
    await plan(load, 'public.parent', 2);
    await using session = await load.openSession(contextOf());
    await copy(session, parentRows('1\tAnn\n', 0));
    await using second = await load.openSession(contextOf());
    await expect(copy(second, parentRows('2\tBea\n', 0))).rejects.toMatchObject({ code: 'TARGET_FENCED' });
    expect(await pair.rows('parent')).toEqual([['1', 'Ann']]);
  });

  test('several sessions write at the same time', async () => {
    await using load = await openLoad(['public.parent']);
    await plan(load, 'public.parent', 8);
    await Promise.all(
      [0, 1, 2, 3].map(async (worker) => {
        await using session = await load.openSession(contextOf());
        for (const number of [worker, worker + 4]) await copy(session, parentRows(`${number}\tx\n`, number));
      }),
    );
    expect(await database.value('SELECT count(*)::int FROM parent')).toBe(8);
    expect((await load.chunks()).every(({ finished }) => finished !== undefined)).toBe(true);
  });

  test('blocks, of several tables too, and parts of a table by the same COPY', async () => {
    const parent = table('public.parent', ['id*', 'name']);
    const child = table('public.child', ['id*', 'parent_id', 'up']);
    const rows = (n: number) =>
      Array.from({ length: 100 }, (_, i) => insert(parent, [String(n * 100 + i), `\t${i}\\`]));
    await using load = await openLoad(['public.child', 'public.parent']);
    await using session = await load.openSession(contextOf());
    session.begin(false);
    for (let n = 0; n < 5; n++) await session.write(pair.history.block(rows(n)).bytes);
    // A row points to one that comes later in the block.
    await session.write(pair.history.block([insert(child, ['1', '7', '2']), insert(child, ['2', '499', null])]).bytes);
    await session.write(pair.history.block([insert(parent, ['1000', null])]).bytes);
    await session.write(pair.history.block([]).bytes);
    await session.commit();
    expect(await database.value('SELECT count(*)::int FROM parent')).toBe(501);
    expect(await database.value('SELECT name FROM parent WHERE id = 499')).toBe('\t99\\');
    expect(await pair.rows('child')).toEqual([
      ['1', '7', '2'],
      ['2', '499', null],
    ]);
  });

  test('tables that hold rows are refused; or emptied, once: what the load has brought stays', async () => {
    await database.query(`INSERT INTO parent VALUES (1, 'old')`);
    await expect(openLoad(['public.child', 'public.parent'])).rejects.toMatchObject({
      code: 'TARGET_TABLE_NOT_EMPTY',
      message: expect.stringContaining('public.parent') as string,
    });
    expect(await pair.rows('parent')).toEqual([['1', 'old']]);
    {
      await using load = await openLoad(['public.child', 'public.parent'], 'replace');
      await plan(load, 'public.parent');
      await using session = await load.openSession(contextOf());
      await copy(session, parentRows('1\tnew\n'));
    }
    for (const existingRows of ['replace', 'refuse'] as const) {
      await using load = await openLoad(['public.child', 'public.parent'], existingRows);
      expect(await load.chunks()).toHaveLength(1);
    }
    expect(await pair.rows('parent')).toEqual([['1', 'new']]);
    // One that began elsewhere cannot go on with them, and they are its own.
    {
      await using elsewhere = await openLoad(['public.child', 'public.parent'], 'refuse', 1, 'elsewhere');
      expect(await elsewhere.chunks()).toEqual([]);
      expect(await pair.rows('parent')).toEqual([]);
      await plan(elsewhere, 'public.parent');
      await using session = await elsewhere.openSession(contextOf());
      await copy(session, parentRows('1\tnew\n'));
    }
    // Another load does not know them.
    await using next = await openLoad(['public.child', 'public.parent'], 'replace', 2);
    expect(await next.chunks()).toEqual([]);
    expect(await pair.rows('parent')).toEqual([]);
  });

  test('a table that others point to is emptied row by row', async () => {
    await database.query(`INSERT INTO parent VALUES (1, 'old')`);
    await using load = await openLoad(['public.parent'], 'replace');
    expect(await pair.rows('parent')).toEqual([]);
    await plan(load, 'public.parent');
    await using session = await load.openSession(contextOf());
    await copy(session, parentRows('2\tnew\n'));
    expect(await pair.rows('parent')).toEqual([['2', 'new']]);
    await load.reset([name('public.parent')]);
    expect(await pair.rows('parent')).toEqual([]);
    expect(await load.chunks()).toEqual([]);
  });

  test('tables whose foreign keys form a circle go over in one transaction', async () => {
    await database.query(`ALTER TABLE parent ADD favourite int REFERENCES child DEFERRABLE;
      ALTER TABLE child ALTER CONSTRAINT child_parent_id_fkey DEFERRABLE`);
    await using load = await openLoad(['public.parent', 'public.child']);
    for (const { together } of load.tables) expect(together).toHaveLength(2);
    await plan(load, 'public.parent');
    await plan(load, 'public.child');
    await using session = await load.openSession(contextOf());
    await copy(
      session,
      { of: 'public.parent', columns: ['id', 'favourite'], text: ['1\t1\n'] },
      { of: 'public.child', columns: ['id', 'parent_id'], text: ['1\t1\n'] },
    );
    expect(await database.value('SELECT favourite FROM parent')).toBe(1);
  });

  test('a row that the target refuses ends the chunk, and says where', async () => {
    await using load = await openLoad(['public.child', 'public.parent']);
    await plan(load, 'public.parent');
    await using session = await load.openSession(contextOf());
    await expect(copy(session, parentRows('1\ta\ntwo\tb\n'))).rejects.toMatchObject({
      code: 'TARGET_ROW_REJECTED',
      heals: false,
      message: expect.stringContaining('COPY parent, line 2, column id') as string,
    });
    expect(await pair.rows('parent')).toEqual([]);
    expect((await load.chunks())[0]!.finished).toBeUndefined();
  });

  test('a source that breaks off leaves nothing', async () => {
    async function* broken(): AsyncIterable<Buffer> {
      yield Buffer.from('1\ta\n');
      throw new Error('gone');
    }
    await using load = await openLoad(['public.child', 'public.parent']);
    {
      await using session = await load.openSession(contextOf());
      session.begin(false);
      await expect(session.copyIn(name('public.parent'), ['id', 'name'], 'text', broken())).rejects.toThrow('gone');
    }
    expect(await pair.rows('parent')).toEqual([]);
    expect(await database.value('SELECT count(*)::int FROM _terrafusion.applied_positions')).toBe(0);
  });

  test('who opens it last has it: nothing that was sent before is taken (TARGET_FENCED)', async () => {
    await using before = await openLoad(['public.parent']);
    await plan(before, 'public.parent', 2);
    await using old = await before.openSession(contextOf());
    await copy(old, parentRows('1\ta\n'));
    await using load = await openLoad(['public.parent']);
    await expect(copy(old, parentRows('2\tb\n', 1))).rejects.toMatchObject({ code: 'TARGET_FENCED', heals: true });
    await expect(before.commit(applied)).rejects.toMatchObject({ code: 'TARGET_FENCED' });
    await expect(before.reset([name('public.parent')])).rejects.toMatchObject({ code: 'TARGET_FENCED' });
    expect(await pair.rows('parent')).toEqual([['1', 'a']]);
    await load.commit(applied);
    await using later = await openLoad(['public.parent'], 'replace', 3);
    expect(later.tables).toHaveLength(1);
    await expect(openLoad(['public.parent'], 'replace', 2)).rejects.toMatchObject({ code: 'TARGET_FENCED' });
  });

  test('a chunk is noted once', async () => {
    await using load = await openLoad(['public.parent']);
    await plan(load, 'public.parent');
    await using session = await load.openSession(contextOf());
    await copy(session, parentRows('1\ta\n'));
    await using again = await load.openSession(contextOf());
    await expect(copy(again, parentRows('2\tb\n'))).rejects.toMatchObject({ code: 'TARGET_FENCED' });
    expect(await pair.rows('parent')).toEqual([['1', 'a']]);
  });

  test("the planner's figures are there when it is done", async () => {
    await using load = await openLoad(['public.parent']);
    await plan(load, 'public.parent');
    await using session = await load.openSession(contextOf());
    await copy(session, parentRows('1\ta\n2\tb\n'));
    await load.analyze([name('public.parent')]);
    expect(await database.value(`SELECT reltuples::int FROM pg_class WHERE oid = 'parent'::regclass`)).toBe(2);
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
          { pairId: `p${i}`, number: 1, tables: [], existingRows: 'refuse', begun: '' },
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
