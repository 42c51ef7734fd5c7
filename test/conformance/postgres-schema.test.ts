import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { SchemaModel, SchemaReport } from '#connectors/contract/schema.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { connect, destroy, endClient } from '#connectors/postgres/connection.ts';
import { makeSchema } from '#connectors/postgres/schema/create.ts';
import { postgresSource } from '#connectors/postgres/source/source.ts';
import { postgresTarget } from '#connectors/postgres/target/target.ts';
import { parseTableName } from '#schemas/tables.ts';
import { SeededRandom } from '#services/demo/random.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { describeCatalog } from '#test/support/catalog.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { tablesOf } from '#test/support/rows.ts';
import { freshDatabase } from '#test/support/servers.ts';

const rich = readFileSync(new URL('../fixtures/rich-schema.sql', import.meta.url), 'utf8');

const contextOf = (signal: AbortSignal = new AbortController().signal): ConnectorContext => ({
  clock: systemClock,
  log: silentLog,
  signal,
});
const context = contextOf();

interface Ends {
  readonly from: TestDatabase;
  readonly to: TestDatabase;
  readonly source: Source;
  readonly target: Target;
}

async function ends(sql: string, there = ''): Promise<Ends> {
  const [from, to] = [await freshDatabase('source'), await freshDatabase('target')];
  await from.query(sql);
  if (there !== '') await to.query(there);
  return { from, to, source: postgresSource({ url: from.url }), target: postgresTarget({ url: to.url }) };
}

async function modelOf({ from, source }: Ends, tables?: readonly string[]): Promise<SchemaModel> {
  return source.describeSchema!((tables ?? (await tablesOf(from))).map(parseTableName), context);
}

async function make(target: Target, model: SchemaModel): Promise<SchemaReport> {
  const before = await target.createSchema!(model, 'before', context);
  const after = await target.createSchema!(model, 'after', context);
  return {
    made: [...new Set([...before.made, ...after.made])],
    found: [...before.found, ...after.found],
    skipped: [...before.skipped, ...after.skipped],
  };
}

/** Runs `work` on a session that breaks at its nth statement, before or after the server has heard of it. @returns whether it broke */
async function cutOff(to: TestDatabase, nth: number, work: (client: pg.Client) => Promise<unknown>): Promise<boolean> {
  const client = await connect({ url: to.url }, context, { role: 'target' });
  const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
  let count = 0;
  let broken = false;
  const breaking = (...parameters: unknown[]): unknown => {
    if (++count !== nth) return query(...parameters);
    broken = true;
    if (nth % 2 === 0) {
      destroy(client);
      return Promise.reject(new Error('cut off'));
    }
    const answer = query(...parameters);
    destroy(client);
    return answer;
  };
  Object.assign(client, { query: breaking });
  await work(client).catch((error: unknown) => {
    if (!broken) throw error;
  });
  await endClient(client);
  // The server may still be at work for it: what it holds is let go of first.
  await eventually(
    async () =>
      (await to.value<number>(
        "SELECT count(*)::int FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND l.locktype = 'advisory'",
      )) === 0,
  );
  return broken;
}

const objects = ({ skipped }: SchemaReport): string[] => skipped.map(({ object }) => object).sort();

describe('a schema made at the target', () => {
  test('is the same as at the source, object for object', async () => {
    const both = await ends(rich);
    const model = await modelOf(both);
    const report = await make(both.target, model);
    expect(report.skipped).toEqual([]);
    expect(await describeCatalog(both.to)).toEqual(await describeCatalog(both.from));
    // What it was read as there is what it was read as here: the same can be made of it again.
    const again = await postgresSource({ url: both.to.url }).describeSchema!(
      model.tables.filter(({ partitionOf }) => partitionOf === undefined).map(({ name }) => name),
      context,
    );
    expect(again.tables.map(({ name }) => name)).toEqual(model.tables.map(({ name }) => name));
    expect(again.types).toEqual(model.types);
    expect(again.sequences).toEqual(model.sequences);
  });

  test('repeating a phase changes nothing and tells the same', async () => {
    const { to, target, ...both } = await ends(rich);
    const model = await modelOf({ to, target, ...both });
    const first = await make(target, model);
    const catalog = await describeCatalog(to);
    const second = await make(target, model);
    expect([...second.made].sort()).toEqual([...first.made].sort());
    expect(second.skipped).toEqual([]);
    expect(await describeCatalog(to)).toEqual(catalog);
  });

  test('cut off at any statement and repeated, it ends the same', async () => {
    const both = await ends(rich);
    const model = await modelOf(both);
    const random = new SeededRandom(20_261_127);
    for (const phase of ['before', 'after'] as const) {
      let cuts = 0;
      let at = 1;
      while (await cutOff(both.to, at, (client) => makeSchema(client, model, phase))) {
        cuts++;
        // Both phases make their objects one by one, and what is made stays: each try gets further by itself.
        at += random.whole(1, 12);
      }
      expect(cuts).toBeGreaterThan(5);
    }
    expect(await describeCatalog(both.to)).toEqual(await describeCatalog(both.from));
  });

  test('two that want the same at once get it once', async () => {
    const both = await ends(rich);
    const model = await modelOf(both);
    const reports = await Promise.all([1, 2, 3].map(() => both.target.createSchema!(model, 'before', context)));
    expect(reports.flatMap(({ skipped }) => skipped)).toEqual([]);
    await Promise.all([1, 2].map(() => both.target.createSchema!(model, 'after', context)));
    expect(await describeCatalog(both.to)).toEqual(await describeCatalog(both.from));
  });

  test('a plan says what would be made and makes nothing', async () => {
    const both = await ends(rich);
    const model = await modelOf(both);
    const empty = await describeCatalog(both.to);
    const plan = await both.target.createSchema!(model, 'plan', context);
    expect(await describeCatalog(both.to)).toEqual(empty);
    const report = await make(both.target, model);
    expect([...plan.made].sort()).toEqual([...report.made].sort());
  });
});

describe('what cannot be made', () => {
  test('is told with its reason, and everything else is made', async () => {
    const both = await ends(`
      CREATE FUNCTION own(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
      CREATE TABLE t (id int PRIMARY KEY, name text DEFAULT own('x'), loud text GENERATED ALWAYS AS (own(name)) STORED, n int DEFAULT 7,
        CHECK (own(name) <> ''), CHECK (n > 0));
      CREATE INDEX t_own ON t (own(name));
      CREATE INDEX t_n ON t (n);
      COMMENT ON INDEX t_own IS 'x';
      CREATE TABLE other (id int PRIMARY KEY, t int REFERENCES t);
      CREATE TABLE child (id int PRIMARY KEY, other int REFERENCES other);
      CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER telling AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell();
      CREATE RULE quiet AS ON DELETE TO t DO ALSO NOTHING;
      ALTER TABLE child ENABLE ROW LEVEL SECURITY`);
    const report = await make(both.target, await modelOf(both, ['public.t', 'public.child']));
    expect(objects(report)).toEqual([
      'check constraint t_name_check of public.t',
      'column public.t.loud',
      'default of public.t.name',
      'foreign key child_other_fkey of public.child',
      'index t_own of public.t',
      'row security of public.child',
      'rule quiet on public.t',
      'trigger telling on public.t',
    ]);
    for (const { reason, fix } of report.skipped) expect([reason.length > 20, fix.length > 10]).toEqual([true, true]);
    expect(report.skipped.find(({ object }) => object === 'default of public.t.name')?.reason).toContain('own');
    expect(await both.to.value(`INSERT INTO t (id) VALUES (1) RETURNING n`)).toBe(7);
    expect(await both.to.value(`SELECT count(*)::int FROM pg_indexes WHERE indexname = 't_n'`)).toBe(1);
    // Once the function is there the rest is made.
    await both.to.query(`CREATE FUNCTION own(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)'`);
    const again = await make(both.target, await modelOf(both, ['public.t', 'public.child']));
    expect(objects(again)).toEqual([
      'foreign key child_other_fkey of public.child',
      'row security of public.child',
      'rule quiet on public.t',
      'trigger telling on public.t',
    ]);
    expect(await both.to.value(`INSERT INTO t (id) VALUES (2) RETURNING loud`)).toBe('X');
  });

  test('a table that was there before gets nothing added, and the differences are told', async () => {
    const there = `CREATE TABLE t (id int PRIMARY KEY, name varchar(9), mine int); CREATE TABLE same (id int PRIMARY KEY)`;
    const both = await ends(
      `CREATE TABLE t (id int PRIMARY KEY, name text DEFAULT 'x', born serial, UNIQUE (name)); CREATE INDEX t_born ON t (born);
       CREATE TABLE same (id int PRIMARY KEY); CREATE TABLE new (id int PRIMARY KEY REFERENCES t)`,
      there,
    );
    const report = await make(both.target, await modelOf(both));
    expect(report.found).toContain('table public.same');
    expect(objects(report)).toEqual(['foreign key new_id_fkey of public.new', 'table public.t']);
    const { reason } = report.skipped.find(({ object }) => object === 'table public.t')!;
    for (const word of ['column name is', 'no column born', 'UNIQUE', 'no index t_born'])
      expect(reason).toContain(word);
    const fresh = await freshDatabase('target');
    await fresh.query(`${there}; CREATE TABLE new (id int PRIMARY KEY)`);
    expect(await describeCatalog(both.to)).toEqual(await describeCatalog(fresh));
  });

  test('something else of the same name is told and never altered', async () => {
    const both = await ends(
      `CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE t (id int PRIMARY KEY, m mood, n int); CREATE INDEX t_n ON t (n)`,
      `CREATE TYPE mood AS ENUM ('good'); CREATE TABLE elsewhere (n int); CREATE INDEX t_n ON elsewhere (n)`,
    );
    const report = await make(both.target, await modelOf(both));
    expect(objects(report)).toEqual(['index t_n of public.t', 'type public.mood']);
    expect(await both.to.value(`SELECT enum_range(NULL::mood)::text`)).toBe('{good}');
  });

  test('without a type of its columns no table is made, and nothing stays', async () => {
    const both = await ends(
      `CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('good'); CREATE TABLE t (id int PRIMARY KEY, c citext, m mood)`,
    );
    const model = await modelOf(both);
    const none: SchemaModel = { ...model, extensions: model.extensions.map((each) => ({ ...each, name: 'no_such' })) };
    await expect(both.target.createSchema!(none, 'before', context)).rejects.toMatchObject({
      code: 'TARGET_TYPE_MISSING',
      details: { columns: ['public.t.c "public"."citext"'] },
    });
    expect((await describeCatalog(both.to)).filter((line) => /mood|citext|table/.test(line))).toEqual([]);
    const plan = await both.target.createSchema!(none, 'plan', context);
    expect(objects(plan)).toEqual(['extension no_such', 'tables']);
  });

  test('partitions that the target cannot have become one plain table', async () => {
    const both = await ends(`
      CREATE FUNCTION part(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 10';
      CREATE TABLE p (id int NOT NULL, v text DEFAULT 'd', g int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY LIST (part(id));
      CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_rest PARTITION OF p DEFAULT; CREATE INDEX p1_v ON p1 (v);
      ALTER TABLE p REPLICA IDENTITY FULL; ALTER TABLE p1 REPLICA IDENTITY FULL; ALTER TABLE p_rest REPLICA IDENTITY FULL`);
    const report = await make(both.target, await modelOf(both));
    expect(objects(report)).toEqual(['partitioning of public.p']);
    expect(await tablesOf(both.to)).toEqual(['public.p']);
    expect(await both.to.query(`INSERT INTO p (id) VALUES (1) RETURNING v, g`)).toEqual([{ v: 'd', g: 2 }]);
    expect(objects(await make(both.target, await modelOf(both)))).toEqual(['partitioning of public.p']);
  });

  test('rows that break a constraint keep only that one from being made', async () => {
    const both = await ends(
      `CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE, CHECK (n < 10)); CREATE INDEX t_n ON t (n)`,
    );
    const model = await modelOf(both);
    await both.target.createSchema!(model, 'before', context);
    await both.to.query('INSERT INTO t VALUES (1, 11), (2, 11)');
    const report = await both.target.createSchema!(model, 'after', context);
    expect(objects(report)).toEqual([
      'check constraint t_n_check of public.t',
      'unique constraint t_n_key of public.t',
    ]);
    // Promise 8: no row's values in it.
    expect(JSON.stringify(report)).not.toContain('11');
    expect(report.made).toContain('index t_n of public.t');
    await both.to.query('DELETE FROM t');
    expect(objects(await both.target.createSchema!(model, 'after', context))).toEqual([]);
  });
});

describe('a role that owns nothing', () => {
  test('reads the same schema, but for where sequences stand', async () => {
    const both = await ends(rich);
    const role = `reader_${both.from.name}`;
    await both.from.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA county TO ${role}; GRANT SELECT ON county.owner TO ${role}`,
    );
    try {
      const url = new URL(both.from.url);
      url.username = role;
      url.password = 'x';
      const tables = (await tablesOf(both.from)).map(parseTableName);
      const model = await postgresSource({ url: url.href }).describeSchema!(tables, context);
      const whole = await modelOf(both);
      const hidden = whole.sequences.map((sequence) => ({ ...sequence, value: undefined }));
      expect({ ...model, notCarried: [] }).toEqual({ ...whole, sequences: hidden, notCarried: [] });
      expect(model.notCarried.map(({ object }) => object).sort()).toEqual(
        whole.sequences.map(({ name }) => `value of sequence ${name.schema}.${name.name}`).sort(),
      );
    } finally {
      await both.from.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

describe('sequences', () => {
  test('go forward to what the source has given out, and never back', async () => {
    const sql = `
      CREATE SEQUENCE up; CREATE SEQUENCE down INCREMENT BY -5; CREATE SEQUENCE unused START 50; CREATE SEQUENCE ahead;
      CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial, u int DEFAULT nextval('up'), d int DEFAULT nextval('down'),
        n int DEFAULT nextval('unused'), a int DEFAULT nextval('ahead'))`;
    const both = await ends(sql);
    await make(both.target, await modelOf(both));
    await both.from.query(
      `INSERT INTO t (n) SELECT 1 FROM generate_series(1, 12); SELECT setval('up', 9007199254740993)`,
    );
    await both.to.query(`SELECT setval('ahead', 1000)`);
    const { sequences } = await modelOf(both);
    const advances = await both.target.advanceSequences!(sequences, context);
    const table = advances.map(({ sequence, source, before, after, problem }) => [
      sequence.name,
      source,
      before,
      after,
      problem,
    ]);
    const expected = [
      ['ahead', '12', '1000', '1000', undefined],
      ['down', '-56', undefined, '-56', undefined],
      ['t_id_seq', '12', undefined, '12', undefined],
      ['t_s_seq', '12', undefined, '12', undefined],
      ['unused', undefined, undefined, undefined, undefined],
      ['up', '9007199254740993', undefined, '9007199254740993', undefined],
    ];
    expect(table).toEqual(expected);
    expect(
      await both.to.query(
        `SELECT nextval('up')::text AS u, nextval('down')::text AS d, nextval('unused')::text AS n, nextval('ahead')::text AS a`,
      ),
    ).toEqual([{ u: '9007199254740994', d: '-61', n: '50', a: '1001' }]);
    await both.to.query(`DROP SEQUENCE unused CASCADE; ALTER SEQUENCE t_id_seq RENAME TO other_name`);
    const again = await both.target.advanceSequences!(sequences, context);
    expect(again.map(({ sequence, problem }) => [sequence.name, problem?.reason])).toEqual([
      ['ahead', undefined],
      ['down', undefined],
      ['other_name', undefined],
      ['t_s_seq', undefined],
      ['unused', 'The target has no such sequence.'],
      ['up', undefined],
    ]);
    expect(await both.to.value(`SELECT nextval('ahead')::text`)).toBe('1002');
  });
});
