import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { SessionView } from '#schemas/http/session.ts';
import type { App } from '#services/gateway/gateway.ts';
import { eventually } from '#test/support/eventually.ts';
import { askApp, withGateway, type Ask, type Failure, type Reply } from './fixture.ts';

const gateway = withGateway();
const own = 'http://localhost';
const asNobody = { as: 'nobody' } as const;

interface Browser {
  readonly cookie: string;
  readonly view: SessionView;
  ask<T = Failure>(path: string, ask?: Ask): Promise<Reply<T>>;
}

const cookieOf = ({ headers }: Reply<unknown>): string => {
  const [text] = [headers['set-cookie']].flat();
  return String(text);
};

/** Logs in, and asks with what a browser would then send. */
async function login(key: string, app: App = gateway.app, headers: Record<string, string> = {}): Promise<Browser> {
  const reply = await askApp<SessionView>(app, gateway.keys, '/api/session', {
    ...asNobody,
    method: 'POST',
    body: { key },
    headers: { origin: own, ...headers },
  });
  expect(reply.status).toBe(201);
  const cookie = cookieOf(reply).split(';', 1)[0]!;
  return {
    cookie,
    view: reply.body,
    ask: (path, { headers: more = {}, ...ask } = {}) =>
      askApp(app, gateway.keys, path, { ...asNobody, ...ask, headers: { cookie, ...more } }),
  };
}

const newKey = async (role: 'viewer' | 'operator' | 'editor' | 'admin', expiresAt?: string) => {
  const { record, key } = await gateway.control.apiKeys.create({ name: `browser ${role}`, role, expiresAt });
  return { id: record.id, text: key.reveal() };
};

describe('logging in', () => {
  test('gives a cookie that no script reads, and says who one is', async () => {
    const reply = await gateway.ask<SessionView>('/api/session', {
      ...asNobody,
      method: 'POST',
      body: { key: gateway.keys.operator },
    });
    expect(reply.status).toBe(201);
    expect(cookieOf(reply)).toMatch(/^terrafusion_session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.body).toMatchObject({ by: 'session', name: 'the operator', role: 'operator', systems: null });
    expect(reply.body.csrf_token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const life = Date.parse(reply.body.expires_at!) - Date.now();
    expect(life).toBeGreaterThan(29 * 60_000);
    expect(life).toBeLessThanOrEqual(30 * 60_000);
    expect(Date.parse(reply.body.ends_at!) - Date.now()).toBeGreaterThan(11.9 * 3600_000);
    // Neither the key nor what opens the session stands in the reply's body.
    expect(reply.text).not.toContain(gateway.keys.operator.split('_')[2]);
    expect(reply.text).not.toContain(/=([^;]+)/.exec(cookieOf(reply))![1]);
  });

  test('with a key that is wrong, revoked or none is refused, and sets no cookie', async () => {
    const revoked = await newKey('viewer');
    await gateway.control.apiKeys.revoke(revoked.id);
    for (const key of ['x', revoked.text, `${gateway.keys.admin}x`]) {
      const reply = await gateway.ask<Failure>('/api/session', { ...asNobody, method: 'POST', body: { key } });
      expect([reply.status, reply.body.error.code]).toEqual([401, 'UNAUTHENTICATED']);
      expect(reply.headers['set-cookie']).toBeUndefined();
    }
    for (const body of [{}, { key: 7 }, { key: '' }, { key: gateway.keys.admin, more: 1 }]) {
      expect((await gateway.ask('/api/session', { ...asNobody, method: 'POST', body })).status).toBe(400);
    }
  });

  test('by a page of another origin is refused', async () => {
    const app = await gateway.another({ corsOrigins: ['https://ops.county.example'] });
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://localhost:8081' },
      // It may use the API with a key, and has no business with the cookie.
      { origin: 'https://ops.county.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const reply = await askApp<Failure>(app, gateway.keys, '/api/session', {
        ...asNobody,
        method: 'POST',
        body: { key: gateway.keys.admin },
        headers: headers,
      });
      expect([reply.status, reply.body.error.code], JSON.stringify(headers)).toEqual([403, 'CSRF_REFUSED']);
      expect(reply.headers['set-cookie']).toBeUndefined();
    }
  });

  test('is in the audit trail, and so is logging out; neither tells a secret', async () => {
    const key = await newKey('editor');
    const browser = await login(key.text, gateway.app, { 'x-request-id': 'login-1' });
    const token = browser.cookie.split('=')[1]!;
    await browser.ask('/api/session', { method: 'DELETE', headers: { 'x-csrf-token': browser.view.csrf_token! } });
    const { items } = await gateway.control.audit.list({ entityKind: 'session', text: key.id }, { limit: 9 });
    expect(items).toMatchObject([
      { action: 'session.end', outcome: 'success' },
      { action: 'session.create', outcome: 'success', requestId: 'login-1', after: { key: key.id } },
    ]);
    expect(items[0]!.entityId).toBe(items[1]!.entityId);
    for (const secret of [token, key.text.split('_')[2]!, browser.view.csrf_token!])
      expect(JSON.stringify(items)).not.toContain(secret);
    const stored = await gateway.control.database.query('SELECT s::text AS text FROM terrafusion.sessions s');
    expect(JSON.stringify(stored)).not.toContain(token);
  });

  test('again ends the session that the browser had', async () => {
    const first = await login(gateway.keys.viewer);
    const second = await login(gateway.keys.viewer, gateway.app, { cookie: first.cookie });
    expect((await first.ask('/api/systems')).status).toBe(401);
    expect((await second.ask('/api/systems')).status).toBe(200);
  });
});

describe('a session', () => {
  test('opens what its key opens, and no more', async () => {
    const browser = await login(gateway.keys.operator);
    const headers = { 'x-csrf-token': browser.view.csrf_token!, origin: own };
    expect((await browser.ask('/api/systems')).status).toBe(200);
    expect((await browser.ask('/api/keys')).status).toBe(403);
    expect((await browser.ask('/api/sync-pairs/none/start', { method: 'POST', headers })).status).toBe(404);
    expect((await browser.ask('/api/systems', { method: 'POST', headers, body: {} })).status).toBe(403);
    const who = await browser.ask<SessionView>('/api/session');
    expect(who.body).toMatchObject({ by: 'session', role: 'operator', csrf_token: browser.view.csrf_token });
  });

  test('changes something only with its own token, from a page of ours (CSRF)', async () => {
    const browser = await login(gateway.keys.admin);
    const other = await login(gateway.keys.admin);
    const token = browser.view.csrf_token!;
    const make = (headers: Record<string, string>) =>
      browser.ask('/api/keys', { method: 'POST', body: { name: 'by browser', role: 'viewer' }, headers });
    for (const headers of [
      {},
      { origin: own },
      { origin: own, 'x-csrf-token': '' },
      { origin: own, 'x-csrf-token': 'x' },
      { origin: own, 'x-csrf-token': other.view.csrf_token! },
      { origin: own, 'x-csrf-token': token.slice(0, -1) },
      { origin: 'https://evil.example', 'x-csrf-token': token },
      { origin: 'http://localhost:8081', 'x-csrf-token': token },
      { origin: 'null', 'x-csrf-token': token },
      { 'sec-fetch-site': 'same-site', 'x-csrf-token': token },
    ]) {
      const reply = await make(headers);
      expect(reply.status, JSON.stringify(headers)).toBe(403);
      expect(reply.body.error.code, JSON.stringify(headers)).toBe('CSRF_REFUSED');
    }
    const before = await gateway.control.audit.list({ action: 'api_key.create' }, { limit: 1 });
    expect(before.items).toEqual([]);
    expect((await make({ origin: own, 'x-csrf-token': token })).status).toBe(201);
    expect((await make({ 'sec-fetch-site': 'same-origin', 'x-csrf-token': token })).status).toBe(201);
    // A key in a header is no cookie: nobody can make a browser send it.
    const byKey = await gateway.ask('/api/systems/none', { method: 'DELETE', headers: { cookie: browser.cookie } });
    expect(byKey.status).toBe(404);
  });

  test('ends by logging out, and the cookie with it', async () => {
    const browser = await login(gateway.keys.viewer);
    expect((await browser.ask('/api/session', { method: 'DELETE' })).status).toBe(403);
    const out = await browser.ask('/api/session', {
      method: 'DELETE',
      headers: { 'x-csrf-token': browser.view.csrf_token! },
    });
    expect(out.status).toBe(204);
    expect(cookieOf(out)).toMatch(/^terrafusion_session=; .*Max-Age=0$/);
    const after = await browser.ask('/api/session');
    expect([after.status, after.body.error.message]).toEqual([401, 'The session has ended: log in again']);
    // The browser should stop sending what opens nothing.
    expect(cookieOf(after)).toMatch(/Max-Age=0$/);
  });

  test.each(['revoked', 'expired', 'given another secret'])('ends when its key is %s', async (how) => {
    const key = await newKey('viewer');
    const browser = await login(key.text);
    expect((await browser.ask('/api/systems')).status).toBe(200);
    if (how === 'revoked') await gateway.control.apiKeys.revoke(key.id);
    else if (how === 'expired') {
      await gateway.control.database.run('UPDATE terrafusion.api_keys SET expires_at = $2 WHERE id = $1', [
        key.id,
        '2000-01-01T00:00:00Z',
      ]);
    } else {
      const { secret } = (await import('#services/kernel/api-keys.ts')).generateApiKey();
      await gateway.control.apiKeys.replaceSecret(key.id, secret);
    }
    expect((await browser.ask('/api/systems')).status).toBe(401);
  });

  test('never outlives its key', async () => {
    const soon = new Date(Date.now() + 120_000).toISOString();
    const browser = await login((await newKey('viewer', soon)).text);
    expect(browser.view.expires_at).toBe(soon);
  });

  test('opens the stream of events, as long as it lasts', async () => {
    const app = await gateway.another();
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const browser = await login(gateway.keys.viewer);
    const request = httpGet({
      port,
      host: '127.0.0.1',
      path: '/api/events',
      agent: false,
      headers: { cookie: browser.cookie },
    });
    const [reply] = (await once(request, 'response')) as [IncomingMessage];
    expect(reply.statusCode).toBe(200);
    let text = '';
    reply.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    await eventually(() => text.includes('event: pairs'));
    request.on('error', () => undefined).destroy();
  });

  test('is read on while the control database is down, and changes nothing then', async () => {
    const app = await gateway.another();
    const browser = await login(gateway.keys.admin, app);
    expect((await browser.ask('/api/status')).status).toBe(200);
    const down = new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', 'The control database cannot be reached');
    const spy = vi.spyOn(gateway.control.sessions, 'verify').mockRejectedValue(down);
    try {
      expect((await browser.ask('/api/status')).status).toBe(200);
      const change = await browser.ask('/api/keys', {
        method: 'POST',
        headers: { 'x-csrf-token': browser.view.csrf_token! },
        body: { name: 'x', role: 'viewer' },
      });
      expect(change.status).toBe(503);
    } finally {
      spy.mockRestore();
    }
  });
});

describe('who asks', () => {
  test('is told to holders of keys too, and where keys are not required', async () => {
    const key = await gateway.ask<SessionView>('/api/session', { as: 'editor' });
    expect(key.body).toMatchObject({
      by: 'key',
      name: 'the editor',
      role: 'editor',
      csrf_token: null,
      ends_at: null,
      expires_at: null,
      auth_required: true,
    });
    const none = await gateway.ask<Failure>('/api/session', { method: 'DELETE' });
    expect([none.status, none.body.error.code]).toEqual([404, 'NOT_FOUND']);
    const app = await gateway.another({ authRequired: false });
    const stale = { cookie: 'terrafusion_session=ended' };
    for (const headers of [{}, stale] as Record<string, string>[]) {
      const nobody = await askApp<SessionView>(app, gateway.keys, '/api/session', { ...asNobody, headers });
      expect(nobody.body).toMatchObject({ by: 'nobody', role: 'admin', csrf_token: null, auth_required: false });
    }
  });
});
