import { describe, expect, test } from 'vitest';
import type { App } from '#services/gateway/gateway.ts';
import { askApp, withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();
const proxy = '10.9.0.1';

const forwarded = (client: string, more: Record<string, string> = {}) => ({ 'x-forwarded-for': client, ...more });
const ask = (app: App, headers: Record<string, string>, remoteAddress = proxy) =>
  askApp<Failure>(app, gateway.keys, '/api/systems', { as: 'nobody', headers, remoteAddress });

describe('behind a proxy that is named', () => {
  test('the address is that of whoever asks; of others, who say so themselves, it is their own', async () => {
    const app = await gateway.another({ trustedProxies: ['10.9.0.0/24'], rateLimitPerMinute: 2 });
    for (let index = 0; index < 2; index += 1) expect((await ask(app, forwarded('192.0.2.1'))).status).toBe(401);
    expect((await ask(app, forwarded('192.0.2.1'))).status).toBe(429);
    expect((await ask(app, forwarded('192.0.2.2'))).status).toBe(401);
    // What the caller himself had written before does not count: the nearest address that is no proxy of ours is his.
    expect((await ask(app, forwarded('198.51.100.7, 192.0.2.1'))).status).toBe(429);
    for (let index = 0; index < 2; index += 1)
      expect((await ask(app, forwarded(`192.0.2.${index + 10}`), '10.8.0.1')).status).toBe(401);
    expect((await ask(app, forwarded('192.0.2.99'), '10.8.0.1')).status).toBe(429);
  });

  test('TLS that ends there makes a secure cookie, and its pages are ours', async () => {
    const app = await gateway.another({ trustedProxies: [proxy] });
    const headers = forwarded('192.0.2.1', {
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'sync.county.example',
      origin: 'https://sync.county.example',
    });
    const login = (more: Record<string, string> = {}, remoteAddress = proxy) =>
      askApp<{ csrf_token: string } & Failure>(app, gateway.keys, '/api/session', {
        method: 'POST',
        as: 'nobody',
        body: { key: gateway.keys.admin },
        headers: { ...headers, ...more },
        remoteAddress,
      });
    const made = await login();
    expect(made.status).toBe(201);
    const cookie = String(made.headers['set-cookie']);
    expect(cookie).toMatch(/^__Host-terrafusion=.*; Secure$/);
    const change = await askApp(app, gateway.keys, '/api/systems/none', {
      method: 'DELETE',
      as: 'nobody',
      headers: { ...headers, cookie: cookie.split(';')[0]!, 'x-csrf-token': made.body.csrf_token },
      remoteAddress: proxy,
    });
    expect(change.status).toBe(404);
    expect((await login({ origin: 'http://sync.county.example' })).body.error.code).toBe('CSRF_REFUSED');
    // Nobody else is believed.
    expect((await login({}, '10.8.0.1')).body.error.code).toBe('CSRF_REFUSED');
  });
});
