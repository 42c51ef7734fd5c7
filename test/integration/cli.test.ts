import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import type { OperationView } from '#schemas/http/operations.ts';
import type { PairView } from '#schemas/http/pairs.ts';
import type { RunningGateway } from '#services/gateway/main.ts';
import { createLog, type KernelLog } from '#services/kernel/log.ts';
import { terrafusion, type RunOptions } from '#test/support/cli.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freePort } from '#test/support/ports.ts';
import { startTestGateway, type TestGateway } from '#test/support/gateway.ts';
import { freshDatabase } from '#test/support/servers.ts';

const bin = fileURLToPath(new URL('../../services/cli/bin.js', import.meta.url));
let started: TestGateway;
let gateway: RunningGateway;
let log: KernelLog;
let folder: string;
let source: TestDatabase;
let target: TestDatabase;

beforeAll(async () => {
  started = await startTestGateway({
    logLevel: 'info',
    log: (data) => (log = createLog({ name: 'gateway', level: 'info', folder: join(data, 'logs'), terminal: false })),
  });
  ({ gateway, folder } = started);
  source = await freshDatabase('source');
  target = await freshDatabase('target');
  await source.query(
    `CREATE TABLE parcel (id int PRIMARY KEY, pin text, value numeric(14,2) NOT NULL);
     INSERT INTO parcel SELECT n, 'pin ' || n, n * 1.5 FROM generate_series(1, 100) n`,
  );
});

afterAll(async () => {
  await started[Symbol.asyncDispose]();
  log.close();
});

/** The command line against this gateway, as its administrator unless another key file is named. */
const cli = (line: string | readonly string[], options: RunOptions & { keyFile?: string } = {}) =>
  terrafusion(
    [
      ...(typeof line === 'string' ? line.split(' ') : line),
      '--url',
      gateway.url,
      '--key-file',
      options.keyFile ?? gateway.adminKey.file!,
    ],
    options,
  );
/** Its URL without the password, and the password. */
function parted(database: TestDatabase): { address: string; password: string } {
  const url = new URL(database.url);
  const { password } = url;
  url.password = '';
  return { address: url.toString(), password: decodeURIComponent(password) };
}

test('from a registered system to a mended row, as an operator does it', async () => {
  // Systems: passwords from the standard input and from a file.
  const [from, to] = [parted(source), parted(target)];
  const added = await cli(`systems add cli-pacs ${from.address} --kind PACS --password-stdin`, {
    input: `${from.password}\n`,
  });
  expect(added, added.stderr).toMatchObject({ code: 0 });
  expect(added.stdout).toMatch(/^system +cli-pacs$/m);
  expect(added.stdout).toMatch(/^ {2}password +\[secret\]$/m);
  await writeFile(join(folder, 'cama-password'), `${to.password}\n`);
  const second = await cli([
    ...['systems', 'add', 'cli-cama', to.address, '--kind', 'CAMA', '--json'],
    ...['--password-from', join(folder, 'cama-password'), '--set', 'application_name=by-cli'],
  ]);
  expect(second.json()).toMatchObject({
    kind: 'CAMA',
    connection: { password: '[secret]', application_name: 'by-cli' },
  });
  expect((await cli('systems')).stdout).toMatch(/cli-cama +CAMA[^]*cli-pacs +PACS/);
  expect((await cli('systems list --kind PACS')).stdout).not.toContain('cli-cama');
  const checked = await cli('systems check cli-pacs --as source');
  expect(checked, checked.stdout).toMatchObject({ code: 0 });
  expect(checked.stdout).toMatch(/^ok {3}source wal_level: /m);

  // A pair.
  const file = join(folder, 'pair.json');
  await writeFile(
    file,
    JSON.stringify({
      name: 'cli-pair',
      source: 'cli-pacs',
      target: 'cli-cama',
      tables: [{ source: 'public.parcel', rules: [{ name: 'pin present', check: "row.pin != ''" }] }],
    }),
  );
  expect((await cli(`pairs check ${file} --no-proof`)).code).toBe(0);
  const made = await fetch(new URL('/api/sync-pairs', gateway.url), {
    method: 'POST',
    headers: { 'x-api-key': gateway.adminKey.key!.reveal(), 'content-type': 'application/json' },
    body: await readFile(file),
  });
  expect(made.status).toBe(201);
  expect((await cli('pairs start cli-pair')).stdout).toBe('cli-pair should run; its state is created.\n');
  const fenced = await cli('fence cli-pair --timeout 120');
  expect(fenced, fenced.stderr).toMatchObject({ code: 0 });
  expect(fenced.stdout).toMatch(/^1:[0-9A-F]+\/[0-9A-F]+(:\d+)?\n$/);
  expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(100);
  const shown = await cli('pairs show cli-pair');
  expect(shown.stdout).toMatch(/^source +cli-pacs$/m);
  expect(shown.stdout).toMatch(/public\.parcel +public\.parcel +\w+ +100/);
  expect((await cli('pairs --system cli-cama --json')).json<PairView[]>().map(({ name }) => name)).toEqual([
    'cli-pair',
  ]);

  // One id finds in the logs of every process what a request led to.
  const [started] = (await cli('audit --action sync_pair.start --json')).json<{ request_id: string }[]>();
  const traced = await terrafusion([
    'logs',
    '--folder',
    join(folder, 'logs'),
    '--request',
    started!.request_id,
    '--json',
  ]);
  const lines = traced.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
  expect(lines).toMatchObject([
    { name: 'gateway', action: 'sync_pair.start', pair: 'cli-pair', message: 'A change was made.' },
    ...[
      /load of a pair begins/,
      /Tables were created/,
      /replication slot was created/,
      /load is complete/,
      /stream of a pair begins/,
    ].map((message) => ({
      name: 'sync-service',
      pair: 'cli-pair',
      pair_id: expect.any(String) as string,
      message: expect.stringMatching(message) as string,
    })),
  ]);
  const ofPair = await terrafusion([
    'logs',
    '--folder',
    join(folder, 'logs'),
    '--pair',
    'cli-pair',
    '--process',
    'sync-service',
  ]);
  expect(ofPair.stdout).toMatch(/ sync-service The load of a pair begins\. /);

  // Operations: the load, followed after its end, and one that is begun and followed.
  const [load] = (await cli('operations --pair cli-pair --json')).json<OperationView[]>();
  expect(lines[1]).toMatchObject({ operation: load!.id });
  const followed = await cli(`operations follow ${load!.id}`);
  expect(followed).toMatchObject({ code: 0 });
  expect(followed.stdout).toContain('full completed');
  expect((await cli(`operations show ${load!.id}`)).stdout).toMatch(/^rows +100/m);
  expect((await cli('operations --since 1h --state completed --type full')).stdout).toContain(load!.id);
  expect((await cli('operations --until 2020-01-01')).stdout).toBe('Nothing has run yet.\n');
  const resynced = await cli('pairs resync cli-pair --table public.parcel --wait --timeout 120 --json');
  expect(resynced.code, resynced.stdout).toBe(0);
  expect(JSON.parse(resynced.stdout.trim().split('\n').at(-1)!)).toMatchObject({
    event: 'ended',
    operation: { type: 'resync', state: 'completed' },
  });

  // Dead letters: looked at, mended, replayed; the others discarded by a filter, after a question.
  await source.query("INSERT INTO parcel VALUES (501, '', 1), (502, '', 2), (503, '', 3)");
  expect((await cli('pairs fence cli-pair')).code).toBe(0);
  const letters = (await cli('dead-letters --pair cli-pair --json')).json<DeadLetterView[]>();
  expect(letters).toHaveLength(3);
  const first = letters.find(({ row }) => row['id'] === '501')!;
  expect((await cli(`dead-letters show ${first.id}`)).stdout).toMatch(/^pin +""$/m);
  const again = await cli(`dead-letters replay ${first.id}`);
  expect(again).toMatchObject({ code: 1, stdout: '0 letters replayed, 1 failed.\n' });
  expect(again.stderr).toMatch(/^\d+: PAIR_ROW_INVALID: /);
  await writeFile(join(folder, 'row.yaml'), 'id: 501\npin: mended\nvalue: 12345678901.10\n');
  expect(await cli(['dead-letters', 'replay', first.id, '--row', join(folder, 'row.yaml')])).toMatchObject({
    code: 0,
    stdout: '1 letter replayed, 0 failed.\n',
  });
  // Digit by digit as in the file: never a number in between. (Promise 4)
  expect(await target.value('SELECT value::text FROM parcel WHERE id = 501')).toBe('12345678901.10');
  const bulk = 'dead-letters discard --pair cli-pair --code PAIR_ROW_INVALID';
  expect(await cli(bulk)).toMatchObject({ code: 64 });
  const refused = await cli(bulk, { answers: ['n'] });
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('2 dead letters are discarded: their rows are not written. Go on? [y/N]');
  expect(await cli(bulk, { answers: ['y'] })).toMatchObject({ code: 0, stdout: '2 letters discarded, 0 failed.\n' });
  expect((await cli('dead-letters --state open')).stdout).toBe('There are no such letters.\n');

  // Pause and remove; what is not named aright stays.
  expect((await cli('pairs pause cli-pair')).stdout).toMatch(/^cli-pair should rest; /);
  await eventually(async () => (await cli('pairs show cli-pair --json')).json<PairView>().state === 'paused', {
    within: 60_000,
  });
  expect(await cli('fence cli-pair')).toMatchObject({ code: 1 });
  expect(await cli('pairs resume cli-pair')).toMatchObject({ code: 0 });
  expect(await cli('pairs delete cli-pair', { answers: ['cli-par'] })).toMatchObject({ code: 1 });
  expect((await cli('pairs')).stdout).toContain('cli-pair');
  expect(await cli('systems remove cli-pacs --yes')).toMatchObject({ code: 1 });
  expect(await cli('pairs delete cli-pair', { answers: ['cli-pair'] })).toMatchObject({ code: 0 });
  await eventually(async () => (await cli('systems remove cli-pacs --yes')).code === 0, { within: 60_000 });
  expect((await cli('systems')).stdout).not.toContain('cli-pacs');

  // And who did it.
  const trail = await cli('audit --action system.delete --json');
  expect(trail.json<unknown[]>()).toMatchObject([{ action: 'system.delete', outcome: 'success' }]);
  expect(await cli('audit verify')).toMatchObject({ code: 0 });
});

describe('keys', () => {
  test('are made, kept in a file, limited by their role, and revoked', async () => {
    const file = join(folder, 'viewer.key');
    const made = await cli([
      'keys',
      'create',
      'a viewer',
      '--role',
      'viewer',
      '--expires',
      '2999-01-01',
      '--out',
      file,
    ]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const key = (await readFile(file, 'utf8')).trim();
    expect(key).toMatch(/^tfk_/);
    expect(made.stdout).not.toContain(key);
    expect((await cli(`keys create other --role viewer --out ${file}`)).code).toBe(78);
    expect((await readFile(file, 'utf8')).trim()).toBe(key);

    expect((await cli('pairs', { keyFile: file })).code).toBe(0);
    const refused = await cli('keys', { keyFile: file });
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toMatch(/^FORBIDDEN: This needs the role "admin"/);
    const asJson = await cli('pairs pause nothing --json', { keyFile: file });
    expect(asJson.code).toBe(4);
    expect(JSON.parse(asJson.stderr)).toMatchObject({
      error: { code: 'FORBIDDEN', details: { needed: 'operator' }, request_id: expect.any(String) as string },
    });

    const [, id] = key.split('_');
    // Another secret for the same key: the one before opens nothing.
    const rotated = join(folder, 'rotated.key');
    expect((await cli(`keys rotate ${id!} --out ${rotated}`)).code).toBe(0);
    expect((await cli('pairs', { keyFile: file })).code).toBe(4);
    expect((await cli('pairs', { keyFile: rotated })).code).toBe(0);
    expect(await cli(`keys revoke ${id!} --yes`)).toMatchObject({ code: 0, stdout: `Key ${id!} is revoked.\n` });
    expect((await cli('pairs', { keyFile: file })).code).toBe(4);
    const printed = await cli('keys create printed --role operator');
    expect(printed.stdout).toMatch(/^tfk_\S+\n$/);
    expect((await cli('keys list --role operator')).stdout).toMatch(/printed +operator +all/);
  });

  test('that are unknown, and gateways that are not there, have their exit codes', async () => {
    const file = join(folder, 'wrong.key');
    await writeFile(file, `tfk_nobody_${randomBytes(24).toString('hex')}\n`);
    const unknown = await cli('status', { keyFile: file });
    expect(unknown.code).toBe(4);
    expect(unknown.stderr).toMatch(/^UNAUTHENTICATED: .*\n.*\n$/);
    const nobody = await terrafusion(['status', '--url', `http://127.0.0.1:${await freePort()}`]);
    expect(nobody.code).toBe(3);
    expect(nobody.stderr).toMatch(/^GATEWAY_UNREACHABLE: .*ECONNREFUSED.*\n.*terrafusion up.*\n$/);
    expect((await cli('pairs show no-such-pair')).code).toBe(1);
  });
});

test('status tells the components and the pairs, and watches them until it is stopped', async () => {
  const once = await cli('status');
  expect(once.stdout).toMatch(/^TerraFusion Sync \S+ is (up|degraded)\.\n\nCOMPONENT/);
  const child = spawn(process.execPath, [bin, 'status', '--watch', '--interval', '1', '--url', gateway.url, '--json'], {
    env: { PATH: process.env['PATH'], TERRAFUSION_API_KEY_FILE: gateway.adminKey.file! },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await eventually(() => told.split('\n').length > 2, { within: 60_000, what: 'two looks' });
  child.kill('SIGINT');
  expect(await ended).toBe(0);
  for (const line of told.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ name: 'terrafusion-sync' });
});
