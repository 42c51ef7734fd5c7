import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectionChanges, definitionChanges, definitionOf } from '#services/cli/apply/differences.ts';
import { applyFileSchema } from '#services/cli/apply/json-schema.ts';
import { escaped, fill, placeholder } from '#services/cli/apply/placeholders.ts';
import { readApplyFile } from '#services/cli/apply/read-file.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { RecordingTerminal } from '../recording-terminal.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-apply-'));
});
afterAll(() => rm(folder, { recursive: true }));

const secret = 'hunter2-marker';

async function read(text: string, env: Record<string, string> = {}) {
  const file = join(folder, 'county.yaml');
  await writeFile(file, text);
  const terminal = new RecordingTerminal();
  return { wanted: await readApplyFile(file, terminal, env), stderr: terminal.stderr };
}
const problemOf = async (text: string, env?: Record<string, string>): Promise<string> => {
  try {
    await read(text, env);
  } catch (error) {
    if (error instanceof TerraFusionError && error.code === 'APPLY_FILE_INVALID') return error.message;
    throw error;
  }
  throw new Error('It was taken');
};

describe('variables in a file', () => {
  test('are filled in, an escaped one is a text, one that is not set is named and left', () => {
    expect(fill('a${A}b$${A}c${NONE}${EMPTY}', { A: '1', EMPTY: '' })).toEqual({
      text: 'a1b${A}c${NONE}${EMPTY}',
      missing: ['NONE', 'EMPTY'],
    });
    expect(fill('$A {A} ${1A} ${}', { A: '1' })).toEqual({ text: '$A {A} ${1A} ${}', missing: [] });
  });

  test('any text comes back from its escaped form', () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom('$', '${', '}', '${A}', '$${A}', 'A'));
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const text = pieces.join('');
        expect(fill(escaped(text), { A: 'filled' })).toEqual({ text, missing: [] });
      }),
    );
  });

  test('have names that shells take', () => {
    expect(placeholder('county-pacs', 'password')).toBe('${COUNTY_PACS_PASSWORD}');
    expect(placeholder('7-hills', 'source', 'password')).toBe('${_7_HILLS_SOURCE_PASSWORD}');
  });
});

describe('a file', () => {
  const system = (connection: string) => `systems: [{ name: pacs, connection: ${connection} }]`;

  test('is read with its defaults, and secrets come from variables', async () => {
    const { wanted, stderr } = await read(
      `${system("{ url: 'postgresql://sync:${PW}@h/d' }")}\npairs: [{ name: a-pair, source: pacs, target: pacs }]`,
      { PW: secret },
    );
    expect(wanted.systems![0]).toMatchObject({
      entry: { kind: 'Other', environment: 'production', on_wal_budget: 'alarm' },
      connection: { settings: { url: 'postgresql://sync@h/d', password: secret }, secretFields: ['password'] },
    });
    expect(wanted.pairs![0]).toMatchObject({
      source: { name: 'pacs' },
      entry: { config: { on_invalid: 'quarantine' } },
    });
    expect(stderr).toBe('');
  });

  test('a secret in clear is warned about, without showing it; one that is not set is what the gateway has', async () => {
    const clear = await read(system(`{ url: 'postgresql://sync:${secret}@h/d' }`));
    expect(clear.stderr).toBe(
      'systems[0].connection: password stands in the file in clear; use ${NAME} or a …_file field.\n',
    );
    const kept = await read(system("{ url: 'postgresql://sync@h/d', password: '${PW}' }"));
    expect(kept.wanted.systems![0]!.connection).toMatchObject({
      settings: { password: '[secret]' },
      missing: { password: ['PW'] },
    });
  });

  test.each([
    ['a: 1', /a: there is no field/],
    ['version: 2', /version: /],
    ['systems: [{ name: pacs }]', /systems\[0\]\.connection: is missing/],
    ['systems: [{ name: Not Good, connection: {} }]', /systems\[0\]\.name: use 2 to 63/],
    [system("{ url: 'mysql://h' }"), /systems\[0\]\.connection\.url: /],
    [
      'systems: [{ name: pacs, connector: cobol, connection: {} }]',
      /systems\[0\]\.connector: there is no connector "cobol"; known: postgres/,
    ],
    [system("{ url: 'postgresql://${HOST}/d' }"), /systems\[0\]\.connection\.url: the variable HOST is not set/],
    ['pairs: [{ name: a-pair, source: a, target: b, start: true }]', /pairs\[0\]\.start: there is no field/],
    [
      'pairs: [{ name: a-pair, source: a, target: b }, { name: a-pair, source: a, target: b }]',
      /pairs\[1\]\.name: "a-pair" stands here twice/,
    ],
    [
      'pairs: [{ name: a-pair, source: a, target: b, tables: [{ source: x }] }]',
      /pairs\[0\]\.tables\[0\]\.source: .*schema\.table/,
    ],
    ['a: [', /is neither JSON nor YAML/],
  ])('that is wrong (%s) is refused by place', async (text, told) => {
    expect(await problemOf(text)).toMatch(told);
  });

  test('what is wrong is told without the file (promise 8)', async () => {
    expect(await problemOf(`systems: [{ name: pacs, connection: { password: ${secret}, url: [ } }]`)).not.toContain(
      secret,
    );
    expect(await problemOf(system(`{ url: 'postgresql://u:${secret}@h:99999/d' }`))).not.toContain(secret);
    expect(await problemOf(system(`{ url: 'postgresql://u@h/d', password: { deep: ${secret} } }`))).not.toContain(
      secret,
    );
  });
});

describe('differences', () => {
  const table = { source: 'a.b', where: 'row.x == 1' };

  test('there are none between what means the same', () => {
    const was = definitionOf(
      [{ source: 'a.b', target: 'a.b', columns: 'same', exclude: [], rules: [] }, { source: 'c.d' }],
      {
        load_window: null,
        new_tables: 'ignore',
      },
    );
    const is = definitionOf([{ source: '"c"."d"' }, { source: 'a.b' }], {});
    expect(definitionChanges(was, is)).toEqual([]);
    expect(definitionChanges(definitionOf(null, {}), definitionOf(undefined, { new_tables: 'follow' }))).toEqual([]);
  });

  test('are told field by field', () => {
    const was = definitionOf([table, { source: 'c.d' }], { load_window: { from: '22:00', to: '05:00' } });
    const is = definitionOf([{ ...table, where: 'row.x == 2' }, { source: 'e.f' }], {
      on_invalid: 'halt',
      load_window: { from: '22:00', to: '06:00' },
    });
    expect(definitionChanges(was, is)).toEqual([
      { path: 'tables[a.b].where', before: 'row.x == 1', after: 'row.x == 2' },
      { path: 'tables[c.d]', before: 'in the pair', after: undefined },
      { path: 'tables[e.f]', before: undefined, after: 'in the pair' },
      { path: 'config.load_window.to', before: '05:00', after: '06:00' },
      { path: 'config.on_invalid', before: 'quarantine', after: 'halt' },
    ]);
    expect(definitionChanges(definitionOf(null, {}), definitionOf([table], {}))[0]).toEqual({
      path: 'tables',
      before: 'every table',
      after: ['a.b'],
    });
  });

  test('of connections never hold a secret; that there is one, or none, can be seen (promise 8)', () => {
    const stored = { url: 'postgresql://h/d', password: '[secret]' };
    const changes = (wanted: Record<string, unknown>, secrets = false) =>
      connectionChanges(stored, wanted, ['password'], secrets);
    expect(changes({ url: 'postgresql://h/d', password: secret })).toEqual([]);
    expect(changes({ url: 'postgresql://h/d' })).toEqual([
      { path: 'connection.password', before: '[secret]', after: undefined },
    ]);
    const anew = changes({ url: 'postgresql://other/d', password: secret }, true);
    expect(anew.map(({ path }) => path)).toEqual(['connection.url', 'connection.password']);
    expect(JSON.stringify(anew)).not.toContain(secret);
    expect(changes({ url: 'postgresql://h/d', password: '[secret]' }, true)).toEqual([]);
  });
});

test('the JSON Schema that lies in the docs is the one of this version', async () => {
  const file = fileURLToPath(new URL('../../../../../infra/docs/apply.schema.json', import.meta.url));
  expect(JSON.parse(await readFile(file, 'utf8')), 'npx terrafusion schema > infra/docs/apply.schema.json').toEqual(
    await applyFileSchema(),
  );
});
