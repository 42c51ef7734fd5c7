import { beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode } from '#schemas/errors.ts';
import type { CheckView } from '#schemas/http/common.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { allChecks, checkOf, inventory, type CheckInput } from './pair-check-fixture.ts';

let source: TestDatabase;
let target: TestDatabase;
/** Checks that fail on a healthy pair: advice about the test's own servers. */
let usual: ReadonlySet<string>;
let made = 0;

beforeAll(async () => {
  source = await freshDatabase('source');
  target = await freshDatabase('target');
  await source.query('CREATE TABLE healthy (id int PRIMARY KEY, v text)');
  await target.query('CREATE TABLE healthy (id int PRIMARY KEY, v text)');
  const report = await checkOf({ source, target, tables: [{ source: 'public.healthy' }] });
  expect(report.problems).toEqual([]);
  usual = new Set(bad(allChecks(report)).map(({ name }) => name));
  // Nothing that a case is about.
  expect([...usual].filter((name) => name.includes(':'))).toEqual([]);
});

const bad = (checks: readonly CheckView[]): CheckView[] => checks.filter(({ ok }) => !ok);

interface Case {
  readonly what: string;
  /** Runs at the source in a schema of the case's own, after `t (id int PRIMARY KEY, v text)` was made there. */
  readonly source?: string;
  /** The same at the target. */
  readonly target?: string;
  /** No table at the target. */
  readonly missing?: true;
  readonly input?: (schema: string) => Partial<CheckInput>;
  /** A role of its own that owns the tables of this end and may do what a pair needs; then this is run. */
  readonly role?: { readonly end: 'source' | 'target'; readonly sql: string };
  /** Name of the only check that may fail, without the schema; none when left out. */
  readonly check?: string;
  readonly code?: ErrorCode;
  readonly required?: boolean;
  readonly message?: RegExp;
  readonly fix?: RegExp;
}

const cases: readonly Case[] = [
  { what: 'nothing' },
  { what: 'a table that is to be created', missing: true },
  // The source's tables.
  { what: 'no table', source: 'DROP TABLE t', check: 'table:t', code: 'SOURCE_TABLE_MISSING', message: /no table/ },
  {
    what: 'a view',
    source: 'DROP TABLE t; CREATE VIEW t AS SELECT 1 AS id, NULL::text AS v',
    check: 'table:t',
    code: 'SOURCE_TABLE_MISSING',
    message: /is a view/,
    fix: /tables behind it/,
  },
  {
    what: 'a materialized view',
    source: 'DROP TABLE t; CREATE MATERIALIZED VIEW t AS SELECT 1 AS id',
    check: 'table:t',
    message: /is a materialized view/,
    code: 'SOURCE_TABLE_MISSING',
  },
  {
    what: 'an unlogged table',
    source: 'ALTER TABLE t SET UNLOGGED',
    check: 'logged:t',
    code: 'SOURCE_TABLE_WITHOUT_KEY',
    fix: /SET LOGGED/,
  },
  {
    what: 'an unlogged partition',
    source: `DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
      CREATE UNLOGGED TABLE part PARTITION OF t FOR VALUES FROM (0) TO (9)`,
    check: 'logged:t',
    code: 'SOURCE_TABLE_WITHOUT_KEY',
    message: /part/,
  },
  {
    what: 'no key (CHECKLIST 13)',
    missing: true,
    source: 'ALTER TABLE t DROP CONSTRAINT t_pkey',
    check: 'identity:t',
    code: 'SOURCE_TABLE_WITHOUT_KEY',
    message: /updates and deletes would fail/,
    fix: /^Add a primary key or ALTER TABLE .*FULL.*only ever gets inserts pays nothing/,
  },
  {
    what: 'no key, and an index that could be one',
    missing: true,
    source: 'ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER v SET NOT NULL; CREATE UNIQUE INDEX u ON t (v)',
    check: 'identity:t',
    code: 'SOURCE_TABLE_WITHOUT_KEY',
    fix: /USING INDEX "u"/,
  },
  {
    what: 'a key that is told not to be one',
    source: 'ALTER TABLE t REPLICA IDENTITY NOTHING',
    check: 'identity:t',
    code: 'SOURCE_TABLE_WITHOUT_KEY',
    fix: /REPLICA IDENTITY DEFAULT/,
  },
  {
    what: 'no key, but identity FULL',
    missing: true,
    source: 'ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t REPLICA IDENTITY FULL',
  },
  {
    what: 'a partition beside its root',
    source: `CREATE TABLE root (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
      ALTER TABLE root ATTACH PARTITION t FOR VALUES FROM (0) TO (9)`,
    input: (schema) => ({ tables: [{ source: `${schema}.root` }, { source: `${schema}.t` }] }),
    check: 'partition:t',
    message: /is a partition of/,
  },
  {
    what: 'a generated column',
    source: 'ALTER TABLE t ADD g int GENERATED ALWAYS AS (id * 2) STORED',
    check: 'generated:t',
    required: false,
    message: /^g of/,
  },
  {
    what: 'a column that may not be read',
    role: { end: 'source', sql: 'REVOKE SELECT ON t FROM ROLE; GRANT SELECT (id) ON t TO ROLE' },
    check: 'privilege:t',
    code: 'SOURCE_NO_PRIVILEGE',
    message: /may not read v of/,
    fix: /GRANT SELECT ON/,
  },
  {
    what: "somebody else's table",
    role: { end: 'source', sql: 'ALTER TABLE t OWNER TO postgres; GRANT SELECT ON t TO ROLE' },
    check: 'owner:t',
    code: 'SOURCE_NO_PRIVILEGE',
    fix: /Only its owner may publish/,
  },
  {
    what: "somebody else's table that is published for us",
    role: {
      end: 'source',
      sql: 'ALTER TABLE t OWNER TO postgres; GRANT SELECT ON t TO ROLE; CREATE PUBLICATION SCHEMA FOR TABLE t WITH (publish_via_partition_root = true)',
    },
    input: (schema) => ({ stream: { slot: 'none', publication: schema } }),
  },
  {
    what: 'row-level security (CHECKLIST 9)',
    role: { end: 'source', sql: 'ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY' },
    check: 'row_security:t',
    code: 'SOURCE_NO_PRIVILEGE',
    fix: /BYPASSRLS/,
  },
  {
    what: 'a publication with a row filter',
    source: 'CREATE PUBLICATION SCHEMA FOR TABLE t WHERE (id > 5) WITH (publish_via_partition_root = true)',
    input: (schema) => ({ stream: { slot: 'none', publication: schema } }),
    check: 'publication',
    code: 'SOURCE_STATEMENT_FAILED',
    message: /row filter/,
    fix: /SET TABLE/,
  },
  {
    what: 'a publication of inserts only',
    source: `CREATE PUBLICATION SCHEMA FOR TABLE t WITH (publish = 'insert', publish_via_partition_root = true)`,
    input: (schema) => ({ stream: { slot: 'none', publication: schema } }),
    check: 'publication',
    required: false,
    fix: /publish = 'insert, update, delete, truncate'/,
  },
  // The target's tables.
  { what: 'a column missing', target: 'ALTER TABLE t DROP v', check: 'column:t.v', code: 'TARGET_COLUMN_MISSING' },
  {
    what: 'a generated column there',
    target: 'ALTER TABLE t DROP v; ALTER TABLE t ADD v text GENERATED ALWAYS AS (upper(NULL)) STORED',
    check: 'column:t.v',
    message: /generated column/,
  },
  {
    what: 'a column without a value',
    target: 'ALTER TABLE t ADD must text NOT NULL',
    check: 'required:t.must',
    fix: /default at the target/,
  },
  { what: 'a column with a default', target: `ALTER TABLE t ADD must text NOT NULL DEFAULT 'x'` },
  {
    what: 'NULLs for a column that takes none',
    source: `INSERT INTO t VALUES (1, NULL), (2, 'x')`,
    target: 'ALTER TABLE t ALTER v SET NOT NULL',
    check: 'nulls:t.v',
    code: 'TARGET_ROW_REJECTED',
    message: /1 value is NULL, of all 2 rows/,
    fix: /Allow NULL/,
  },
  { what: 'no NULLs for it', source: `INSERT INTO t VALUES (2, 'x')`, target: 'ALTER TABLE t ALTER v SET NOT NULL' },
  {
    what: 'texts too long',
    source: `INSERT INTO t SELECT n, repeat('x', n) FROM generate_series(1, 6) n; INSERT INTO t VALUES (7, 'ab    ')`,
    target: 'ALTER TABLE t ALTER v TYPE varchar(3)',
    check: 'fits:t.v',
    code: 'TARGET_ROW_REJECTED',
    message: /3 values are longer than 3, of all 7 rows/,
    fix: /Widen/,
  },
  {
    what: 'texts too long, with a filter',
    source: `INSERT INTO t SELECT n, repeat('x', n) FROM generate_series(1, 6) n`,
    target: 'ALTER TABLE t ALTER v TYPE varchar(3)',
    input: (schema) => ({ tables: [{ source: `${schema}.t`, where: 'row.id < 4' }] }),
    check: 'fits:t.v',
    required: false,
  },
  {
    what: 'NULLs that a rule keeps back',
    source: `INSERT INTO t VALUES (1, NULL), (2, 'x')`,
    target: 'ALTER TABLE t ALTER v SET NOT NULL',
    input: (schema) => ({ tables: [{ source: `${schema}.t`, rules: [{ name: 'has v', check: 'row.v != null' }] }] }),
    check: 'nulls:t.v',
    required: false,
  },
  {
    what: 'texts that a transform cuts',
    source: `INSERT INTO t SELECT n, repeat('x', n) FROM generate_series(1, 6) n`,
    target: 'ALTER TABLE t ALTER v TYPE varchar(3)',
    input: (schema) => ({
      tables: [
        {
          source: `${schema}.t`,
          columns: { id: { from: 'id' }, v: { from: 'v', transforms: [{ truncate: { length: 3 } }] } },
        },
      ],
    }),
  },
  {
    what: 'numbers too large',
    source:
      'ALTER TABLE t ADD n bigint; INSERT INTO t VALUES (1, NULL, 40000), (2, NULL, -40000), (3, NULL, NULL), (4, NULL, 5)',
    target: 'ALTER TABLE t ADD n smallint',
    check: 'fits:t.n',
    code: 'TARGET_ROW_REJECTED',
    message: /2 values are too large for smallint/,
  },
  {
    what: 'more digits than there is room for',
    source: `ALTER TABLE t ADD n numeric; INSERT INTO t VALUES (1, NULL, 1234.5), (2, NULL, 'NaN'), (3, NULL, 9.999)`,
    target: 'ALTER TABLE t ADD n numeric(5,2)',
    check: 'fits:t.n',
    code: 'TARGET_ROW_REJECTED',
    message: /1 value is too large for numeric\(5,2\)/,
  },
  {
    what: 'rows already',
    target: `INSERT INTO t VALUES (1, 'x')`,
    check: 'rows:t',
    code: 'TARGET_TABLE_NOT_EMPTY',
    fix: /existing_rows/,
  },
  {
    what: 'rows already, which may go',
    target: `INSERT INTO t VALUES (1, 'x')`,
    input: () => ({ config: { existing_rows: 'replace' } }),
    check: 'rows:t',
    required: false,
  },
  { what: "rows already, the pair's own", target: `INSERT INTO t VALUES (1, 'x')`, input: () => ({ loaded: true }) },
  {
    what: 'a unique constraint that the source does not have',
    target: 'ALTER TABLE t ADD UNIQUE (v)',
    check: 'unique:t(v)',
    required: false,
    message: /is unique in v/,
  },
  {
    what: 'a unique constraint that both have',
    source: 'ALTER TABLE t ADD UNIQUE (v)',
    target: 'ALTER TABLE t ADD UNIQUE (v)',
  },
  {
    what: 'a foreign key to a table outside of the pair',
    target: 'CREATE TABLE other (v text PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (v) REFERENCES other',
    check: 'foreign_keys:t',
    required: false,
    message: /\.other/,
    fix: /into the pair/,
  },
  {
    what: 'triggers (CHECKLIST 37)',
    target: `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER plain BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
      CREATE TRIGGER stubborn BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER stubborn;
      CREATE TRIGGER off BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DISABLE TRIGGER off`,
    check: 'triggers:t',
    required: false,
    message: /: plain, stubborn \(ALWAYS\)\.$/,
  },
  {
    what: 'a rule',
    target: 'CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING',
    check: 'rules:t',
    required: false,
    message: /: r\./,
  },
  {
    what: 'a check constraint',
    target: 'ALTER TABLE t ADD CONSTRAINT small CHECK (id < 100)',
    check: 'constraints:t',
    required: false,
    message: /small CHECK \(\(id < 100\)\)/,
  },
  {
    what: 'GENERATED ALWAYS AS IDENTITY',
    target: 'ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY',
    check: 'identity:t.id',
    required: false,
    fix: /BY DEFAULT/,
  },
  {
    what: 'no key at the target',
    target: 'ALTER TABLE t DROP CONSTRAINT t_pkey',
    check: 'key:t',
    required: false,
    fix: /primary key/,
  },
  {
    what: 'a right missing',
    role: { end: 'target', sql: 'REVOKE DELETE ON t FROM ROLE' },
    check: 'privilege:t',
    code: 'TARGET_NO_PRIVILEGE',
    message: /lacks DELETE/,
    fix: /GRANT SELECT, INSERT, UPDATE, DELETE/,
  },
  {
    what: 'no right to truncate',
    role: { end: 'target', sql: 'REVOKE TRUNCATE ON t FROM ROLE' },
    check: 'truncate:t',
    required: false,
  },
  {
    what: 'no right to truncate rows that are to be replaced',
    role: { end: 'target', sql: 'REVOKE TRUNCATE ON t FROM ROLE' },
    input: () => ({ config: { existing_rows: 'replace' } }),
    check: 'truncate:t',
    code: 'TARGET_NO_PRIVILEGE',
    fix: /GRANT TRUNCATE/,
  },
  {
    what: 'too few sessions',
    role: { end: 'target', sql: 'ALTER ROLE ROLE CONNECTION LIMIT 3' },
    check: 'connections',
    required: false,
    message: /^2 more sessions/,
    fix: /CONNECTION LIMIT/,
  },
  {
    what: 'a role that only reads',
    role: { end: 'target', sql: 'ALTER ROLE ROLE SET default_transaction_read_only = on' },
    check: 'primary',
    message: /read only/,
    fix: /default_transaction_read_only/,
  },
  {
    what: 'a table that may not be created',
    missing: true,
    role: { end: 'target', sql: 'REVOKE CREATE ON SCHEMA SCHEMA FROM ROLE; ALTER SCHEMA SCHEMA OWNER TO postgres' },
    check: 'table:t',
    code: 'TARGET_NO_PRIVILEGE',
    fix: /GRANT USAGE, CREATE ON SCHEMA/,
  },
];

describe('break one thing, and exactly that check says so', () => {
  test.each(cases)(
    '$what',
    async ({ what, source: atSource, target: atTarget, missing, input, role, check, ...wanted }) => {
      const schema = `c${++made}`;
      const login = `${schema}_${source.name}`.slice(0, 63);
      const fill = (sql: string) =>
        sql
          .replaceAll(/\bROLE ROLE\b/g, `ROLE ${login}`)
          .replaceAll(/\b(TO|FROM) ROLE\b/g, `$1 ${login}`)
          .replaceAll(/\bSCHEMA SCHEMA\b/g, `SCHEMA ${schema}`)
          .replaceAll(/\bPUBLICATION SCHEMA\b/g, `PUBLICATION ${schema}`);
      const run = async (database: TestDatabase, sql: string) => {
        const client = await database.connect();
        await client.query(`SET search_path = ${schema}; ${fill(sql)}`);
        await client.end();
      };
      for (const database of [source, target]) {
        const table = database === target && missing ? '' : `CREATE TABLE ${schema}.t (id int PRIMARY KEY, v text);`;
        await database.query(`CREATE SCHEMA ${schema}; ${table}`);
      }
      if (atSource !== undefined) await run(source, atSource);
      if (atTarget !== undefined) await run(target, atTarget);
      const urls: Partial<CheckInput> = {};
      if (role) {
        const end = role.end === 'source' ? source : target;
        await end.query(`CREATE ROLE ${login} LOGIN REPLICATION PASSWORD 'p'; GRANT CREATE ON DATABASE ${end.name} TO ${login};
        ALTER SCHEMA ${schema} OWNER TO ${login}; ${missing ? '' : `ALTER TABLE ${schema}.t OWNER TO ${login};`}`);
        await run(end, role.sql);
        const url = new URL(end.url);
        [url.username, url.password] = [login, 'p'];
        Object.assign(urls, { [`${role.end}Url`]: url.href });
      }
      try {
        const before = [await inventory(source), await inventory(target)];
        const report = await checkOf({
          source,
          target,
          tables: [{ source: `${schema}.t` }],
          ...urls,
          ...input?.(schema),
        });
        expect([await inventory(source), await inventory(target)]).toEqual(before);
        const found = bad(allChecks(report)).filter(({ name }) => !usual.has(name));
        const plain = found.map(({ name }) => name.replace(`${schema}.`, ''));
        expect(plain, JSON.stringify(found)).toEqual(check === undefined ? [] : [check]);
        const required = wanted.required ?? check !== undefined;
        expect(report.ok, JSON.stringify(report.problems)).toBe(!required);
        const [first] = found;
        if (!first) return;
        expect(first.required).toBe(required);
        expect(first.code).toBe(wanted.code ?? first.code);
        expect(first.message).toMatch(wanted.message ?? /./);
        expect(first.fix, what).toMatch(wanted.fix ?? /./);
        if (required)
          expect(report.problems).toContainEqual(expect.objectContaining({ message: first.message, fix: first.fix }));
      } finally {
        if (role) {
          const end = role.end === 'source' ? source : target;
          await end.query(`DROP OWNED BY ${login} CASCADE; DROP ROLE ${login}`);
        }
      }
    },
  );
});

test('a look at the data that takes too long is given up, and told', async () => {
  await source.query(
    `CREATE SCHEMA slow; CREATE TABLE slow.t (id int PRIMARY KEY, v text); INSERT INTO slow.t VALUES (1, 'long')`,
  );
  await target.query('CREATE SCHEMA slow; CREATE TABLE slow.t (id int PRIMARY KEY, v varchar(2))');
  const client = await source.connect();
  // Nobody can look at the rows meanwhile.
  await client.query('BEGIN; LOCK TABLE slow.t IN ACCESS EXCLUSIVE MODE');
  const report = await checkOf({ source, target, tables: [{ source: 'slow.t' }] });
  await client.query('ROLLBACK');
  const check = allChecks(report).find(({ name }) => name === 'fits:slow.t.v');
  expect(check).toMatchObject({
    ok: false,
    required: false,
    message: expect.stringMatching(/could not be looked up: within 2 seconds/) as string,
  });
});
