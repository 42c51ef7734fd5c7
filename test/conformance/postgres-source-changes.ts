import fc from 'fast-check';
import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { BlockReader } from '#schemas/block/index.ts';
import { before } from '#schemas/position.ts';
import type { TestDatabase } from '#test/support/postgres.ts';
import { freshDatabase } from '#test/support/servers.ts';
import {
  changesOf,
  contextOf,
  dataOf,
  type SeenChange,
  sourceOf,
  TestStream,
  type Way,
} from './postgres-source-fixture.ts';

const LONG = 'x'.repeat(10_000);
/** Stored outside of the row, uncompressed: an update that leaves it alone does not send it. */
const toasted = (table: string) => `ALTER TABLE ${table} ALTER long SET STORAGE EXTERNAL`;

function brief({ op, beforeKind, before, after }: SeenChange) {
  return [op, beforeKind === 'absent' ? undefined : [beforeKind, before], after];
}

/** What a source's changes are like, whichever way they are read. */
export function testChanges(way: Way): void {
  const create: typeof TestStream.create = (database, tables, options) =>
    TestStream.create(database, tables, { ...way, ...options });

  let database: TestDatabase;
  beforeAll(async () => {
    database = await freshDatabase('source');
  });

  describe('changes arrive as they were made', () => {
    test('inserts, updates, deletes, a key change and truncates, with the transactions they belong to', async () => {
      await database.query('CREATE TABLE plain (id bigint PRIMARY KEY, name text, amount numeric(12, 4))');
      const stream = await create(database, ['plain']);
      await database.query(`BEGIN;
        INSERT INTO plain VALUES (1, 'Ann', 1.5), (2, NULL, 'NaN');
        UPDATE plain SET name = 'Anna' WHERE id = 1;
        COMMIT`);
      await database.query('UPDATE plain SET id = 3 WHERE id = 1');
      await database.query('DELETE FROM plain WHERE id = 2');
      await database.query('TRUNCATE plain RESTART IDENTITY CASCADE');
      const changes = await stream.changes();
      expect(changes.map(brief)).toEqual([
        ['insert', undefined, ['1', 'Ann', '1.5000']],
        ['insert', undefined, ['2', null, 'NaN']],
        ['update', undefined, ['1', 'Anna', '1.5000']],
        ['update', ['key', ['1', null, null]], ['3', 'Anna', '1.5000']],
        ['delete', ['key', ['2', null, null]], undefined],
        ['truncate', undefined, ['cascade', 'restart identity']],
      ]);
      const xids = changes.map(({ xid }) => xid);
      expect(new Set(xids.slice(0, 3)).size).toBe(1);
      expect(new Set(xids).size).toBe(4);
    });

    test.each([
      ['default', '', ['key', ['1', null, null]]],
      ['full', 'REPLICA IDENTITY FULL', ['full', ['1', 'a', LONG]]],
      ['index', 'REPLICA IDENTITY USING INDEX identity_index_name', ['key', [null, 'a', null]]],
    ])('CHECKLIST 14: identity %s', async (kind, alteration, old) => {
      const table = `identity_${kind}`;
      await database.query(
        `CREATE TABLE ${table} (id int PRIMARY KEY, name text NOT NULL, long text);
         CREATE UNIQUE INDEX ${table}_name ON ${table} (name); ${toasted(table)}`,
      );
      if (alteration !== '') await database.query(`ALTER TABLE ${table} ${alteration}`);
      const stream = await create(database, [table]);
      await database.query(`INSERT INTO ${table} VALUES (1, 'a', '${LONG}')`);
      await database.query(`DELETE FROM ${table}`);
      const blocks = await stream.readAll(undefined);
      expect(dataOf(blocks).map(brief)).toEqual([
        ['insert', undefined, ['1', 'a', LONG]],
        ['delete', old, undefined],
      ]);
      const { identity, columns } = BlockReader.open(blocks[0]!.bytes).header.tables[0]!;
      expect(identity).toBe(kind);
      expect(columns.map(({ key }) => key)).toEqual(
        { default: [true, false, false], full: [true, true, true], index: [false, true, false] }[kind],
      );
    });

    test('CHECKLIST 16: a long value that an update leaves alone is "unchanged", which is not NULL', async () => {
      await database.query(`CREATE TABLE toast (id int PRIMARY KEY, name text, long text); ${toasted('toast')}`);
      const stream = await create(database, ['toast']);
      await database.query(`INSERT INTO toast VALUES (1, 'a', '${LONG}')`);
      await database.query(`UPDATE toast SET name = 'b'`);
      await database.query('UPDATE toast SET id = 2');
      await database.query('UPDATE toast SET long = NULL');
      expect((await stream.changes()).map(({ after }) => after)).toEqual([
        ['1', 'a', LONG],
        ['1', 'b', undefined],
        ['2', 'b', undefined],
        ['2', 'b', null],
      ]);
    });

    test('what was rolled back never arrives, savepoints included, and ordinals have no gaps for it', async () => {
      await database.query('CREATE TABLE rolled (id int PRIMARY KEY)');
      const stream = await create(database, ['rolled']);
      await database.query('BEGIN; INSERT INTO rolled VALUES (1); ROLLBACK');
      await database.query(`BEGIN; INSERT INTO rolled VALUES (2);
        SAVEPOINT a; INSERT INTO rolled VALUES (3); ROLLBACK TO a;
        SAVEPOINT b; INSERT INTO rolled VALUES (4); RELEASE b; COMMIT`);
      const changes = await stream.changes();
      expect(changes.map(({ after, position }) => [after?.[0], position.split(':').at(-1)])).toEqual([
        ['2', '0'],
        ['4', '1'],
      ]);
    });

    test('transactions that ran at the same time arrive whole, in the order of their commits', async () => {
      await database.query('CREATE TABLE mixed (id int PRIMARY KEY)');
      const stream = await create(database, ['mixed']);
      const [one, two] = [await database.connect(), await database.connect()];
      await one.query('BEGIN; INSERT INTO mixed VALUES (1)');
      await two.query('BEGIN; INSERT INTO mixed VALUES (2)');
      await one.query('INSERT INTO mixed VALUES (3)');
      await two.query('COMMIT');
      await one.query('COMMIT');
      expect((await stream.changes()).map(({ after }) => after?.[0])).toEqual(['2', '1', '3']);
    });

    test('a truncate of several tables is one moment', async () => {
      await database.query(
        'CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY REFERENCES parent)',
      );
      const stream = await create(database, ['parent', 'child']);
      await database.query('TRUNCATE parent, child');
      const changes = await stream.changes();
      expect(changes.map(({ op, table }) => [op, table])).toEqual([
        ['truncate', 'parent'],
        ['truncate', 'child'],
      ]);
      expect(changes[0]!.position).toBe(changes[1]!.position);
    });

    test('logical messages pass through in order; rolled back and loose ones do not', async () => {
      await database.query('CREATE TABLE messages (id int PRIMARY KEY)');
      const stream = await create(database, ['messages']);
      await database.query(`BEGIN; INSERT INTO messages VALUES (1);
        SELECT pg_logical_emit_message(true, 'ours', 'héllo'); INSERT INTO messages VALUES (2); COMMIT`);
      await database.query(`BEGIN; SELECT pg_logical_emit_message(true, 'ours', 'never'); ROLLBACK`);
      await database.query(`SELECT pg_logical_emit_message(false, 'ours', 'loose')`);
      expect((await stream.changes()).map(({ op, after }) => [op, after])).toEqual([
        ['insert', ['1']],
        ['message', ['ours', 'héllo']],
        ['insert', ['2']],
      ]);
    });

    test('a partitioned table arrives as one, also a row that moves between partitions', async () => {
      await database.query(`CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
        CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
        CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (20)`);
      const stream = await create(database, ['parted']);
      await database.query(`INSERT INTO parted VALUES (1, 'a')`);
      await database.query('UPDATE parted SET id = 11');
      expect((await stream.changes()).map(({ op, table, before, after }) => [op, table, before, after])).toEqual([
        ['insert', 'parted', undefined, ['1', 'a']],
        ['delete', 'parted', ['1', null], undefined],
        ['insert', 'parted', undefined, ['11', 'a']],
      ]);
    });

    test('CHECKLIST 18: a column added and one dropped in the midst of a transaction', async () => {
      await database.query('CREATE TABLE shape (id int PRIMARY KEY, old text)');
      const stream = await create(database, ['shape']);
      await database.query(`BEGIN; INSERT INTO shape VALUES (1, 'a'); ALTER TABLE shape ADD more int DEFAULT 7;
        INSERT INTO shape VALUES (2, 'b'); ALTER TABLE shape DROP old; INSERT INTO shape VALUES (3); COMMIT`);
      const rows = (await stream.changes()).filter(({ op }) => op !== 'message');
      expect(rows.map(({ after }) => after)).toEqual([
        ['1', 'a'],
        ['2', 'b', '7'],
        ['3', '7'],
      ]);
    });

    test('CHECKLIST 26: names of any kind', async () => {
      await database.query(`CREATE SCHEMA "My ""Schema"`);
      await database.query(
        `CREATE TABLE "My ""Schema"."Table.1" ("select" int PRIMARY KEY, "Ünïcode" text, "a""b" text)`,
      );
      const stream = await create(database, [`"My ""Schema"."Table.1"`]);
      await database.query(`INSERT INTO "My ""Schema"."Table.1" VALUES (1, 'ä', 'b')`);
      const blocks = await stream.readAll(undefined);
      expect(dataOf(blocks).map(({ after }) => after)).toEqual([['1', 'ä', 'b']]);
      const [table] = BlockReader.open(blocks[0]!.bytes).header.tables;
      expect(table).toMatchObject({ schema: 'My "Schema', name: 'Table.1' });
      expect(table!.columns.map(({ name }) => name)).toEqual(['select', 'Ünïcode', 'a"b']);
    });

    test('CHECKLIST 36: the origin of a transaction that came from elsewhere', async () => {
      await database.query('CREATE TABLE replayed (id int PRIMARY KEY)');
      const stream = await create(database, ['replayed']);
      const client = await database.connect();
      const name = `elsewhere_${database.name}`;
      await client.query('SELECT pg_replication_origin_create($1)', [name]);
      try {
        await client.query('SELECT pg_replication_origin_session_setup($1)', [name]);
        await client.query('INSERT INTO replayed VALUES (1)');
        await client.query('SELECT pg_replication_origin_session_reset()');
        await client.query('INSERT INTO replayed VALUES (2)');
        expect((await stream.changes()).map(({ origin }) => origin)).toEqual([name, undefined]);
      } finally {
        await client.query('SELECT pg_replication_origin_drop($1)', [name]);
      }
    });
  });

  describe('Promise 4, CHECKLIST 7: values are printed the same whatever the defaults of database and role', () => {
    test('through the stream and through the snapshot', async () => {
      const strange = await freshDatabase('source');
      await strange.query(`ALTER DATABASE "${strange.name}" SET DateStyle = 'German, DMY';
        ALTER DATABASE "${strange.name}" SET IntervalStyle = 'sql_standard';
        ALTER DATABASE "${strange.name}" SET TimeZone = 'Asia/Kathmandu';
        ALTER DATABASE "${strange.name}" SET extra_float_digits = -5;
        ALTER DATABASE "${strange.name}" SET bytea_output = 'escape';
        ALTER DATABASE "${strange.name}" SET search_path = 'public'`);
      await strange.query(`CREATE TABLE val (id int PRIMARY KEY, f float8, t timestamptz, i interval, b bytea, m money,
        r regclass, d date, n numeric, j json, a text[])`);
      const stream = await create(strange, ['val']);
      await strange.query(`INSERT INTO val VALUES (1, 0.1::float8 + 0.2::float8, '2024-02-03 04:05:06.789012+00', '-1 day +2 hours', '\\x00ff',
        1234.5, 'public.val', '0044-03-15 BC', 'Infinity', '{"a" :  1, "a":2}', '{NULL,"NULL","a,b"}')`);
      const wanted = [
        '1',
        '0.30000000000000004',
        '2024-02-03 04:05:06.789012+00',
        '-1 days +02:00:00',
        '\\x00ff',
        '$1,234.50',
        'public.val',
        '0044-03-15 BC',
        'Infinity',
        '{"a" :  1, "a":2}',
        '{NULL,"NULL","a,b"}',
      ];
      expect((await stream.changes()).map(({ after }) => after)).toEqual([wanted]);
      const [shape] = await stream.source.describe([{ schema: 'public', name: 'val' }], contextOf());
      await using snapshot = await stream.source.openSnapshot(contextOf());
      await using reader = await snapshot.openReader(contextOf());
      const rows: unknown[] = [];
      for await (const block of reader.blocks(shape!, { by: 'whole' }, 0, new AbortController().signal)) {
        rows.push(...changesOf(block).map(({ after }) => after));
      }
      expect(rows).toEqual([wanted]);
    });
  });

  test('CHECKLIST 22: a database in another encoding arrives as UTF-8, names included', async () => {
    const server = await freshDatabase('source');
    const name = `${server.name}_latin1`;
    await server.query(`CREATE DATABASE ${name} ENCODING LATIN1 LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    const latin1 = new pg.Client({ connectionString: url.href });
    await latin1.connect();
    try {
      await latin1.query('CREATE TABLE "Straße" (id int PRIMARY KEY, "Größe" text)');
      const source = sourceOf(url.href);
      await source.publish(name, [{ schema: 'public', name: 'Straße' }], contextOf());
      const stream = await source.createStream(name, name, contextOf());
      await latin1.query(`INSERT INTO "Straße" VALUES (1, 'é ÿ ½')`);
      const reader = await source.openReader(
        { sourceId: 'test', generation: 1, stream, after: undefined },
        contextOf(),
      );
      for await (const block of reader.blocks()) {
        expect(changesOf(block).map(({ table, after }) => [table, after])).toEqual([['Straße', ['1', 'é ÿ ½']]]);
        expect(BlockReader.open(block.bytes).header.tables[0]!.columns[1]!.name).toBe('Größe');
        break;
      }
      await reader[Symbol.asyncDispose]();
      await source.dropStream(name, name, contextOf());
    } finally {
      await latin1.end();
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  });

  describe('positions', () => {
    test('the catalog describes tables as the stream announces them', async () => {
      await database.query(`CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('glad'); CREATE DOMAIN other.short AS varchar(5);
        CREATE DOMAIN other.shorter AS other.short;
        CREATE TABLE described (b numeric(8,2), "Key" int, d other.short, dd other.shorter[], gone int, e other.mood, ee other.mood[],
          ds other.shorter, g int GENERATED ALWAYS AS (1) STORED, c char(3), i interval hour to second(2), PRIMARY KEY ("Key", e));
        ALTER TABLE described DROP gone`);
      await database.query(
        'CREATE TABLE described_full (LIKE described); ALTER TABLE described_full REPLICA IDENTITY FULL',
      );
      const names = ['described', 'described_full'];
      const stream = await create(database, names);
      await database.query('TRUNCATE described, described_full');
      const [block] = await stream.readAll(undefined);
      const shapes = await stream.source.describe(
        names.map((name) => ({ schema: 'public', name })),
        contextOf(),
      );
      expect(BlockReader.open(block!.bytes).header.tables).toEqual(shapes.map(({ table }) => table));
      expect(shapes[0]!.primaryKey).toEqual(['Key', 'e']);
      expect(Object.fromEntries(shapes[0]!.typeNames)).toEqual({
        b: 'numeric(8,2)',
        Key: 'integer',
        d: 'other.short',
        dd: 'other.shorter[]',
        e: 'other.mood',
        ee: 'other.mood[]',
        ds: 'other.shorter',
        c: 'character(3)',
        i: 'interval hour to second(2)',
      });
      expect([...shapes[0]!.notNull].sort()).toEqual(['Key', 'e']);
    });

    test('the first block continues from the consistent point, each further one from the one before', async () => {
      await database.query('CREATE TABLE chained (id int PRIMARY KEY, v text)');
      const stream = await create(database, ['chained'], { blockBytes: 200 });
      await database.query(`INSERT INTO chained SELECT g, repeat('x', 50) FROM generate_series(1, 50) g`);
      const blocks = await stream.readAll(undefined);
      let reached = before(1, stream.identity.consistentPoint);
      for (const block of blocks) {
        const summary = BlockReader.summary(block.bytes);
        expect(BlockReader.open(block.bytes).header).toMatchObject({ source: 'test', generation: 1, after: reached });
        expect(summary).toMatchObject({ last: block.last, changes: block.changes, transactions: block.transactions });
        reached = block.last;
      }
      expect(blocks.length).toBeGreaterThan(10);
    });

    test('stopped after any block and opened again, the stream yields all the rest (property)', async () => {
      await database.query('CREATE TABLE resumed (id int PRIMARY KEY, v text)');
      await database.query('CREATE TABLE resumed_too (id int PRIMARY KEY)');
      const small = { blockBytes: 300, sliceBytes: 100 };
      let id = 0;
      const statement = fc.oneof(
        fc.nat({ max: 12 }).map((n) => () => {
          const first = id + 1;
          id += n + 1;
          return `INSERT INTO resumed SELECT g, repeat('v', g % 90) FROM generate_series(${first}, ${id}) g`;
        }),
        fc.constant(() => `UPDATE resumed SET v = v || 'w' WHERE id % 3 = 0`),
        fc.constant(() => 'UPDATE resumed SET id = -id WHERE id % 7 = 0'),
        fc.constant(() => 'DELETE FROM resumed WHERE id % 5 = 0'),
        fc.constant(() => 'TRUNCATE resumed, resumed_too'),
        fc.constant(() => `SELECT pg_logical_emit_message(true, 'm', 'content')`),
        fc.constant(() => 'SAVEPOINT s; DELETE FROM resumed; ROLLBACK TO s'),
      );
      const workload = fc.array(fc.array(statement, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(workload, fc.nat(), fc.nat(), async (transactions, first, second) => {
          const stream = await create(database, ['resumed', 'resumed_too'], small);
          try {
            for (const statements of transactions) {
              await database.query(`BEGIN; ${statements.map((make) => make()).join('; ')}; COMMIT`);
            }
            // Nothing is acknowledged, so that all of it is sent again.
            const whole = await stream.readAll(undefined, { acknowledge: false });
            const held = whole.slice(0, first % (whole.length + 1));
            const part = await stream.readAll(held.at(-1)?.last, { acknowledge: false });
            held.push(...part.slice(0, second % (part.length + 1)));
            held.push(...(await stream.readAll(held.at(-1)?.last)));
            expect(dataOf(held)).toEqual(dataOf(whole));
            let reached = before(1, stream.identity.consistentPoint);
            for (const block of held) {
              expect(BlockReader.open(block.bytes).header.after).toEqual(reached);
              reached = block.last;
            }
          } finally {
            await stream.source.dropStream(stream.identity.slot, stream.identity.publication, contextOf());
          }
        }),
        { numRuns: 12 },
      );
    });

    test('a message of ours lies at or before the commit that carries it', async () => {
      await database.query('CREATE TABLE fenced (id int PRIMARY KEY)');
      const stream = await create(database, ['fenced']);
      await database.query('INSERT INTO fenced VALUES (1)');
      const lsn = await sourceOf(database.url).emitMessage('fence', 'x', contextOf());
      const blocks = await stream.readAll(undefined);
      const commits = blocks.flatMap(changesOf).map(({ position, table }) => ({ table, position }));
      const { commitLsn } = blocks.at(-1)!.last;
      expect(commits.map(({ table }) => table).slice(0, 2)).toEqual(['fenced', 'fence']);
      expect(commitLsn >= lsn).toBe(true);
      const block = BlockReader.open(blocks[0]!.bytes);
      block.nextTransaction();
      expect(block.transaction.commitLsn < lsn).toBe(true);
    });
  });
}
