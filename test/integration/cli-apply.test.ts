import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OperationView } from '#schemas/http/operations.ts';
import type { PairView } from '#schemas/http/pairs.ts';
import type { SystemView } from '#schemas/http/systems.ts';
import type { RunningGateway } from '#services/gateway/main.ts';
import { terrafusion, type RunOptions } from '#test/support/cli.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freePort } from '#test/support/ports.ts';
import { startTestGateway, type TestGateway } from '#test/support/gateway.ts';
import { freshDatabase } from '#test/support/servers.ts';

let started: TestGateway;
let gateway: RunningGateway;
let folder: string;
let source: TestDatabase;
let target: TestDatabase;

beforeAll(async () => {
  started = await startTestGateway();
  ({ gateway, folder } = started);
  source = await freshDatabase('source');
  target = await freshDatabase('target');
  await source.query(
    `CREATE TABLE parcel (id int PRIMARY KEY, pin text); CREATE TABLE owner (id int PRIMARY KEY, name text);
     INSERT INTO parcel SELECT n, 'pin ' || n FROM generate_series(1, 20) n; INSERT INTO owner VALUES (1, 'one')`,
  );
});
afterAll(async () => {
  await started[Symbol.asyncDispose]();
});
beforeEach(() => {
  process.env['APPLY_PACS_PASSWORD'] = decodeURIComponent(new URL(source.url).password);
  process.env['APPLY_CAMA_PASSWORD'] = decodeURIComponent(new URL(target.url).password);
});
afterEach(() => {
  delete process.env['APPLY_PACS_PASSWORD'];
  delete process.env['APPLY_CAMA_PASSWORD'];
});

const cli = (args: readonly string[], options?: RunOptions) =>
  terrafusion([...args, '--url', gateway.url, '--key-file', gateway.adminKey.file!], options);
const withoutPassword = (database: TestDatabase): string => {
  const url = new URL(database.url);
  url.password = '';
  return url.toString();
};
const systems = () => [
  {
    name: 'apply-pacs',
    kind: 'PACS',
    connection: { url: withoutPassword(source), password: '${APPLY_PACS_PASSWORD}' },
  },
  {
    name: 'apply-cama',
    kind: 'CAMA',
    connection: { url: withoutPassword(target), password: '${APPLY_CAMA_PASSWORD}' },
  },
];
const into = (schema: string) => ({ tables: [{ source: 'public.parcel', target: `${schema}.parcel` }] });
const pair = (more: object = {}) => ({
  name: 'apply-pair',
  source: 'apply-pacs',
  target: 'apply-cama',
  tables: [{ source: 'public.parcel' }],
  desired: 'running',
  ...more,
});
async function file(content: object): Promise<string> {
  const path = join(folder, 'county.json');
  await writeFile(path, JSON.stringify(content));
  return path;
}
const apply = async (content: object, ...flags: string[]) =>
  cli(['apply', await file(content), '--auto-approve', ...flags]);
const plan = async (content: object, ...flags: string[]) => cli(['apply', await file(content), '--dry-run', ...flags]);
const statesOf = async (pair: string) =>
  (await cli(['operations', '--pair', pair, '--json'])).json<OperationView[]>().map(({ state }) => state);
const pairOf = async (name: string) => (await cli(['pairs', 'show', name, '--json'])).json<PairView>();

describe('apply', () => {
  test('makes what is missing, then changes nothing; a change is told field by field and done; export is the same file', async () => {
    const content = { systems: systems(), pairs: [pair()] };
    const planned = await plan(content);
    expect(planned.code).toBe(2);
    expect(planned.stdout).toMatch(
      /^\+ system apply-pacs is made\n\+ system apply-cama is made\n\+ pair apply-pair is made\n\n3 to make/,
    );
    expect(await cli(['systems', '--json'])).toMatchObject({ stdout: '[]\n' });

    // Nobody says yes: nothing is done.
    expect((await cli(['apply', await file(content)])).code).toBe(64);
    expect((await cli(['apply', await file(content)], { answers: ['no'] })).code).toBe(1);
    expect(await cli(['systems', '--json'])).toMatchObject({ stdout: '[]\n' });

    const made = await cli(['apply', await file(content)], { answers: ['y'] });
    expect(made, made.stderr + made.stdout).toMatchObject({ code: 0 });
    expect(made.stdout).toContain('done    pair apply-pair made\n3 changes made.\n');
    expect((await cli(['fence', 'apply-pair', '--timeout', '120'])).code).toBe(0);
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(20);

    for (const again of [await apply(content), await plan(content)])
      expect(again).toMatchObject({ code: 0, stdout: 'Nothing to change: 3 things as the file says.\n' });

    // Without its variables it still says the same: what is there keeps its secrets.
    delete process.env['APPLY_PACS_PASSWORD'];
    expect((await apply(content)).stdout).toContain('Nothing to change');

    const changed = {
      systems: [{ ...systems()[0]!, environment: 'training' }, systems()[1]!],
      pairs: [
        pair({ tables: [{ source: 'public.parcel' }, { source: 'public.owner' }], config: { on_invalid: 'halt' } }),
      ],
    };
    const told = await plan(changed);
    expect(told.code).toBe(2);
    expect(told.stdout).toContain('~ system apply-pacs is changed\n    environment: "production" → "training"\n');
    expect(told.stdout).toContain(
      '    tables[public.owner]: (none) → "in the pair"\n    config.on_invalid: "quarantine" → "halt"\n',
    );
    expect(await apply(changed)).toMatchObject({ code: 0 });
    await eventually(async () => (await statesOf('apply-pair')).every((state) => state === 'completed'), {
      within: 90_000,
    });
    expect(await target.value('SELECT count(*)::int FROM owner')).toBe(1);
    expect(await pairOf('apply-pair')).toMatchObject({ version: 2, definition: { config: { on_invalid: 'halt' } } });
    expect((await apply(changed)).stdout).toContain('Nothing to change');

    // The round trip: what is exported is what is there, with no secret in it.
    for (const format of ['yaml', 'json']) {
      const out = join(folder, `exported.${format}`);
      expect((await cli(['export', '--format', format, '--out', out])).code).toBe(0);
      expect((await cli(['export', '--format', format, '--out', out])).code).toBe(78);
      const exported = (await cli(['export', '--format', format])).stdout;
      for (const password of [new URL(source.url).password, new URL(target.url).password])
        expect(exported).not.toContain(decodeURIComponent(password));
      expect(exported).toContain('${APPLY_PACS_PASSWORD}');
      const again = await cli(['apply', '-', '--dry-run'], { input: exported });
      expect(again, again.stdout).toMatchObject({ code: 0 });
    }

    // What the file leaves out has its default again.
    const back = await apply({ pairs: [pair({ desired: 'paused' })] });
    expect(back, back.stdout + back.stderr).toMatchObject({ code: 0 });
    expect(await pairOf('apply-pair')).toMatchObject({
      desired: 'paused',
      definition: { config: { on_invalid: 'quarantine' } },
    });
    const asJson = (await plan({ pairs: [pair()] }, '--json')).json();
    expect(asJson).toMatchObject({
      changes: 1,
      steps: [
        { action: 'change', fields: [{ path: 'desired', before: 'paused', after: 'running' }], result: 'planned' },
      ],
    });

    // Another password, where it is asked for; and with prune what is not named goes, pairs before their systems.
    const anew = await apply({ systems: [systems()[1]!] }, '--secrets');
    expect(anew.stdout).toContain('connection.password: "[secret]" → "written anew"');
    const pruned = await apply({ systems: [systems()[1]!], pairs: [] }, '--prune');
    expect(pruned, pruned.stdout).toMatchObject({ code: 0 });
    expect(pruned.stdout).toMatch(/^- pair apply-pair is removed\n- system apply-pacs is removed\n/);
    expect((await cli(['systems', '--json'])).json<SystemView[]>().map(({ name }) => name)).toEqual(['apply-cama']);
    expect((await apply({ systems: [] }, '--prune')).code).toBe(0);
  });

  test('tells exactly what could not be done, does the rest, and goes on from there', async () => {
    const [pacs, cama] = systems();
    const elsewhere = {
      ...cama!,
      name: 'apply-lost',
      connection: { ...cama!.connection, url: `postgresql://nobody@127.0.0.1:${await freePort()}/none` },
    };
    const content = {
      systems: [pacs!, cama!, elsewhere],
      pairs: [
        pair({ name: 'apply-lame', target: 'apply-lost', desired: 'paused', ...into('lame') }),
        pair({ name: 'apply-good', desired: 'paused', ...into('good') }),
        pair({ name: 'apply-wrong', tables: [{ source: 'public.nothing' }] }),
      ],
    };
    const first = await apply(content, '--json');
    expect(first.code).toBe(1);
    const { steps } = first.json<{ steps: { name: string; result: string; error: { code: string } | null }[] }>();
    expect(Object.fromEntries(steps.map(({ name, result, error }) => [name, error?.code ?? result]))).toEqual({
      'apply-pacs': 'done',
      'apply-cama': 'done',
      'apply-lost': 'done',
      'apply-lame': 'TARGET_UNREACHABLE',
      'apply-good': 'done',
      'apply-wrong': 'SOURCE_TABLE_MISSING',
    });
    const names = async () => (await cli(['pairs', '--json'])).json<PairView[]>().map(({ name }) => name);
    expect(await names()).toEqual(['apply-good']);
    // Mended: only the rest is done.
    const mended = {
      systems: [pacs!, cama!],
      pairs: [
        pair({ name: 'apply-lame', desired: 'paused', ...into('lame') }),
        ...content.pairs.slice(1, 2),
        pair({ name: 'apply-wrong', desired: 'paused', ...into('wrong') }),
      ],
    };
    const second = await apply(mended);
    expect(second, second.stdout).toMatchObject({ code: 0 });
    expect(second.stdout).toContain('2 to make, 0 to change, 0 to remove, 3 as they should be.');
    expect((await names()).toSorted()).toEqual(['apply-good', 'apply-lame', 'apply-wrong']);
    expect((await apply({ systems: [], pairs: [] }, '--prune')).code).toBe(0);
  });

  test('a system that cannot be made holds up only the pairs that need it', async () => {
    const [pacs, cama] = systems();
    // The gateway refuses what the command line cannot know: a key without the right to make systems.
    const key = join(folder, 'operator.key');
    expect((await cli(['keys', 'create', 'op', '--role', 'operator', '--out', key])).code).toBe(0);
    const path = await file({ systems: [pacs!, cama!], pairs: [pair()] });
    const refused = await terrafusion(['apply', path, '-y', '--url', gateway.url, '--key-file', key]);
    expect(refused.code).toBe(4);
    expect(refused.stdout).toContain('FAILED  system apply-pacs: FORBIDDEN');
    expect(refused.stdout).toContain(
      'waits   pair apply-pair: it needs system apply-pacs\n0 done, 2 failed, 1 not tried.',
    );
  });

  test('refuses what cannot be: unknown systems, another end, secrets that are not set, before anything is done', async () => {
    const [pacs, cama] = systems();
    const wrong = await apply({ pairs: [pair({ source: 'apply-nowhere' })] });
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toContain('pair apply-pair: source: there is no system "apply-nowhere", here or in the file');
    delete process.env['APPLY_PACS_PASSWORD'];
    const unset = await apply({ systems: [pacs!, cama!] });
    expect(unset.stderr).toContain(
      'systems apply-pacs: connection.password: the variable APPLY_PACS_PASSWORD is not set',
    );
    expect((await cli(['systems', '--json'])).stdout).toBe('[]\n');
  });

  test('pairs with ends of their own go there and back too', async () => {
    const end = (database: TestDatabase, variable: string) => ({
      connector: 'postgres',
      connection: { url: withoutPassword(database), password: `\${${variable}}`, application_name: 'inline' },
    });
    const content = (name = 'inline') => ({
      pairs: [
        pair({
          source: {
            ...end(source, 'APPLY_PACS_PASSWORD'),
            connection: { ...end(source, 'APPLY_PACS_PASSWORD').connection, application_name: name },
          },
          target: end(target, 'APPLY_CAMA_PASSWORD'),
          tables: [{ source: 'public.parcel', target: 'inline.parcel' }],
          desired: 'paused',
        }),
      ],
    });
    expect((await apply(content())).code).toBe(0);
    expect((await apply(content())).stdout).toContain('Nothing to change');
    const exported = await cli(['export', '--pair', 'apply-pair']);
    expect(exported.stdout).toContain('${APPLY_PAIR_SOURCE_PASSWORD}');
    expect((await cli(['apply', '-', '--dry-run'], { input: exported.stdout })).code).toBe(0);
    const changed = await apply(content('other'));
    expect(changed.stdout).toContain('source.connection.application_name: "inline" → "other"');
    expect((await apply(content('other'))).stdout).toContain('Nothing to change');
    const moved = await apply({ systems: systems(), pairs: [pair({ desired: 'paused' })] });
    expect(moved.stderr).toContain('its source cannot be changed from a place of its own to apply-pacs');
    expect((await apply({ systems: [], pairs: [] }, '--prune')).code).toBe(0);
  });
});
