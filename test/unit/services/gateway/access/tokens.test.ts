import { createHmac, createPublicKey } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { SessionView } from '#schemas/http/session.ts';
import { KeySet } from '#services/gateway/access/key-set.ts';
import { isToken, Tokens, type TokenOptions } from '#services/gateway/access/tokens.ts';
import type { App } from '#services/gateway/gateway.ts';
import { ManualClock, systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { askApp, withGateway, type Failure } from '../fixture.ts';
import { makeThings, type Things } from '../route-examples.ts';

const gateway = withGateway();
const issuer = 'https://login.county.example';
const audience = 'terrafusion';
const options: TokenOptions = { issuer, audience, leewayS: 30, roleClaim: 'role', systemsClaim: undefined };

interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly key: CryptoKey;
  readonly jwk: JWK;
  readonly spki: string;
}

let folder: string;
let ed: Signer;
let ec: Signer;
let stranger: Signer;
let rsa: Signer;
let things: Things;

async function signer(alg: string, kid: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg };
  return { kid, alg, key: privateKey, jwk, spki: await exportSPKI(publicKey) };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-jwks-'));
  [ed, ec, stranger, rsa] = await Promise.all([
    signer('EdDSA', 'ed'),
    signer('ES256', 'ec'),
    signer('EdDSA', 'stranger'),
    signer('RS256', 'rsa'),
  ]);
  await writeFile(join(folder, 'jwks.json'), JSON.stringify({ keys: [ed.jwk, ec.jwk, rsa.jwk] }));
  things = await makeThings(gateway.control, 'tokened');
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const now = (): number => Math.floor(Date.now() / 1000);
const claims = (more: JWTPayload = {}): JWTPayload => ({
  iss: issuer,
  aud: audience,
  sub: 'clerk-7',
  name: 'Clerk Seven',
  role: 'operator',
  exp: now() + 600,
  ...more,
});
const without = (name: string): JWTPayload =>
  Object.fromEntries(Object.entries(claims()).filter(([claim]) => claim !== name));
const sign = ({ key, alg, kid }: Signer, payload: JWTPayload = claims(), header: object = {}) =>
  new SignJWT(payload).setProtectedHeader({ alg, kid, ...header }).sign(key);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

async function tokensWith(more: Partial<TokenOptions> = {}): Promise<Tokens> {
  const keys = new KeySet({ place: { file: join(folder, 'jwks.json') }, clock: systemClock, log: silentLog });
  await keys.open();
  return new Tokens({ ...options, ...more }, keys, systemClock);
}
const verify = async (text: string, more?: Partial<TokenOptions>) =>
  (await tokensWith(more)).verify(text, gateway.control);

describe('a token', () => {
  test.each(['EdDSA', 'ES256'])('signed with %s by the issuer tells who asks', async (alg) => {
    const text = await sign(alg === 'EdDSA' ? ed : ec);
    expect(isToken(text)).toBe(true);
    expect(await verify(text)).toMatchObject({
      principal: { id: 'jwt:clerk-7', name: 'Clerk Seven', role: 'operator', systems: undefined },
      expiresAt: expect.any(Date) as Date,
    });
  });

  const bad: readonly (readonly [string, () => Promise<string> | string, string])[] = [
    ['has no signature (alg none)', () => `${part({ alg: 'none' })}.${part(claims())}.`, 'it'],
    [
      'says "none" with the kid of a good key',
      () => `${part({ alg: 'none', kid: 'ed' })}.${part(claims())}.`,
      'it must be signed with',
    ],
    [
      'is signed with the public key as a shared secret (alg confusion)',
      () => hs256(ec.spki, 'ec'),
      'it must be signed with',
    ],
    [
      'is signed with the bytes of the public key as a shared secret',
      () => hs256(createPublicKey(ed.spki).export({ format: 'der', type: 'spki' }), 'ed'),
      'it must be signed with',
    ],
    ['is signed with RS256, though the issuer has such a key', () => sign(rsa), 'it must be signed with'],
    ['names a kid that the issuer does not have', () => sign({ ...ed, kid: 'other' }), 'the issuer has no such key'],
    ["is signed by a stranger with the issuer's kid", () => sign({ ...stranger, kid: 'ed' }), 'its signature is wrong'],
    [
      'brings its own key along',
      () => sign({ ...stranger, kid: 'ed' }, claims(), { jwk: stranger.jwk }),
      'its signature',
    ],
    [
      'says ES256 of a key for EdDSA',
      async () => swapHeader(await sign(ed), { alg: 'ES256', kid: 'ed' }),
      'the issuer has no',
    ],
    ['was changed', async () => swapPayload(await sign(ed), claims({ role: 'admin' })), 'its signature is wrong'],
    ['has expired', () => sign(ed, claims({ exp: now() - 31 })), 'it has expired'],
    ['is not valid yet', () => sign(ed, claims({ nbf: now() + 60 })), 'it is not valid yet'],
    ['never expires', () => sign(ed, without('exp')), 'its claim "exp"'],
    ['is for another audience', () => sign(ed, claims({ aud: 'payroll' })), 'its claim "aud"'],
    ['is for nobody', () => sign(ed, without('aud')), 'its claim "aud"'],
    ['is of another issuer', () => sign(ed, claims({ iss: `${issuer}.evil.example` })), 'its claim "iss"'],
    ['is of no issuer', () => sign(ed, without('iss')), 'its claim "iss"'],
    ['is about nobody', () => sign(ed, without('sub')), 'its claim "sub"'],
    ['has a subject that could forge a line', () => sign(ed, claims({ sub: 'a\nb' })), 'its subject'],
    [
      'asks for an extension nobody knows (crit)',
      async () => swapHeader(await sign(ed), { alg: 'EdDSA', kid: 'ed', crit: ['x'], x: 1 }),
      'it',
    ],
    ['is no token', () => 'a.b.c', 'it'],
  ];

  const hs256 = (secret: string | Buffer, kid: string): string => {
    const head = `${part({ alg: 'HS256', kid })}.${part(claims({ role: 'admin' }))}`;
    return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`;
  };
  const swapHeader = (text: string, header: object): string => [part(header), ...text.split('.').slice(1)].join('.');
  const swapPayload = (text: string, payload: object): string => {
    const [head, , signature] = text.split('.');
    return [head, part(payload), signature].join('.');
  };

  test.each(bad)('that %s is refused', async (_what, make, reason) => {
    const error: unknown = await verify(await make()).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining(`The token is refused: ${reason}`) as string,
    });
  });

  test('is taken within the leeway of clocks, and no longer', async () => {
    await expect(verify(await sign(ed, claims({ exp: now() - 5 })))).resolves.toBeDefined();
    await expect(verify(await sign(ed, claims({ nbf: now() + 20 })))).resolves.toBeDefined();
    await expect(verify(await sign(ed, claims({ exp: now() - 5 })), { leewayS: 0 })).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  test('names its role, several, or one along a path: the highest counts; none is refused', async () => {
    const role = async (more: JWTPayload, roleClaim = 'role') =>
      (await verify(await sign(ed, { ...without('role'), ...more }), { roleClaim })).principal.role;
    expect(await role({ role: 'viewer' })).toBe('viewer');
    expect(await role({ role: ['viewer', 'editor', 'something'] })).toBe('editor');
    expect(await role({ realm_access: { roles: ['operator'] } }, 'realm_access.roles')).toBe('operator');
    expect(await role({ 'https://county.example/role': 'admin' }, 'https://county.example/role')).toBe('admin');
    for (const more of [{}, { role: 'root' }, { role: 7 }, { role: null }, { role: { admin: true } }])
      await expect(role(more as JWTPayload), JSON.stringify(more)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(role({}, 'constructor.name')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('is limited to systems by a claim, once that is asked for; a forgotten one opens none', async () => {
    const systems = async (more: JWTPayload) =>
      (await verify(await sign(ed, claims(more)), { systemsClaim: 'systems' })).principal.systems;
    expect(await systems({ systems: ['tokened-source', things.target, 'gone'] })).toEqual([
      things.system,
      things.target,
    ]);
    expect(await systems({ systems: '*' })).toBeUndefined();
    expect(await systems({})).toEqual([]);
  });
});

describe('at the gateway', () => {
  const open = async (more: Partial<TokenOptions> = {}, gatewayOptions = {}): Promise<App> =>
    gateway.another(gatewayOptions, { tokens: await tokensWith(more) });
  const bearer = (app: App, text: string, path = '/api/systems', method: 'GET' | 'POST' = 'GET') =>
    askApp<Failure>(app, gateway.keys, path, {
      as: 'nobody',
      method,
      headers: { authorization: `Bearer ${text}` },
      remoteAddress: '10.3.0.1',
    });

  test('the same Idempotency-Key of two holders is two keys; of one holder whose limits have changed it is refused', async () => {
    const app = await open({ systemsClaim: 'systems' });
    const send = async (payload: JWTPayload) =>
      await askApp<Failure & { readonly id?: string }>(app, gateway.keys, '/api/sync-operations', {
        as: 'nobody',
        method: 'POST',
        body: { pair_id: 'tokened', type: 'full' },
        headers: { authorization: `Bearer ${await sign(ed, claims(payload))}`, 'idempotency-key': 'same-text' },
      });
    const first = await send({ sub: 'one', systems: ['*'] });
    expect(first.status).toBe(202);
    const again = await send({ sub: 'one', systems: ['*'] });
    expect([again.body.id, again.headers['idempotency-replayed']]).toEqual([first.body.id, 'true']);
    // Somebody else's request is done, and is not told of the first one.
    const other = await send({ sub: 'two', systems: ['*'] });
    expect(other.headers['idempotency-replayed']).toBeUndefined();
    expect(other.text).not.toContain(first.body.id);
    // What was answered to somebody who sees everything is not for his token that sees some of it, and nothing is done twice.
    const limited = await send({ sub: 'one', systems: ['tokened-source', 'tokened-target'] });
    expect([limited.status, limited.body.error.code]).toEqual([409, 'CONFLICTING_STATE']);
  });

  test('a token opens what its role does; the trail names its holder', async () => {
    const app = await open();
    const text = await sign(ed);
    expect((await bearer(app, text)).status).toBe(200);
    expect((await bearer(app, text, '/api/keys')).status).toBe(403);
    expect((await bearer(app, text, '/api/sync-pairs/tokened/pause', 'POST')).status).toBe(200);
    const { items } = await gateway.control.audit.list({ action: 'sync_pair.pause' }, { limit: 1 });
    expect(items[0]!.actor).toBe('Clerk Seven (jwt:clerk-7)');
    const who = await askApp<SessionView>(app, gateway.keys, '/api/session', {
      as: 'nobody',
      headers: { authorization: `Bearer ${text}` },
    });
    expect(who.body).toMatchObject({ by: 'token', id: 'jwt:clerk-7', csrf_token: null });
    expect(Date.parse(who.body.expires_at!)).toBeGreaterThan(Date.now());
    // It is for the header that says what it is, and no key.
    const asKey = await askApp(app, gateway.keys, '/api/systems', { as: { key: text } });
    expect(asKey.status).toBe(401);
  });

  test('a limited token sees what it is limited to', async () => {
    const app = await open({ systemsClaim: 'systems' });
    const names = async (systems?: string[]) => {
      const reply = await bearer(app, await sign(ed, claims({ ...(systems && { systems }) })));
      return (reply.body as unknown as { items: { name: string }[] }).items.map(({ name }) => name);
    };
    expect(await names(['tokened-source'])).toEqual(['tokened-source']);
    expect(await names()).toEqual([]);
  });

  test('two of one holder with other limits are not given the answers of each other while the database is away', async () => {
    const app = await open({ systemsClaim: 'systems' });
    const path = '/api/sync-operations';
    const wide = await sign(ed, claims({ systems: '*' }));
    const narrow = await sign(ed, claims({ systems: [] }));
    expect((await bearer(app, wide, path)).text).toContain(things.operation);
    const down = new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', 'The control database cannot be reached');
    const spy = vi.spyOn(gateway.control.database, 'query').mockRejectedValue(down);
    try {
      expect((await bearer(app, wide, path)).text).toContain(things.operation);
      const other = await bearer(app, narrow, path);
      expect(other.status).toBe(503);
      expect(other.text).not.toContain(things.operation);
    } finally {
      spy.mockRestore();
    }
  });

  test('without an issuer no token opens anything', async () => {
    const reply = await bearer(gateway.app, await sign(ed));
    expect([reply.status, reply.body.error.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  test('a refused one says why; one that names no role is forbidden', async () => {
    const app = await open();
    const old = await bearer(app, await sign(ed, claims({ exp: now() - 60 })));
    expect([old.status, old.body.error.message]).toEqual([401, 'The token is refused: it has expired']);
    expect((await bearer(app, await sign(ed, claims({ role: 'root' })))).status).toBe(403);
  });

  test('who forges tokens is shut out; old ones are no forgery', async () => {
    const app = await open({}, { lockoutFailures: 3 });
    for (let index = 0; index < 5; index += 1)
      expect((await bearer(app, await sign(ed, claims({ exp: now() - 60 - index })))).status).toBe(401);
    for (let index = 0; index < 3; index += 1)
      expect((await bearer(app, await sign({ ...stranger, kid: 'ed' }, claims({ jti: `${index}` })))).status).toBe(401);
    const refused = await bearer(app, await sign(ed));
    expect([refused.status, refused.body.error.code]).toEqual([429, 'LOCKED_OUT']);
  });

  test('a token is looked at again while a stream lasts', async () => {
    const clock = new ManualClock(Date.now());
    const keys = new KeySet({ place: { file: join(folder, 'jwks.json') }, clock, log: silentLog });
    await keys.open();
    const tokens = new Tokens(options, keys, clock);
    const app = await gateway.another({}, { tokens });
    const text = await sign(ed, claims({ exp: now() + 60 }));
    const request = { headers: { authorization: `Bearer ${text}` } } as never;
    expect(await app.guard.stillAllowed(request)).toBe(true);
    clock.advance(120_000);
    expect(await app.guard.stillAllowed(request)).toBe(false);
  });
});
