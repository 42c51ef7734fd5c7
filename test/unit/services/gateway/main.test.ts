import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '#services/kernel/log.ts';
import { loadSettings } from '#services/kernel/settings.ts';
import { gateway, startGateway } from '#services/gateway/main.ts';
import { withControlDatabase } from '../kernel/control-database.ts';

const control = withControlDatabase();
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-start-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = (more: Record<string, string> = {}) =>
  loadSettings({
    DATABASE_URL: control.server.urlOf('control').reveal(),
    TERRAFUSION_DATA: folder,
    GATEWAY_PORT: '0',
    SYNC_SERVICE_URL: 'http://127.0.0.1:1',
    ...more,
  });
const start = (more?: Record<string, string>) => startGateway(settings(more), { log: silentLog });

describe('starting', () => {
  test('listens, and is gone when it is closed', async () => {
    const running = await start();
    expect(await (await fetch(running.url)).json()).toMatchObject({ name: 'TerraFusion Sync' });
    await running[Symbol.asyncDispose]();
    await expect(fetch(running.url)).rejects.toThrow();
  });

  test('without required keys says so', async () => {
    const said: string[] = [];
    const log = { ...silentLog, warn: (_fields: object, message: string) => void said.push(message) };
    await using running = await startGateway(settings({ AUTH_REQUIRED: 'false' }), { log });
    expect((await fetch(`${running.url}/api/systems`)).status).toBe(200);
    expect(said.filter((message) => message.startsWith('AUTH_REQUIRED=false: whoever'))).toHaveLength(1);
  });

  test('as a process ends when it is told to', async () => {
    const stop = new AbortController();
    const listening = Promise.withResolvers<string>();
    const log = {
      ...silentLog,
      info: (fields: object) => {
        if ('url' in fields) listening.resolve(fields.url as string);
      },
    };
    const ran = gateway(settings(), { log }).run(stop.signal);
    const url = await listening.promise;
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    stop.abort();
    await ran;
    await expect(fetch(url)).rejects.toThrow();
  });

  test('on a port that is taken says which one, and starts nothing', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    let started = 0;
    await expect(
      startGateway(settings({ GATEWAY_PORT: String(port) }), {
        log: silentLog,
        startSyncService: () => {
          started += 1;
          throw new Error('must not be started');
        },
      }),
    ).rejects.toMatchObject({ code: 'PORT_IN_USE', message: `Port ${port} (GATEWAY_PORT) on 127.0.0.1 is in use` });
    expect(started).toBe(0);
    taken.close();
  });

  test.each([
    [{ GATEWAY_HOST: '192.0.2.1' }, 'GATEWAY_HOST: 192.0.2.1 is no address of this machine'],
    [{ GATEWAY_HOST: 'no.such.host.invalid' }, 'GATEWAY_HOST: no.such.host.invalid is no address of this machine'],
    [{ TLS_CERT_FILE: '/nowhere/cert', TLS_KEY_FILE: '/nowhere/key' }, 'TLS_CERT_FILE: /nowhere/cert cannot be read'],
    [
      { TLS_CERT_FILE: import.meta.filename, TLS_KEY_FILE: import.meta.filename },
      'TLS_CERT_FILE, TLS_KEY_FILE: they do not hold a certificate and its key',
    ],
    [{ DATABASE_URL: '' }, 'DATABASE_URL: no control database is named'],
  ] as [Record<string, string>, string][])('with %o says what is wrong', async (more, message) => {
    await expect(start(more)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  test('with a certificate speaks HTTPS', async ({ skip }) => {
    skip(!hasOpenssl, 'there is no openssl here');
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
      ],
      { stdio: 'ignore' },
    );
    await using running = await start({ TLS_CERT_FILE: cert, TLS_KEY_FILE: key });
    expect(running.url).toMatch(/^https:/);
    const asked = request(`${running.url}/health/live`, { rejectUnauthorized: false, agent: false }).end();
    const [reply] = (await once(asked, 'response')) as [IncomingMessage];
    reply.resume();
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['strict-transport-security']).toContain('max-age');
  });
});
