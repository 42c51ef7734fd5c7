import { beforeAll, describe, expect, test } from 'vitest';
import type { ColumnProof, ProofResult } from '#schemas/http/pairs.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { checkOf, inventory } from './pair-check-fixture.ts';

let source: TestDatabase;
let target: TestDatabase;

beforeAll(async () => {
  source = await freshDatabase('source');
  target = await freshDatabase('target');
  for (const database of [source, target]) {
    await database.query(`CREATE SCHEMA kinds;
      CREATE TYPE kinds.mood AS ENUM ('sad', 'it''s "ok"', '');
      CREATE DOMAIN kinds.zip AS varchar(5) CHECK (value <> 'é');
      CREATE DOMAIN kinds.narrow_zip AS kinds.zip CHECK (length(value) < 3);
      CREATE DOMAIN kinds.positive AS int CHECK (value > 0);
      CREATE DOMAIN kinds.present AS text NOT NULL;
      CREATE TYPE kinds.pair AS (a int, b text, c kinds.mood);
      CREATE TYPE kinds.span AS RANGE (subtype = float8);
      CREATE TYPE kinds.nested AS (p kinds.pair, many kinds.pair[])`);
  }
  await source.query(`CREATE TYPE kinds.size AS ENUM ('small', 'large', 'huge')`);
  await target.query(`CREATE TYPE kinds.size AS ENUM ('small', 'large'); CREATE DOMAIN kinds.small AS int CHECK (value < 100);
    CREATE DOMAIN kinds.noted AS int NOT NULL`);
  await source.query('CREATE DOMAIN kinds.only_here AS int');
}, 90_000);

/** Makes a table of these columns at both ends and returns what the proof says of them, by column. */
async function prove(
  columns: readonly (readonly [name: string, sourceType: string, targetType: string])[],
  mapping: Record<string, unknown> | 'same' = 'same',
): Promise<ReadonlyMap<string, ColumnProof>> {
  const list = (end: 1 | 2) => columns.map((column) => `"${column[0]}" ${column[end]}`).join(', ');
  await source.query(`DROP TABLE IF EXISTS proven; CREATE TABLE proven (id int PRIMARY KEY, ${list(1)})`);
  await target.query(`DROP TABLE IF EXISTS proven; CREATE TABLE proven (id int PRIMARY KEY, ${list(2)})`);
  const before = [await inventory(source), await inventory(target)];
  const report = await checkOf({
    source,
    target,
    proof: true,
    tables: [{ source: 'public.proven', columns: mapping as 'same' }],
  });
  expect([await inventory(source), await inventory(target)]).toEqual(before);
  expect(await target.value<number>('SELECT count(*)::int FROM proven')).toBe(0);
  return new Map(report.tables[0]!.columns.map((column) => [column.target, column]));
}

const told = (columns: ReadonlyMap<string, ColumnProof>) =>
  Object.fromEntries([...columns.values()].map(({ target: name, proof }) => [name, [proof?.result, proof?.how]]));

const sameTypes = [
  ...['boolean', 'smallint', 'integer', 'bigint', 'oid', 'xid', 'xid8', 'tid', 'real', 'double precision', 'money'],
  ...['numeric', 'numeric(14,2)', 'numeric(1000)', 'numeric(3,5)', 'numeric(3,-2)'],
  ...['text', 'character varying', 'character varying(3)', 'character varying(5000)', 'character(1)', 'character(5)'],
  ...[
    '"char"',
    'name',
    'bytea',
    'uuid',
    'bit',
    'bit(3)',
    'bit varying',
    'bit varying(100)',
    'json',
    'jsonb',
    'jsonpath',
  ],
  ...[
    'date',
    'time',
    'time(0)',
    'timetz',
    'timestamp',
    'timestamp(3)',
    'timestamp(0)',
    'timestamptz',
    'timestamptz(1)',
  ],
  ...['interval', 'interval(2)', 'interval year to month', 'xml', 'inet', 'cidr', 'macaddr', 'macaddr8', 'pg_lsn'],
  ...['point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'tsvector', 'tsquery', 'pg_snapshot', 'regclass'],
  ...['int4range', 'int8range', 'numrange', 'daterange', 'tsrange', 'tstzrange', 'int4multirange', 'tstzmultirange'],
  ...['integer[]', 'text[]', 'varchar(3)[]', 'numeric(5,2)[]', 'box[]', 'bytea[]', 'timestamptz[]', 'int4range[]'],
  ...['kinds.mood', 'kinds.mood[]', 'kinds.zip', 'kinds.narrow_zip', 'kinds.positive', 'kinds.zip[]', 'kinds.present'],
  ...['kinds.pair', 'kinds.pair[]', 'kinds.span', 'kinds.nested', 'int2vector'],
];

test('CHECKLIST 22-25: every type is lossless to itself; each was tried with values, and nothing is left behind', async () => {
  const columns = await prove(sameTypes.map((type, index) => [`c${index}`, type, type] as const));
  const found = Object.fromEntries([...columns.values()].map((column) => [column.source_type, column.proof]));
  expect(Object.entries(found).filter(([, proof]) => proof?.result !== 'lossless' || proof.how !== undefined)).toEqual(
    [],
  );
  expect(columns.size).toBe(sameTypes.length + 1);
});

const pairs: readonly (readonly [from: string, to: string, result: ProofResult, how?: RegExp])[] = [
  ['smallint', 'bigint', 'lossless'],
  ['integer', 'text', 'lossless'],
  ['real', 'double precision', 'lossless'],
  ['character varying(10)', 'character varying(20)', 'lossless'],
  ['jsonb', 'json', 'lossless'],
  ['uuid', 'text', 'lossless'],
  ['boolean', 'text', 'lossless'],
  ['integer', 'numeric(12,2)', 'lossless', /written otherwise, such as "-?\d+" as "-?\d+\.00"/],
  ['bigint', 'integer', 'lossy', /3 of 7 values are refused, such as "-9223372036854775808": .*out of range/],
  [
    'text',
    'character varying(10)',
    'lossy',
    /2 of 14 values arrive changed, such as " both ends " as " both ends"; 1 of 14 values are refused/,
  ],
  ['character varying(5)', 'character(10)', 'lossy', /arrive changed, such as "" as " {10}"/],
  ['numeric(14,4)', 'numeric(14,2)', 'lossy', /arrive changed, such as "0\.0001" as "0\.00"|arrive changed/],
  ['numeric', 'double precision', 'lossy', /arrive changed/],
  ['double precision', 'real', 'lossy', /arrive changed|refused/],
  ['timestamp(6)', 'timestamp(0)', 'lossy', /\.123456" as "2024-02-29 12:34:56"/],
  ['timestamptz', 'timestamp', 'lossy', /arrive changed, such as .*\+00.* as /],
  ['timestamp', 'date', 'lossy', /arrive changed/],
  ['json', 'jsonb', 'lossy', /such as "\{ \\"b\\": {2}1, \\"a\\": 2, \\"a\\": 3 \}" as .*refused/],
  ['bytea', 'text', 'lossless'],
  ['text', 'integer', 'unsupported', /13 of 14 values are refused, such as "".*invalid input syntax/],
  ['boolean', 'integer', 'unsupported', /invalid input syntax/],
  ['kinds.size', 'kinds.size', 'lossy', /1 of 4 values are refused, such as "huge": invalid input value for enum/],
  ['kinds.size', 'text', 'lossless'],
  ['integer', 'kinds.small', 'lossy', /violates check constraint/],
  ['integer', 'kinds.noted', 'lossy', /1 of 6 values are refused, such as NULL/],
  ['kinds.zip', 'character varying(2)', 'lossy', /value too long/],
  ['integer[]', 'smallint[]', 'lossy', /out of range/],
];

test('what another type makes of the values is told with an example', async () => {
  const columns = await prove(pairs.map(([from, to], index) => [`c${index}`, from, to] as const));
  const differing = pairs.flatMap(([from, to, result, how], index) => {
    const { proof } = columns.get(`c${index}`)!;
    const good = proof?.result === result && (how ? how.test(proof.how ?? '') : proof.how === undefined);
    return good ? [] : [`${from} to ${to}: ${proof?.result ?? ''}, ${proof?.how ?? 'without a word'}`];
  });
  expect(differing).toEqual([]);
});

describe('the real chain stands in between', () => {
  test('renames, transforms, concatenation and expressions', async () => {
    const columns = await prove(
      [
        ['name', 'varchar(20)', 'text'],
        ['year', 'smallint', 'numeric(7,2)'],
        ['note', 'text', 'varchar(8)'],
        ['big', 'bigint', 'int'],
      ],
      {
        id: { from: 'id' },
        name: { from: 'name', transforms: ['trim', 'upper'] },
        year: { compute: 'row.year + 1', type: 'integer' },
        note: { from: 'note', transforms: [{ truncate: { length: 8 } }] },
        big: { compute: 'row.big / 0' },
      },
    );
    expect(columns.get('name')).toMatchObject({
      source: 'name',
      source_type: 'character varying(20)',
      proof: { result: 'lossless' },
    });
    expect(columns.get('year')?.proof).toMatchObject({
      result: 'lossless',
      how: expect.stringMatching(/written otherwise|cannot be computed/) as string,
    });
    expect(columns.get('note')?.proof?.result).toBe('lossless');
    expect(columns.get('big')?.proof).toMatchObject({
      result: 'not_proven',
      how: expect.stringContaining('cannot be computed') as string,
    });
  });

  test('values of a masked column are not shown', async () => {
    const columns = await prove([['ssn', 'varchar(11)', 'varchar(3)']], {
      id: { from: 'id' },
      ssn: { from: 'ssn', transforms: [{ mask: { keep_last: 4 } }] },
    });
    const { proof } = columns.get('ssn')!;
    expect(proof?.how).toContain('(masked)');
    expect(proof?.how).not.toMatch(/xxx|\*\*/);
  });
});

test('a type that only the source has, and one of which no values are known', async () => {
  await source.query(`DROP TABLE IF EXISTS odd; CREATE TABLE odd (id int PRIMARY KEY, a kinds.only_here, b gtsvector);
    CREATE DOMAIN kinds.impossible AS int CHECK (false)`);
  await source.query('ALTER TABLE odd ADD c kinds.impossible');
  const report = await checkOf({
    source,
    target,
    proof: true,
    tables: [{ source: 'public.odd', target: 'fresh.odd' }],
  });
  const columns = new Map(report.tables[0]!.columns.map((column) => [column.target, column]));
  expect(report.tables[0]!.action).toBe('create');
  expect(told(columns)).toEqual({
    id: ['lossless', undefined],
    a: ['unsupported', 'The target does not know the type kinds.only_here'],
    b: ['not_proven', 'no boundary values are known for gtsvector'],
    c: ['not_proven', expect.stringContaining('its checks refuse them')],
  });
});

test('a role that may not make temporary tables is told, and it is no error', async () => {
  const role = `no_temp_${target.name}`;
  await target.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p'; REVOKE TEMPORARY ON DATABASE ${target.name} FROM PUBLIC`);
  try {
    await source.query('DROP TABLE IF EXISTS plain; CREATE TABLE plain (id int PRIMARY KEY)');
    const url = new URL(target.url);
    [url.username, url.password] = [role, 'p'];
    const report = await checkOf({
      source,
      target,
      targetUrl: url.href,
      proof: true,
      tables: [{ source: 'public.plain' }],
    });
    expect(report.tables[0]!.columns[0]!.proof).toEqual({
      result: 'not_proven',
      how: expect.stringContaining(`GRANT TEMPORARY ON DATABASE "${target.name}" TO "${role}"`) as string,
    });
  } finally {
    await target.query(`GRANT TEMPORARY ON DATABASE ${target.name} TO PUBLIC; DROP ROLE ${role}`);
  }
});

test('without proof the columns are listed, and nothing is tried', async () => {
  await source.query('DROP TABLE IF EXISTS plain; CREATE TABLE plain (id int PRIMARY KEY)');
  const report = await checkOf({ source, target, tables: [{ source: 'public.plain', target: 'x.y' }] });
  expect(report.tables[0]!.columns).toEqual([
    { source: 'id', target: 'id', source_type: 'integer', target_type: 'integer' },
  ]);
});
