import { beforeAll, describe, expect, test } from 'vitest';
import type { RawPiece } from '#connectors/contract/source.ts';
import { BlockReader } from '#schemas/block/index.ts';
import { parseTableName } from '#schemas/tables.ts';
import { eventually } from '#test/support/eventually.ts';
import type { TestDatabase } from '#test/support/postgres.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { changesOf, contextOf, sourceOf, TestStream } from './postgres-source-fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase('source');
});

const named = (name: string) => parseTableName(`public.${name}`);
const never = new AbortController().signal;
const whole = { by: 'whole' } as const;

async function textOf(pieces: AsyncIterable<RawPiece>): Promise<string> {
  const all: Buffer[] = [];
  for await (const { bytes } of pieces) all.push(Buffer.from(bytes));
  return Buffer.concat(all).toString();
}

describe('a snapshot', () => {
  test('shows all tables at one moment, and says when that was', async () => {
    await database.query('CREATE TABLE one (id int PRIMARY KEY, v text); CREATE TABLE two (id int PRIMARY KEY)');
    const stream = await TestStream.create(database, ['one', 'two']);
    await database.query(`INSERT INTO one VALUES (1, E'a\\tb\\\\\\n'), (2, NULL), (3, '')`);
    await using snapshot = await stream.source.openSnapshot(contextOf());
    await using reader = await snapshot.openReader(contextOf());
    await database.query('INSERT INTO one VALUES (4); INSERT INTO two VALUES (1)');
    expect(await textOf(reader.copyOut(named('one'), ['v', 'id'], whole, 'text', never))).toBe(
      'a\\tb\\\\\\n\t1\n\\N\t2\n\t3\n',
    );
    expect(await textOf(reader.copyOut(named('two'), ['id'], whole, 'text', never))).toBe('');
    const changes = (await stream.changes()).map(({ after, position }) => ({ id: after?.[0], position }));
    const shown = (await stream.changes()).length; // All is acknowledged: nothing comes twice.
    expect(shown).toBe(0);
    const lsns = changes.map(({ position }) => BigInt(`0x${/\/([0-9A-F]+):/.exec(position)![1]!}`));
    // What it shows was committed before, what it does not show after.
    expect(lsns.map((lsn) => lsn < (snapshot.until & 0xffff_ffffn))).toEqual([true, true, true, false, false]);
  });

  test('as blocks, and as text, the same rows', async () => {
    await database.query(`CREATE TABLE rows (id int PRIMARY KEY, v text, n numeric, g int GENERATED ALWAYS AS (id) STORED);
      INSERT INTO rows SELECT g, CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN repeat(chr(9) || '\\' || chr(10), g % 50) ELSE 'é' || g END, g / 7.0
        FROM generate_series(1, 20000) g`);
    const source = sourceOf(database.url);
    const [shape] = await source.describe([named('rows')], contextOf());
    await using snapshot = await source.openSnapshot(contextOf());
    await using reader = await snapshot.openReader(contextOf());
    const rows: unknown[] = [];
    let after = '';
    let ordinal = 0;
    for await (const block of reader.blocks(shape!, whole, 0, never)) {
      const { last, complete } = BlockReader.summary(block.bytes);
      const { header } = BlockReader.open(block.bytes);
      expect(header.tables).toEqual([shape!.table]);
      expect(complete).toBe(false);
      if (after !== '') expect(JSON.stringify({ ...header.after, commitLsn: '' })).toBe(after);
      after = JSON.stringify({ ...last, commitLsn: '' });
      for (const change of changesOf(block)) {
        expect(change.position).toBe(`0:0/0:${ordinal++}`);
        rows.push(change.after);
      }
    }
    const wanted = await database.query<{ row: string[] }>(
      'SELECT ARRAY[id::text, v, n::text] AS row FROM rows ORDER BY ctid',
    );
    expect(rows).toEqual(wanted.map(({ row }) => row));
    const text = await textOf(reader.copyOut(named('rows'), ['id'], whole, 'text', never));
    expect(text).toBe(rows.map((row) => `${(row as string[])[0]!}\n`).join(''));
  });

  test('a partitioned table whole, a table with children without them', async () => {
    await database.query(`CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9); INSERT INTO parted VALUES (1);
      CREATE TABLE elder (id int PRIMARY KEY); CREATE TABLE heir () INHERITS (elder); INSERT INTO elder VALUES (1); INSERT INTO heir VALUES (2)`);
    await using snapshot = await sourceOf(database.url).openSnapshot(contextOf());
    await using reader = await snapshot.openReader(contextOf());
    expect(await textOf(reader.copyOut(named('parted'), ['id'], whole, 'text', never))).toBe('1\n');
    expect(await textOf(reader.copyOut(named('elder'), ['id'], whole, 'text', never))).toBe('1\n');
  });

  test('one row larger than anything that is buffered', async () => {
    await database.query(
      `CREATE TABLE huge (id int PRIMARY KEY, v text); INSERT INTO huge VALUES (1, repeat('x', 5000000)), (2, 'y')`,
    );
    const source = sourceOf(database.url);
    const [shape] = await source.describe([named('huge')], contextOf());
    await using snapshot = await source.openSnapshot(contextOf());
    await using reader = await snapshot.openReader(contextOf());
    expect((await textOf(reader.copyOut(named('huge'), ['v', 'id'], whole, 'text', never))).length).toBe(5_000_007);
    const lengths: (number | undefined)[] = [];
    for await (const block of reader.blocks(shape!, whole, 0, never))
      lengths.push(...changesOf(block).map(({ after }) => after?.[1]?.length));
    expect(lengths).toEqual([5_000_000, 1]);
  });

  test('Promise 6: a slow consumer holds the source back, not the rows in memory', async () => {
    await database.query(
      `CREATE TABLE much AS SELECT g AS id, repeat('x', 1000) AS v FROM generate_series(1, 100000) g`,
    );
    await using snapshot = await sourceOf(database.url).openSnapshot(contextOf());
    await using reader = await snapshot.openReader(contextOf());
    const chunks = reader.copyOut(named('much'), ['id', 'v'], whole, 'text', never)[Symbol.asyncIterator]();
    await chunks.next();
    const sending = () =>
      database.value<boolean>(
        `SELECT wait_event IS NOT DISTINCT FROM 'ClientWrite' FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'terrafusion snapshot reader'`,
      );
    await eventually(sending, { what: 'the source to wait for us' });
    let bytes = 0;
    for (let chunk = await chunks.next(); chunk.done !== true; chunk = await chunks.next())
      bytes += chunk.value.bytes.length;
    expect(bytes).toBeGreaterThan(100_000_000);
  });

  test('waits for transactions that were writing at the call, and no others', async () => {
    await database.query('CREATE TABLE early (id int PRIMARY KEY)');
    const [writer, later] = [await database.connect(), await database.connect()];
    await writer.query('BEGIN; INSERT INTO early VALUES (1)');
    const opening = sourceOf(database.url).openSnapshot(contextOf());
    await eventually(() =>
      database.value<boolean>(
        `SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'terrafusion snapshot' AND query LIKE '%pg_prepared_xacts%'`,
      ),
    );
    await later.query('BEGIN; INSERT INTO early VALUES (2)');
    await writer.query('COMMIT');
    await using snapshot = await opening;
    await using reader = await snapshot.openReader(contextOf());
    expect(await textOf(reader.copyOut(named('early'), ['id'], whole, 'text', never))).toBe('1\n');
    await later.query('ROLLBACK');
  });

  test('names the transaction that does not end', async () => {
    const client = await database.connect();
    await client.query('SET application_name = endless; BEGIN');
    const { rows } = await client.query<{ pid: number; xid: string }>(
      'SELECT pg_backend_pid() AS pid, pg_current_xact_id()::xid::text AS xid',
    );
    await expect(sourceOf(database.url, { snapshotWaitMs: 50 }).openSnapshot(contextOf())).rejects.toMatchObject({
      code: 'SOURCE_SNAPSHOT_BLOCKED',
      message: expect.stringMatching(`process ${rows[0]!.pid} .*endless.*xid ${rows[0]!.xid}`) as string,
      details: rows[0],
    });
    await client.query('ROLLBACK');
  });

  test('what cannot be read is told, and the rows that security hides are no silent gap', async () => {
    await database.query(`CREATE ROLE reader_of_${database.name} LOGIN PASSWORD 'x';
      CREATE TABLE closed (id int PRIMARY KEY); CREATE TABLE policed (id int PRIMARY KEY); INSERT INTO policed VALUES (1);
      ALTER TABLE policed ENABLE ROW LEVEL SECURITY; GRANT SELECT ON policed TO reader_of_${database.name}`);
    const url = new URL(database.url);
    url.username = `reader_of_${database.name}`;
    url.password = 'x';
    try {
      for (const [table, text] of [
        ['closed', /closed/],
        ['policed', /policed/],
        ['gone', /gone/],
      ] as const) {
        await using snapshot = await sourceOf(url.href).openSnapshot(contextOf());
        await using reader = await snapshot.openReader(contextOf());
        await expect(textOf(reader.copyOut(named(table), ['id'], whole, 'text', never))).rejects.toMatchObject({
          code: table === 'gone' ? 'SOURCE_TABLE_MISSING' : 'SOURCE_NO_PRIVILEGE',
          message: expect.stringMatching(text) as string,
        });
      }
    } finally {
      await database.query(`DROP OWNED BY reader_of_${database.name}; DROP ROLE reader_of_${database.name}`);
    }
  });

  test('an abort ends a copy, a lost connection is told', async () => {
    const source = sourceOf(database.url);
    const stop = new AbortController();
    await using snapshot = await source.openSnapshot(contextOf());
    const aborted = await snapshot.openReader(contextOf());
    const copying = textOf(aborted.copyOut(named('much'), ['id', 'v'], whole, 'text', stop.signal));
    stop.abort(new Error('stopped'));
    await expect(copying).rejects.toThrow('stopped');
    await aborted[Symbol.asyncDispose]();

    await using lost = await snapshot.openReader(contextOf());
    const chunks = lost.copyOut(named('much'), ['id', 'v'], whole, 'text', never)[Symbol.asyncIterator]();
    await chunks.next();
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'terrafusion snapshot reader'`,
    );
    const rest = (async () => {
      while (!(await chunks.next()).done);
    })();
    await expect(rest).rejects.toMatchObject({ code: 'SOURCE_DISCONNECTED' });
  });
});
