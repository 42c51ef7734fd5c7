import { beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase, freshInstallation, loneServer } from '#test/support/servers.ts';
import { postgresOf, type Version } from '#test/support/versions.ts';
import { typeCases } from './cases/index.ts';
import { majorOf, type MatrixResult, runMatrix, split } from './matrix.ts';
import { refusals } from './refusals.ts';
import { only } from './tables.ts';
import type { TypeCase } from './type-case.ts';

/** Of each kind of type some: what differs between servers is how they print and read, not the type's place in the list. */
const cases = only(
  ['plain', 'keyed'],
  typeCases.filter(
    ({ name }) => !/^(timestamp\([1-5]|is[bms]n|numeric\(1|int8range|.*_snapshot|reg(role|config|oper$))/.test(name),
  ),
);

/** The embedded server at one end, another major version at the other. To add one: a line, and its binaries (test/support/versions.ts). */
const mixes: readonly { readonly from?: number; readonly to?: number }[] = [
  { from: 14 },
  { to: 14 },
  { from: 16 },
  { from: 15 },
];
const found = new Map<number, Version>();
for (const { from, to } of mixes) {
  const major = (from ?? to)!;
  if (!found.has(major)) found.set(major, await postgresOf(major));
}

async function endsOf({ from, to }: (typeof mixes)[number]): Promise<{ source: TestDatabase; target: TestDatabase }> {
  const version = found.get((from ?? to)!)!;
  if ('missing' in version) throw new Error(version.missing);
  const server = await loneServer(version.binaries);
  return {
    source: from === undefined ? await freshDatabase('source') : await server.createDatabase('source'),
    target: to === undefined ? await freshDatabase('target') : await server.createDatabase('target'),
  };
}

for (const mix of mixes) {
  const version = found.get((mix.from ?? mix.to)!)!;
  const missing = 'missing' in version ? version.missing : undefined;
  describe(`from ${mix.from ?? 'the embedded server'} to ${mix.to ?? 'the embedded server'}`, () => {
    let result: MatrixResult;
    let without: Map<TypeCase, string>;

    beforeAll(async () => {
      if (missing !== undefined) return;
      const ends = await endsOf(mix);
      const { possible, missing: lacking } = await split(cases, ends.source, ends.target);
      without = lacking;
      // Values that one of the two does not know come below.
      const oldest = Math.min(await majorOf(ends.source), await majorOf(ends.target));
      result = await runMatrix(possible, { ...ends, installation: await freshInstallation() }, oldest);
    });

    for (const type of cases) {
      test(type.name, ({ skip }) => {
        skip(missing !== undefined, missing);
        skip(without.has(type), without.get(type));
        expect(result.loaded.get(type)).toEqual({});
        expect(result.streamed.get(type)).toEqual({});
        expect(result.letters).toEqual([]);
      });
    }
  });
}

test('values that an older target does not know are dead letters, and the rest goes on', async ({ skip }) => {
  const version = found.get(14)!;
  skip('missing' in version, 'missing' in version ? version.missing : '');
  const { source, target } = await endsOf({ to: 14 });
  await source.query('CREATE TABLE spans (id int PRIMARY KEY, v interval, j jsonb)');
  const installation = await freshInstallation();
  const service = installation.start();
  const pair = await installation.addPair({ source, target });
  await pair.until('streaming');
  await source.query(
    `INSERT INTO spans VALUES (1, '1 day'); INSERT INTO spans VALUES (2, 'infinity'); INSERT INTO spans VALUES (3, '2 days')`,
  );
  await pair.fence();
  expect(await pair.deadLetters()).toMatchObject([
    { code: refusals.newer.code, reason: expect.stringContaining('infinity') as string },
  ]);
  expect(await target.query('SELECT id FROM spans ORDER BY 1')).toEqual([{ id: 1 }, { id: 3 }]);
  await service.stop();
});

test('a byte that an older source prints as no character at all is a dead letter, never another value', async ({
  skip,
}) => {
  const version = found.get(14)!;
  skip('missing' in version, 'missing' in version ? version.missing : '');
  const { source, target } = await endsOf({ from: 14 });
  await source.query(
    'CREATE TABLE bytes (id int PRIMARY KEY, v "char"); CREATE TABLE looked_at (LIKE bytes INCLUDING ALL)',
  );
  const installation = await freshInstallation();
  const service = installation.start();
  const pair = await installation.addPair({
    source,
    target,
    tables: [
      { source: 'public.bytes' },
      // Through a chain it must not become the character that stands for what cannot be read.
      {
        source: 'public.looked_at',
        columns: { id: { from: 'id' }, v: { compute: 'row.v', type: 'text' }, w: { from: 'v', transforms: ['trim'] } },
      },
    ],
  });
  await pair.until('streaming');
  // Servers before 16 print the byte as it is, which is no UTF-8.
  await source.query(
    `INSERT INTO bytes VALUES (1, 'a'); INSERT INTO bytes VALUES (2, (-23)::"char"); INSERT INTO bytes VALUES (3, 'c'); INSERT INTO looked_at SELECT * FROM bytes`,
  );
  await pair.fence();
  expect((await pair.deadLetters()).map(({ code }) => code).toSorted()).toEqual([
    refusals.looked.code,
    refusals.byte.code,
  ]);
  expect(await target.query('SELECT id FROM bytes ORDER BY 1')).toEqual([{ id: 1 }, { id: 3 }]);
  expect(await target.query('SELECT id FROM looked_at ORDER BY 1')).toEqual([{ id: 1 }, { id: 3 }]);
  await service.stop();
});
