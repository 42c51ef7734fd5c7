import { describe, expect, test, vi } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { roles } from '#schemas/http/common.ts';
import { accessOf, mayAct, routeAccess } from '#services/gateway/roles.ts';
import { askApp, withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();
const missing = '00000000-0000-4000-8000-000000000000';
const pathOf = (url: string): string =>
  url.replace(':id', url.includes('dead-letters') || url.includes('keys') ? '999999' : missing);
const routes = Object.entries(routeAccess).map(([route, access]) => {
  const [method, url] = route.split(' ') as ['GET', string];
  return { route, method, url: pathOf(url).replace('*', 'icon.svg'), access };
});
// A stream has no end to wait for.
const asked = routes.filter(({ url }) => url !== '/api/events' && !url.startsWith('/sync/'));

describe('access', () => {
  test('every line of the table is a route, and no route is without a line', () => {
    for (const route of Object.keys(routeAccess)) {
      const [method, url] = route.split(' ') as ['GET', string];
      expect(gateway.app.hasRoute({ method, url }), route).toBe(true);
    }
    expect(accessOf('GET', '/docs/static/index.html')).toBe('public');
    expect(accessOf('POST', '/docs/static/index.html')).toBeUndefined();
    expect(accessOf('HEAD', '/api/keys')).toBe('admin');
  });

  // The other tests here take the table's word for it.
  test('no route that changes something is open to viewers; what is made, changed and opened needs more (Promise 8)', () => {
    const ofOnesOwn = new Set(['POST /api/session', 'DELETE /api/session']);
    const changing = Object.entries(routeAccess).filter(
      ([route]) => !route.startsWith('GET ') && !ofOnesOwn.has(route),
    );
    const below = { viewer: /./, operator: /\/(systems|sync-pairs)(\/:id)?$/, editor: /\/(keys|sessions)/ } as const;
    for (const [role, which] of Object.entries(below)) {
      const concerned = changing.filter(([route]) => which.test(route));
      expect(concerned).not.toEqual([]);
      for (const [route, access] of concerned) {
        expect(access !== 'public' && !mayAct(role as keyof typeof below, access), `${route} for ${role}`).toBe(true);
      }
    }
    for (const route of ['GET /api/dead-letters', 'GET /api/dead-letters/:id', 'GET /api/sync/conflicts/:job_id'])
      expect(mayAct('viewer', routeAccess[route] as 'admin'), `${route} holds rows`).toBe(false);
  });

  test.each(asked.filter(({ access }) => access !== 'public'))(
    '$route needs a key, and one of role $access',
    async ({ method, url, access }) => {
      if (access === 'public') return;
      const nobody = await gateway.ask<Failure>(url, { method, as: 'nobody', remoteAddress: '10.1.2.3' });
      expect(nobody.status).toBe(401);
      expect(nobody.body.error.code).toBe('UNAUTHENTICATED');
      expect(nobody.headers['www-authenticate']).toContain('Bearer');
      for (const role of roles) {
        const { status, body } = await gateway.ask<Failure>(url, { method, as: role });
        if (mayAct(role, access)) expect([401, 403], role).not.toContain(status);
        else {
          expect(status, role).toBe(403);
          expect(body.error).toMatchObject({ code: 'FORBIDDEN', details: { role, needed: access } });
        }
      }
    },
  );

  test.each(routes.filter(({ access, route }) => access === 'public' && route.startsWith('GET ')))(
    '$route is open',
    async ({ method, url }) => {
      const { status } = await gateway.ask(url.replace(':page', 'lag'), { method, as: 'nobody' });
      expect(status).toBe(200);
    },
  );

  test('a refused change is in the audit trail', async () => {
    await gateway.ask('/api/systems', {
      method: 'POST',
      as: 'viewer',
      body: {},
      headers: { 'x-request-id': 'refused-1' },
    });
    const { items } = await gateway.control.audit.list({ outcome: 'failure', text: 'refused-1' }, { limit: 1 });
    expect(items).toMatchObject([
      { action: 'request.refused', after: { path: '/api/systems', role: 'viewer', needed: 'editor' } },
    ]);
    expect(items[0]!.actor).toMatch(/^the viewer \(\w{12}\)$/);
  });

  test('a key works as a bearer token too; wrong ones of any kind do not', async () => {
    const bearer = (text: string) => gateway.ask('/api/systems', { as: 'nobody', headers: { authorization: text } });
    expect((await bearer(`Bearer ${gateway.keys.viewer}`)).status).toBe(200);
    expect((await bearer(`bearer  ${gateway.keys.viewer} `)).status).toBe(200);
    for (const bad of [
      '',
      'Bearer',
      'Bearer x',
      'Basic dTpw',
      `Bearer ${gateway.keys.viewer}x`,
      `Token ${gateway.keys.viewer}`,
    ]) {
      expect((await bearer(bad)).status, bad).toBe(401);
    }
    for (const key of [
      'x',
      'tfk_a_b',
      `${gateway.keys.admin}x`,
      `tfk_${'a'.repeat(12)}_${'b'.repeat(43)}`,
      '"; DROP TABLE',
    ]) {
      expect((await gateway.ask('/api/systems', { as: { key } })).status, key).toBe(401);
    }
    expect((await gateway.ask(`/api/systems?api_key=${gateway.keys.admin}`, { as: 'nobody' })).status).toBe(401);
  });

  test('a revoked key opens nothing from that moment on', async () => {
    const { record, key } = await gateway.control.apiKeys.create({ name: 'short', role: 'viewer' });
    const as = { key: key.reveal() };
    expect((await gateway.ask('/api/systems', { as })).status).toBe(200);
    await gateway.control.apiKeys.revoke(record.id);
    expect((await gateway.ask('/api/systems', { as })).status).toBe(401);
  });

  test('metrics are open to this machine, and not through a proxy on it', async () => {
    const path = '/metrics';
    expect((await gateway.ask(path, { as: 'nobody' })).status).toBe(200);
    expect((await gateway.ask(path, { as: 'nobody', remoteAddress: '::1' })).status).toBe(200);
    expect((await gateway.ask(path, { as: 'nobody', remoteAddress: '10.1.2.3' })).status).toBe(401);
    expect((await gateway.ask(path, { as: 'nobody', headers: { 'x-forwarded-for': '10.1.2.3' } })).status).toBe(401);
    expect((await gateway.ask(path, { as: 'viewer', remoteAddress: '10.1.2.3' })).text).toContain(
      'terrafusion_http_request_seconds',
    );
  });
});

describe('without required keys', () => {
  test('this machine is an administrator; pages of other sites and other machines are not', async () => {
    const app = await gateway.another({ authRequired: false, corsOrigins: ['https://ops.county.example'] });
    const ask = (headers: Record<string, string>, remoteAddress?: string) =>
      askApp(app, gateway.keys, '/api/keys', {
        as: 'nobody',
        headers,
        ...(remoteAddress === undefined ? {} : { remoteAddress }),
      });
    expect((await ask({ host: 'localhost:5000' })).status).toBe(200);
    expect((await ask({ host: '127.0.0.1:5000', origin: 'http://127.0.0.1:5000' })).status).toBe(200);
    expect((await ask({ host: '127.0.0.1:5000', origin: 'https://ops.county.example' })).status).toBe(200);
    // Another site's page, in a browser on this machine.
    expect((await ask({ host: '127.0.0.1:5000', origin: 'https://evil.example' })).status).toBe(401);
    expect((await ask({ host: '127.0.0.1:5000', origin: 'null' })).status).toBe(401);
    // A name of somebody else's that leads to this machine.
    expect((await ask({ host: 'evil.example', origin: 'http://evil.example' })).status).toBe(401);
    expect((await ask({ host: 'localhost' }, '10.1.2.3')).status).toBe(401);
    expect((await ask({ host: 'localhost', 'x-forwarded-for': '10.1.2.3' })).status).toBe(401);
  });

  test('is said wherever somebody looks', async () => {
    const app = await gateway.another({ authRequired: false });
    const alerts = async (asked: typeof app) =>
      (await askApp<{ alerts: { code: string; message: string }[] }>(asked, gateway.keys, '/api/status')).body.alerts;
    expect(await alerts(app)).toContainEqual(
      expect.objectContaining({
        code: 'auth_not_required',
        severity: 'warning',
        message: expect.stringContaining('AUTH_REQUIRED=false') as string,
        pair: null,
      }),
    );
    // Where it is not honoured there is nothing to warn of.
    for (const other of [gateway.app, await gateway.another({ authRequired: false, host: '0.0.0.0' })])
      expect((await alerts(other)).map(({ code }) => code)).not.toContain('auth_not_required');
  });

  test('is not honoured where others can reach us', async () => {
    const app = await gateway.another({ authRequired: false, host: '0.0.0.0' });
    expect(
      (await askApp(app, gateway.keys, '/api/keys', { as: 'nobody', headers: { host: 'localhost' } })).status,
    ).toBe(401);
  });
});

describe('the rate limit', () => {
  test('counts each key for itself, and what has none by address; health and metrics are free', async () => {
    const app = await gateway.another({ rateLimitPerMinute: 5 });
    const ask = (path: string, as: 'admin' | 'viewer' | 'nobody', remoteAddress = '10.0.0.1') =>
      askApp<Failure>(app, gateway.keys, path, { as, remoteAddress });
    for (let index = 0; index < 5; index += 1) expect((await ask('/api/systems', 'nobody')).status).toBe(401);
    const refused = await ask('/api/systems', 'nobody');
    expect(refused.status).toBe(429);
    expect(refused.body.error.code).toBe('RATE_LIMITED');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask('/api/systems', 'nobody', '10.0.0.2')).status).toBe(401);
    // A key that has been seen does not suffer for its neighbour's guessing.
    expect((await ask('/api/systems', 'admin', '10.0.0.2')).status).toBe(200);
    for (let index = 0; index < 5; index += 1) expect((await ask('/api/systems', 'admin')).status).toBe(200);
    expect((await ask('/api/systems', 'admin')).status).toBe(429);
    expect((await ask('/api/systems', 'viewer', '10.0.0.3')).status).toBe(200);
    for (let index = 0; index < 8; index += 1) {
      expect((await ask('/health/live', 'nobody')).status).toBe(200);
      expect((await ask('/metrics', 'nobody', '127.0.0.1')).status).toBe(200);
    }
  });
});

describe('while the control database is down', () => {
  test('a key that was good lately may still read the status, and nothing else', async () => {
    const app = await gateway.another();
    const down = new TerraFusionError(
      'CONTROL_DATABASE_UNREACHABLE',
      'The control database cannot be reached: ECONNREFUSED',
    );
    expect((await askApp(app, gateway.keys, '/api/status')).status).toBe(200);
    const { apiKeys, pairs, audit } = gateway.control;
    const spies = [
      vi.spyOn(apiKeys, 'verify').mockRejectedValue(down),
      vi.spyOn(pairs, 'list').mockRejectedValue(down),
      vi.spyOn(audit, 'append').mockRejectedValue(down),
      vi.spyOn(gateway.control.database, 'query').mockRejectedValue(down),
    ];
    try {
      const status = await askApp<{ state: string; components: unknown[] }>(app, gateway.keys, '/api/status');
      expect(status).toMatchObject({ status: 200, body: { state: 'down', pairs: [] } });
      expect(status.body.components).toContainEqual(
        expect.objectContaining({ name: 'control-database', state: 'down' }),
      );
      expect((await askApp<Failure>(app, gateway.keys, '/api/sync-pairs')).body.error.code).toBe(
        'CONTROL_DATABASE_UNREACHABLE',
      );
      // Not seen before, or not reading: nobody can vouch for it.
      expect((await askApp(app, gateway.keys, '/api/status', { as: 'viewer' })).status).toBe(503);
      expect((await askApp(app, gateway.keys, `/api/sync-pairs/${missing}/start`, { method: 'POST' })).status).toBe(
        503,
      );
      expect((await askApp(app, gateway.keys, '/health/ready')).status).toBe(503);
      expect((await askApp(app, gateway.keys, '/health/live')).status).toBe(200);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });
});
