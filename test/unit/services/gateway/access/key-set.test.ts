import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KeySet } from '#services/gateway/access/key-set.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';

let folder: string;
let server: Server;
let url: string;
let asked = 0;
let answer: { status: number; body: string; headers?: Record<string, string> };
let first: JWK;
let second: JWK;

const publicKey = async (kid: string): Promise<JWK> => ({
  ...(await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).publicKey)),
  kid,
  alg: 'EdDSA',
});
const set = (...keys: JWK[]): string => JSON.stringify({ keys });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-jwks-'));
  [first, second] = await Promise.all([publicKey('first'), publicKey('second')]);
  server = createServer((_request, reply) => {
    asked += 1;
    reply.writeHead(answer.status, answer.headers).end(answer.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  asked = 0;
  answer = { status: 200, body: set(first) };
});

const open = async (place: { url: string } | { file: string } = { url }) => {
  const clock = new ManualClock();
  const keys = new KeySet({ place, clock, log: silentLog });
  await keys.open();
  const find = (kid: string) => keys.find({ alg: 'EdDSA', kid }, {} as never);
  return { clock, keys, find };
};
const unknown = { code: 'ERR_JWKS_NO_MATCHING_KEY' };

describe("the issuer's keys", () => {
  test('are asked for once, kept, and asked for again when they are old', async () => {
    const { clock, find } = await open();
    for (let index = 0; index < 5; index += 1) expect(await find('first')).toBeDefined();
    expect(asked).toBe(1);
    clock.advance(10 * 60_000 + 1);
    await Promise.all([find('first'), find('first'), find('first')]);
    expect(asked).toBe(2);
  });

  test('are asked for again when a token names a new one, and not for every nonsense', async () => {
    const { clock, find } = await open();
    answer = { status: 200, body: set(first, second) };
    // Just looked.
    await expect(find('second')).rejects.toMatchObject(unknown);
    expect(asked).toBe(1);
    clock.advance(30_000);
    expect(await find('second')).toBeDefined();
    expect(asked).toBe(2);
    for (let index = 0; index < 5; index += 1) await expect(find(`nonsense ${index}`)).rejects.toMatchObject(unknown);
    expect(asked).toBe(2);
  });

  test('hold while the issuer is away, which is asked with growing waits', async () => {
    const { clock, find } = await open();
    answer = { status: 503, body: 'down' };
    clock.advance(10 * 60_000 + 1);
    expect(await find('first')).toBeDefined();
    expect(await find('first')).toBeDefined();
    expect(asked).toBe(2);
    for (const [wait, times] of [
      [1999, 2],
      [1, 3],
      [3999, 3],
      [1, 4],
      [8000, 5],
    ] as const) {
      clock.advance(wait);
      await find('first');
      expect(asked).toBe(times);
    }
    answer = { status: 200, body: set(second) };
    clock.advance(16_000);
    expect(await find('second')).toBeDefined();
    // One that was taken back opens nothing more.
    await expect(find('first')).rejects.toMatchObject(unknown);
  });

  test('that were never had are told as that, and had once the issuer is there', async () => {
    answer = { status: 500, body: '' };
    const { clock, find } = await open();
    await expect(find('first')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { component: 'jwks' } });
    answer = { status: 200, body: set(first) };
    clock.advance(2000);
    expect(await find('first')).toBeDefined();
  });

  test.each([
    ['no JSON', { status: 200, body: '<html>' }],
    ['no key set', { status: 200, body: '{"key": 1}' }],
    ['an empty set', { status: 200, body: '{"keys": []}' }],
    ['a shared key', { status: 200, body: '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}' }],
    ['a private key', { status: 200, body: '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a", "d": "b"}]}' }],
    ['another place', { status: 302, body: '', headers: { location: 'http://127.0.0.1:1/elsewhere' } }],
    ['more than anybody needs', { status: 200, body: `{"keys": [], "x": "${'x'.repeat(1024 * 1024)}"}` }],
  ])('that are %s are not taken', async (_what, given) => {
    answer = given;
    const { find } = await open();
    await expect(find('first')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  test('come from a file as well, which is read again; one that cannot be read stops the start', async () => {
    const file = join(folder, 'jwks.json');
    await writeFile(file, set(first));
    const { clock, find } = await open({ file });
    expect(await find('first')).toBeDefined();
    await writeFile(file, set(second));
    clock.advance(30_000);
    expect(await find('second')).toBeDefined();
    await writeFile(file, 'half a fi');
    clock.advance(10 * 60_000 + 1);
    expect(await find('second')).toBeDefined();
    for (const [bad, message] of [
      [join(folder, 'none.json'), 'JWT_JWKS_FILE: ENOENT'],
      [file, 'JWT_JWKS_FILE: '],
    ] as const)
      await expect(open({ file: bad })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(message) as string,
      });
  });
});
