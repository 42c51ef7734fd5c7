import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check } from '#connectors/contract/check.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import { parseTableName } from '#schemas/tables.ts';
import { eventually } from '#test/support/eventually.ts';
import { freePort } from '#test/support/ports.ts';
import { startPostgres, type TestDatabase, type TestPostgres } from '#test/support/postgres.ts';
import { contextOf, sourceOf, TestStream } from './postgres-source-fixture.ts';

let server: TestPostgres;
let database: TestDatabase;
beforeAll(async () => {
  server = await startPostgres({
    settings: { fsync: false, max_prepared_transactions: 5 },
    hba: ['host all nohba 127.0.0.1/32 reject'],
  });
  database = await server.createDatabase('source');
});
afterAll(() => server.stop());

const names = (...tables: string[]) => tables.map((table) => parseTableName(`public.${table}`));
const unique = (prefix: string) => `${prefix}_${randomBytes(4).toString('hex')}`;

/** A role of its own, and the URL by which it logs in. */
async function role(attributes = 'REPLICATION'): Promise<{ name: string; url: string }> {
  const name = unique('role');
  await database.query(`CREATE ROLE ${name} LOGIN ${attributes} PASSWORD 'secret-of-${name}'`);
  return { name, url: server.url(database.name, { user: name, password: `secret-of-${name}` }) };
}

function published(publication: string): Promise<string> {
  return database.value(
    `SELECT coalesce(string_agg(tablename, ' ' ORDER BY tablename), '') FROM pg_publication_tables WHERE pubname = $1`,
    [publication],
  );
}

describe('bad input: a code that names the thing, and nothing half-made is left behind', () => {
  const code = (wanted: string, text: RegExp = /./) =>
    expect.objectContaining({ code: wanted, message: expect.stringMatching(text) as string }) as Error;

  test('wrong password, no user, no database, a rejected host, nobody there', async () => {
    const at = (url: string) => sourceOf(url).describe(undefined, contextOf());
    await expect(at(server.url(database.name, { user: 'postgres', password: 'wr0ng' }))).rejects.toThrow(
      code('SOURCE_LOGIN_FAILED', /postgres/),
    );
    await expect(at(server.url(database.name, { user: 'nobody', password: 'x' }))).rejects.toThrow(
      code('SOURCE_LOGIN_FAILED'),
    );
    await expect(at(server.url(database.name, { user: 'postgres' }))).rejects.toThrow(code('SOURCE_LOGIN_FAILED'));
    await database.query(`CREATE ROLE nohba LOGIN PASSWORD 'x'`);
    await expect(at(server.url(database.name, { user: 'nohba', password: 'x' }))).rejects.toThrow(
      code('SOURCE_LOGIN_FAILED', /pg_hba/),
    );
    await expect(at(server.url('nowhere'))).rejects.toThrow(code('SOURCE_DATABASE_MISSING', /nowhere/));
    await expect(at(`postgresql://a:b@127.0.0.1:${await freePort()}/x`)).rejects.toThrow(
      code('SOURCE_UNREACHABLE', /127\.0\.0\.1/),
    );
    await expect(at('postgresql://a:b@nowhere.invalid/x')).rejects.toThrow(
      code('SOURCE_UNREACHABLE', /nowhere\.invalid/),
    );
  });

  test('Promise 8: no password in what is told', async () => {
    const source = sourceOf(server.url(database.name, { user: 'postgres', password: 'wr0ng-secret' }));
    const told = await source.describe(undefined, contextOf()).then(
      () => expect.fail('let in'),
      (error: unknown) => error,
    );
    const { message, details, cause } = told as TerraFusionError;
    expect(`${message} ${JSON.stringify(details)} ${JSON.stringify(cause)} ${inspect(told)}`).not.toContain(
      'wr0ng-secret',
    );
  });

  test('tables that are not there, all at once, and what is there under their names', async () => {
    await database.query('CREATE TABLE there (id int PRIMARY KEY); CREATE VIEW view_of AS SELECT 1 AS one');
    await expect(
      sourceOf(database.url).describe(names('there', 'gone', 'There', 'view_of'), contextOf()),
    ).rejects.toThrow(
      code(
        'SOURCE_TABLE_MISSING',
        /public\.gone does not exist, public\.There does not exist, public\.view_of is a view/,
      ),
    );
  });

  test('Promise 7, CHECKLIST 13: a table without a key is refused before anything is changed', async () => {
    await database.query(`CREATE TABLE keyed (id int PRIMARY KEY);
      CREATE TABLE keyless (id int);
      CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE);
      CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
      CREATE TABLE dropped (id int NOT NULL); CREATE UNIQUE INDEX dropped_id ON dropped (id);
      ALTER TABLE dropped REPLICA IDENTITY USING INDEX dropped_id; DROP INDEX dropped_id;
      CREATE TABLE parent (id int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parent FOR VALUES FROM (0) TO (9);
      ALTER TABLE parent REPLICA IDENTITY FULL;
      CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY)`);
    const publication = unique('p');
    const source = sourceOf(database.url);
    for (const table of ['keyless', 'deferred', 'nothing', 'dropped', 'parent', 'unlogged']) {
      await expect(source.publish(publication, names('keyed', table), contextOf())).rejects.toThrow(
        code('SOURCE_TABLE_WITHOUT_KEY', new RegExp(`public\\.${table}`)),
      );
    }
    expect(
      await database.value<number>('SELECT count(*)::int FROM pg_publication WHERE pubname = $1', [publication]),
    ).toBe(0);
    await database.query('ALTER TABLE keyless REPLICA IDENTITY FULL; ALTER TABLE part REPLICA IDENTITY FULL');
    await source.publish(publication, names('keyed', 'keyless', 'parent'), contextOf());
    await database.query(
      'INSERT INTO keyless VALUES (1); UPDATE keyless SET id = 2; INSERT INTO parent VALUES (1); DELETE FROM parent',
    );
  });

  test('somebody else’s table, and a role that may not replicate', async () => {
    const { name, url } = await role('');
    await database.query(
      `GRANT CREATE ON DATABASE "${database.name}" TO ${name}; CREATE TABLE theirs (id int PRIMARY KEY)`,
    );
    const publication = unique('p');
    await expect(sourceOf(url).publish(publication, names('theirs'), contextOf())).rejects.toThrow(
      code('SOURCE_NO_PRIVILEGE', /theirs/),
    );
    await expect(sourceOf(url).createStream(unique('s'), publication, contextOf())).rejects.toThrow(
      code('SOURCE_NO_PRIVILEGE'),
    );
    expect(await published(publication)).toBe('');
    expect(await database.value<number>('SELECT count(*)::int FROM pg_replication_slots')).toBe(0);
  });
});

describe('publications', () => {
  test('hold exactly the tables, through the root of partitioned ones; again changes nothing', async () => {
    await database.query(`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
      CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)`);
    const source = sourceOf(database.url);
    const publication = unique('p');
    expect(await source.publish(publication, [], contextOf())).toBe(true);
    expect(await published(publication)).toBe('');
    expect(await source.publish(publication, names('a', 'p'), contextOf())).toBe(false);
    expect(await published(publication)).toBe('a p');
    const version = () => database.value('SELECT xmin::text FROM pg_publication WHERE pubname = $1', [publication]);
    const members = () =>
      database.query(
        `SELECT r.oid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = prpubid WHERE pubname = $1 ORDER BY 1`,
        [publication],
      );
    const before = [await version(), await members()];
    await source.publish(publication, names('p', 'a'), contextOf());
    expect([await version(), await members()]).toEqual(before);
    await database.query(`ALTER PUBLICATION ${publication} SET (publish = 'insert')`);
    await source.publish(publication, names('b', 'p'), contextOf());
    expect(await published(publication)).toBe('b p');
    expect(
      await database.query(
        'SELECT pubupdate, pubdelete, pubtruncate, pubviaroot FROM pg_publication WHERE pubname = $1',
        [publication],
      ),
    ).toEqual([{ pubupdate: true, pubdelete: true, pubtruncate: true, pubviaroot: true }]);
  });

  test('Promise 7: a table that is locked for long is not waited for without end', async () => {
    await database.query('CREATE TABLE locked (id int PRIMARY KEY)');
    const client = await database.connect();
    await client.query('BEGIN; LOCK TABLE locked');
    await expect(
      sourceOf(database.url, { lockWaitMs: 50 }).publish(unique('p'), names('locked'), contextOf()),
    ).rejects.toMatchObject({ code: 'SOURCE_BUSY' });
    await client.query('ROLLBACK');
  });
});

describe('CHECKLIST 5: making a slot', () => {
  test('waits for a running transaction, and then names it', async () => {
    const source = sourceOf(database.url, { slotWaitMs: 300 });
    const [slot, publication] = [unique('s'), unique('p')];
    await source.publish(publication, [], contextOf());
    const client = await database.connect();
    await client.query('SET application_name = blocker; BEGIN');
    const { rows } = await client.query<{ pid: number; xid: string }>(
      'SELECT pg_backend_pid() AS pid, pg_current_xact_id()::xid::text AS xid',
    );
    const { pid, xid } = rows[0]!;
    await expect(source.createStream(slot, publication, contextOf())).rejects.toMatchObject({
      code: 'SOURCE_SLOT_BLOCKED',
      message: expect.stringContaining(`process ${pid} (user postgres, application blocker`) as string,
      details: { pid, xid },
    });
    expect((await source.slotStatus(slot, contextOf())).exists).toBe(false);
    const making = source.createStream(slot, publication, contextOf());
    await client.query('COMMIT');
    await making;
    expect(await source.slotStatus(slot, contextOf())).toMatchObject({ exists: true, state: 'reserved' });
    await source.dropStream(slot, publication, contextOf());
  });

  test('names a prepared transaction, which has no process', async () => {
    const client = await database.connect();
    await client.query(
      `CREATE TABLE prepared (id int PRIMARY KEY); BEGIN; INSERT INTO prepared VALUES (1); PREPARE TRANSACTION 'forgotten'`,
    );
    const slot = unique('s');
    await expect(
      sourceOf(database.url, { slotWaitMs: 300 }).createStream(slot, 'p', contextOf()),
    ).rejects.toMatchObject({
      code: 'SOURCE_SLOT_BLOCKED',
      message: expect.stringContaining('prepared transaction "forgotten"') as string,
    });
    await client.query(`ROLLBACK PREPARED 'forgotten'`);
  });

  test('an abort leaves no slot, and nobody waiting at the server', async () => {
    const client = await database.connect();
    await client.query('BEGIN; SELECT pg_current_xact_id()');
    const stop = new AbortController();
    const slot = unique('s');
    const making = sourceOf(database.url).createStream(slot, 'p', contextOf(stop));
    const waiting = () =>
      database.value<number>(
        `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'terrafusion slot' AND wait_event_type = 'Lock'`,
      );
    await eventually(async () => (await waiting()) === 1, { what: 'the server to wait' });
    stop.abort(new Error('stopped'));
    await expect(making).rejects.toThrow('stopped');
    await eventually(async () => (await waiting()) === 0, { what: 'the server to give up' });
    expect((await sourceOf(database.url).slotStatus(slot, contextOf())).exists).toBe(false);
    await client.query('ROLLBACK');
  });

  test('none left', async () => {
    await using small = await startPostgres({ settings: { fsync: false, max_replication_slots: 1 } });
    const other = await small.createDatabase();
    await TestStream.create(other, []);
    await expect(sourceOf(other.url).createStream('second', 'p', contextOf())).rejects.toMatchObject({
      code: 'SOURCE_SLOTS_EXHAUSTED',
    });
    expect(await failing(sourceOf(other.url).check(undefined, contextOf()))).toEqual(['max_replication_slots']);
  });
});

/** Names of the required checks that failed. */
async function failing(checks: Promise<Check[]>): Promise<string[]> {
  return (await checks).filter(({ ok, required }) => required && !ok).map(({ name }) => name);
}

describe('CHECKLIST 8, 9, 13: checks', () => {
  test('a good source has none that fails, and everything that fails has a fix', async () => {
    await database.query('CREATE TABLE good (id int PRIMARY KEY)');
    const checks = await sourceOf(database.url).check(names('good'), contextOf());
    expect(checks.filter(({ ok, required }) => required && !ok)).toEqual([]);
    expect(checks.filter(({ ok, fix }) => !ok && fix === undefined)).toEqual([]);
    expect(checks.find(({ name }) => name === 'max_slot_wal_keep_size')).toMatchObject({ ok: false, required: false });
  });

  test('a login that fails is the only check there is', async () => {
    const checks = await sourceOf(server.url(database.name, { user: 'postgres', password: 'x' })).check(
      undefined,
      contextOf(),
    );
    expect(checks).toMatchObject([{ name: 'login', ok: false, code: 'SOURCE_LOGIN_FAILED' }]);
  });

  test('a role that may nothing; what the fixes say mends it', async () => {
    const { name, url } = await role('');
    await database.query(`CREATE SCHEMA hidden; CREATE TABLE hidden.away (id int PRIMARY KEY);
      CREATE TABLE rls (id int PRIMARY KEY); ALTER TABLE rls ENABLE ROW LEVEL SECURITY; GRANT SELECT ON rls TO ${name};
      CREATE TABLE open (id int); CREATE TABLE of_superuser (id int PRIMARY KEY); GRANT SELECT ON of_superuser TO ${name};
      CREATE ROLE owner_of_${name}; ALTER TABLE hidden.away OWNER TO owner_of_${name};
      ALTER TABLE rls OWNER TO owner_of_${name}; ALTER TABLE rls FORCE ROW LEVEL SECURITY;
      ALTER TABLE open OWNER TO owner_of_${name}`);
    const tables = ['hidden.away', 'public.rls', 'public.open', 'public.of_superuser', 'public.missing'].map(
      parseTableName,
    );
    const checks = await sourceOf(url).check(tables, contextOf());
    const failed = checks.filter(({ ok, required }) => required && !ok);
    expect(failed.map(({ name }) => name)).toEqual([
      'replication_privilege',
      'publication_privilege',
      'replication_connection',
      'privilege:hidden.away',
      'owner:hidden.away',
      'owner:public.rls',
      'row_security:public.rls',
      'privilege:public.open',
      'owner:public.open',
      'identity:public.open',
      'owner:public.of_superuser',
      'table:public.missing',
    ]);
    const statements = failed.map(({ fix }) => /(GRANT|ALTER ROLE) .*;/.exec(fix ?? '')?.[0] ?? '');
    await database.query(statements.join('\n'));
    expect(await failing(sourceOf(url).check(tables, contextOf()))).toEqual([
      'identity:public.open',
      'owner:public.of_superuser',
      'table:public.missing',
    ]);
  });

  test('wal_level is replica', async () => {
    await using replica = await startPostgres({ settings: { fsync: false, wal_level: 'replica' } });
    const other = await replica.createDatabase();
    const source = sourceOf(other.url);
    const checks = await source.check(undefined, contextOf());
    expect(checks.find(({ name }) => name === 'wal_level')).toMatchObject({
      ok: false,
      code: 'SOURCE_WAL_LEVEL',
      fix: expect.stringContaining('wal_level = logical') as string,
    });
    await source.publish('p', [], contextOf());
    await expect(source.createStream('s', 'p', contextOf())).rejects.toMatchObject({ code: 'SOURCE_WAL_LEVEL' });
    expect((await source.slotStatus('s', contextOf())).exists).toBe(false);
  });

  test('a database whose bytes mean nothing', async () => {
    const name = unique('ascii');
    await database.query(
      `CREATE DATABASE ${name} ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'`,
    );
    const checks = sourceOf(server.url(name)).check(undefined, contextOf());
    expect(await failing(checks)).toEqual(['encoding']);
    expect((await checks).find(({ name }) => name === 'encoding')).toMatchObject({ code: 'SOURCE_ENCODING' });
  });
});

test('the catalog without names: every table that could be replicated, and nothing else', async () => {
  const fresh = await server.createDatabase();
  await fresh.query(`CREATE SCHEMA _terrafusion; CREATE TABLE _terrafusion.ours (id int);
    CREATE SCHEMA "B"; CREATE TABLE "B".two (id int); CREATE TABLE one (id int PRIMARY KEY); CREATE UNLOGGED TABLE lost (id int);
    CREATE TABLE root (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (9);
    CREATE VIEW seen AS SELECT 1; CREATE TABLE bare ();
    INSERT INTO one SELECT generate_series(1, 100); INSERT INTO root VALUES (1), (2); ANALYZE`);
  const shapes = await sourceOf(fresh.url).describe(undefined, contextOf());
  expect(shapes.map(({ table, estimatedRows }) => [`${table.schema}.${table.name}`, estimatedRows])).toEqual([
    ['B.two', 0],
    ['public.bare', 0],
    ['public.one', 100],
    ['public.root', 2],
  ]);
});
