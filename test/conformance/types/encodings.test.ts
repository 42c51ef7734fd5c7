import { beforeAll, describe, expect, test } from 'vitest';
import { postgresSettings } from '#connectors/postgres/settings.ts';
import { postgresTarget } from '#connectors/postgres/target/target.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { contextOf, sourceOf } from '../postgres-source-fixture.ts';
import { typeCases } from './cases/index.ts';
import { type MatrixResult, runMatrix } from './matrix.ts';
import { refusals } from './refusals.ts';
import { only } from './tables.ts';
import type { TypeCase } from './type-case.ts';

/** Whether LATIN1 has every character of the SQL, those of JSON's escapes included. */
function isLatin1(sql: string): boolean {
  return Buffer.from(sql, 'latin1').toString('latin1') === sql && !/\\ud[89ab]/.test(sql);
}

const WORDS = /text|char|name|json|xml|ts|enum|domain|composite|mood|pair|base type|bytea|numeric$/;

/** The types that hold words, with the values that LATIN1 can hold. */
const cases: readonly TypeCase[] = only(
  ['plain', 'mapped', 'keyed'],
  typeCases
    .filter(({ name, extension }) => extension === undefined && WORDS.test(name))
    .map(({ large, ...type }) => ({
      ...type,
      values: type.values.filter(isLatin1),
      ...(large !== undefined && isLatin1(large) ? { large } : {}),
    }))
    .filter(({ values }) => values.length > 1),
);

for (const [from, to] of [
  ['LATIN1', 'UTF8'],
  ['UTF8', 'LATIN1'],
] as const) {
  describe(`CHECKLIST 22: a source in ${from}, a target in ${to}`, () => {
    let result: MatrixResult;

    beforeAll(async () => {
      const [source, target] = [await freshDatabase('source', from), await freshDatabase('target', to)];
      result = await runMatrix(cases, { source, target, installation: await freshInstallation() });
    });

    test.each(cases.map((type) => [type.name, type] as const))('%s', (_, type) => {
      expect(result.loaded.get(type)).toEqual({});
      expect(result.streamed.get(type)).toEqual({});
      expect(result.letters).toEqual([]);
    });
  });
}

describe('CHECKLIST 40: characters that the target does not have', () => {
  async function pairInto(rows: string) {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target', 'LATIN1')];
    await source.query('CREATE TABLE words (id int PRIMARY KEY, v text, j jsonb)');
    await source.query(rows);
    const installation = await freshInstallation();
    const service = installation.start();
    return { source, target, service, pair: await installation.addPair({ source, target }) };
  }

  test('are dead letters, row by row, and the rest goes on', async () => {
    const { source, target, service, pair } = await pairInto(`INSERT INTO words VALUES (1, 'é', '"é"'), (2, 'ü', '1')`);
    await pair.until('streaming');
    await source.query(`INSERT INTO words VALUES (3, '€', NULL); INSERT INTO words VALUES (4, 'ß', '"ß"')`);
    await source.query(`INSERT INTO words VALUES (5, NULL, '"\\u20ac"')`);
    await source.query(`UPDATE words SET v = '😀' WHERE id = 1; UPDATE words SET v = 'ä' WHERE id = 2`);
    await source.query(
      `INSERT INTO words SELECT g, CASE g WHEN 20 THEN '住' ELSE 'o' END FROM generate_series(10, 30) g`,
    );
    await pair.fence();
    const letters = await pair.deadLetters();
    expect(letters.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => refusals.character.code));
    const texts = await target.query<{ id: number; v: string | null }>(
      'SELECT id, v FROM words WHERE id < 10 ORDER BY id',
    );
    expect(texts).toEqual([
      { id: 1, v: 'é' },
      { id: 2, v: 'ä' },
      { id: 4, v: 'ß' },
    ]);
    expect(await target.value('SELECT count(*)::int FROM words')).toBe(23);
    await service.stop();
  });

  test('end a first load with the reason, and nothing of it is seen', async () => {
    const { target, service, pair } = await pairInto(`INSERT INTO words VALUES (1, 'a', NULL), (2, '€', NULL)`);
    expect(await pair.untilError(refusals.character.code)).toMatch(/0xe2 0x82 0xac.*LATIN1.*COPY words, line 2/);
    expect(await target.value('SELECT count(*)::int FROM words')).toBe(0);
    await service.stop();
  });

  test('in a name: nothing is made', async () => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target', 'LATIN1')];
    await source.query('CREATE TABLE "住所" (id int PRIMARY KEY)');
    const installation = await freshInstallation();
    const service = installation.start();
    const pair = await installation.addPair({ source, target });
    await pair.untilError(refusals.name.code);
    expect((await pair.state()).state).toBe('failed');
    expect(await source.query('SELECT FROM pg_publication')).toEqual([]);
    await service.stop();
  });

  test('a byte of a type "char" means something else in another encoding: the check says so', async () => {
    const source = await freshDatabase('source', 'LATIN1');
    await source.query(
      'CREATE TABLE bytes (id int PRIMARY KEY, b "char"); CREATE TABLE none (id int PRIMARY KEY, b text)',
    );
    const tables = ['bytes', 'none'].map((name) => ({ schema: 'public', name }));
    const checks = await sourceOf(source.url).check(tables, contextOf());
    const found = checks.filter(({ name }) => name.startsWith('single_bytes:'));
    expect(found).toMatchObject([{ name: 'single_bytes:public.bytes', ok: false, required: false }]);
  });

  test('and the check says so before', async () => {
    const target = await freshDatabase('target', 'LATIN1');
    const checks = await postgresTarget(postgresSettings.parse({ url: target.url })).check([], contextOf());
    expect(checks.find(({ name }) => name === 'encoding')).toMatchObject({ ok: false, required: false });
  });
});

describe('SQL_ASCII, which says nothing about what its bytes mean, is refused before anything is made', () => {
  test.each([
    ['source', refusals.asciiSource.code],
    ['target', refusals.asciiTarget.code],
  ] as const)('as %s', async (end, code) => {
    const at = (which: 'source' | 'target'): Promise<TestDatabase> =>
      freshDatabase(which, which === end ? 'SQL_ASCII' : undefined);
    const [source, target] = [await at('source'), await at('target')];
    await source.query(`CREATE TABLE words (id int PRIMARY KEY, v char(5)); INSERT INTO words VALUES (1, 'a')`);
    const installation = await freshInstallation();
    const service = installation.start();
    const pair = await installation.addPair({ source, target });
    expect(await pair.untilError(code)).toContain('SQL_ASCII');
    expect((await pair.state()).state).toBe('failed');
    expect(await target.query(`SELECT FROM pg_class WHERE relname IN ('words', 'applied_positions')`)).toEqual([]);
    expect(await source.query('SELECT FROM pg_publication')).toEqual([]);
    expect(await source.query('SELECT FROM pg_replication_slots WHERE database = current_database()')).toEqual([]);
    await service.stop();
  });
});
