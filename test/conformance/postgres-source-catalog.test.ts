import { beforeAll, describe, expect, test } from 'vitest';
import type { CatalogLooked } from '#connectors/contract/source.ts';
import { parseSchemaMessage, SCHEMA_PREFIX, type SchemaMessage } from '#schemas/source-tables.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { contextOf, TestStream } from './postgres-source-fixture.ts';

/** What a source that does not tell by itself is asked for, and says in its stream then. (CHECKLIST 19) */
describe("looks at a source's catalog", () => {
  let database: TestDatabase;
  let stream: TestStream;
  let known: CatalogLooked['known'] = {};

  beforeAll(async () => {
    database = await freshDatabase('source');
    await database.query(`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, x text);
      CREATE TABLE other (id int PRIMARY KEY); CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id)`);
    stream = await TestStream.create(database, ['a', 'b', 'parted']);
  });

  const request = (all: boolean) => ({ publication: stream.identity.publication, all, known });

  async function look(all = false): Promise<CatalogLooked> {
    const looked = (await stream.source.tellAltered!(request(all), contextOf()))!;
    known = looked.known;
    return looked;
  }

  /** What one look has put into the stream. */
  async function said(all = false): Promise<SchemaMessage[]> {
    const before = (await stream.readAll(undefined)).at(-1)!.last;
    const { told } = await look(all);
    const messages = (await stream.changes(before))
      .filter(({ table }) => table === SCHEMA_PREFIX)
      .map(({ after }) => parseSchemaMessage(after![1]!)!);
    expect(messages.reduce((sum, { tables, dropped }) => sum + tables.length + dropped.length, 0)).toBe(told);
    return messages;
  }

  const namesOf = (messages: readonly SchemaMessage[]): string[] =>
    messages.flatMap(({ tables }) => tables.map(({ name }) => name)).sort();

  test('are not needed where event triggers tell; switched off, they are', async () => {
    expect(await stream.source.tellAltered!(request(true), contextOf())).toBeUndefined();
    await database.query(
      `DO $$ DECLARE t name; BEGIN FOR t IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', t); END LOOP; END $$`,
    );
    // Nothing is known yet: everything that is published is told of, once.
    expect(namesOf(await said())).toEqual(['a', 'b', 'parted']);
    expect(await said()).toEqual([]);
  });

  test('tell of what was altered alone, in the words of the triggers', async () => {
    await database.query(`ALTER TABLE b ALTER x SET NOT NULL; INSERT INTO b VALUES (1, 'x'); ANALYZE`);
    const [message, ...more] = await said();
    expect(more).toEqual([]);
    expect(message).toMatchObject({ command: '', dropped: [], rewritten: [], by_expression: true });
    expect(message!.tables).toMatchObject([{ name: 'b', columns: [{}, { name: 'x', not_null: true }] }]);
    const [state] = await stream.source.tableStates([message!.tables[0]!.relation_id], contextOf());
    expect(message!.tables[0]).toEqual(state);
  });

  test('tell of tables that are not published when somebody follows new ones', async () => {
    expect(namesOf(await said(true))).toEqual(['other']);
    await database.query(
      'CREATE TABLE late (id int PRIMARY KEY); CREATE UNLOGGED TABLE scratch (id int); CREATE SCHEMA _terrafusion_x',
    );
    expect(namesOf(await said(true))).toEqual(['late']);
  });

  test('tell first of what is gone: a table of that name is another one', async () => {
    const old = await database.value<number>(`SELECT 'late'::regclass::oid::int8::int4`);
    await database.query('DROP TABLE late; CREATE TABLE late (id text PRIMARY KEY)');
    const messages = await said(true);
    expect(messages.map(({ tables, dropped }) => [tables.length, ...dropped])).toEqual([[0, old], [1]]);
  });

  test('do not wait for a table that somebody alters, nor let it keep the others', async () => {
    const client = await database.connect();
    await client.query('BEGIN; ALTER TABLE a ADD x int');
    await database.query('ALTER TABLE b ADD y int');
    // What is not committed is not seen; b is.
    expect(namesOf(await said(true))).toEqual(['b']);
    await client.query('COMMIT');
    await client.query('BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE');
    await database.query('ALTER TABLE b ADD z int');
    expect(namesOf(await said(true))).toEqual(['b']);
    await client.query('COMMIT');
    await client.end();
    expect(namesOf(await said(true))).toEqual(['a']);
  });

  test('know of a new partition whether it came with rows', async () => {
    const empty = async (sql: string): Promise<boolean> => {
      const client = await database.connect();
      await client.query(sql);
      await client.end();
      const messages = await said();
      expect(namesOf(messages)).toEqual(['parted']);
      return messages[0]!.partitions_empty;
    };
    expect(await empty('CREATE TABLE p1 PARTITION OF parted FOR VALUES IN (1)')).toBe(true);
    await database.query('INSERT INTO parted VALUES (1)');
    await database.query('CREATE TABLE p2 (id int NOT NULL PRIMARY KEY); INSERT INTO p2 VALUES (2)');
    expect(await empty('ALTER TABLE parted ATTACH PARTITION p2 FOR VALUES IN (2)')).toBe(false);
    expect(
      await empty(
        'BEGIN; CREATE TABLE p3 (id int NOT NULL PRIMARY KEY); INSERT INTO p3 VALUES (3); ALTER TABLE parted ATTACH PARTITION p3 FOR VALUES IN (3); COMMIT',
      ),
    ).toBe(false);
    // Filled in the transaction that made it: through the root or not, that cannot be told.
    expect(await empty('CREATE TABLE p4 PARTITION OF parted FOR VALUES IN (4); INSERT INTO parted VALUES (4)')).toBe(
      false,
    );
    await database.query('INSERT INTO parted VALUES (1) ON CONFLICT DO NOTHING');
    expect(await empty('DROP TABLE p4')).toBe(true);
  });
});
