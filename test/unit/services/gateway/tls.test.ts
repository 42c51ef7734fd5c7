import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gateway } from '#services/gateway/main.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { readCertificate, reloadCertificate, tellExpiry } from '#services/gateway/tls.ts';
import { silentLog, type Log } from '#services/kernel/log.ts';
import { loadSettings } from '#services/kernel/settings.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeUnless } from '#test/support/suites.ts';
import { withControlDatabase } from '../kernel/control-database.ts';

const control = withControlDatabase();
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const missing = hasOpenssl ? undefined : 'there is no openssl here';
let folder: string;
const file = (name: string): string => join(folder, name);

function makeCertificate(name: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file(`${name}.key`)];
  const rest = ['-out', file(`${name}.crt`), '-days', '30', '-subj', `/CN=${name}`];
  execFileSync('openssl', ['req', '-x509', ...key, ...rest], { stdio: 'ignore' });
}

const use = async (cert: string, key = cert): Promise<void> => {
  await copyFile(file(`${cert}.crt`), file('live.crt'));
  await copyFile(file(`${key}.key`), file('live.key'));
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-tls-'));
  if (!hasOpenssl) return;
  for (const name of ['first', 'second', 'third']) makeCertificate(name);
  await use('first');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Asked {
  readonly reply: IncomingMessage;
  readonly text: string;
  /** Common name of the certificate that the connection was opened with. */
  readonly name: string;
}

async function ask(url: string, agent: Agent | false, more: object = {}, body?: string): Promise<Asked> {
  const asked = request(url, { rejectUnauthorized: false, agent, ...more });
  asked.end(body);
  const [reply] = (await once(asked, 'response')) as [IncomingMessage];
  const name = (reply.socket as unknown as Pick<TLSSocket, 'getPeerCertificate'>).getPeerCertificate().subject
    .CN as string;
  let text = '';
  for await (const chunk of reply.setEncoding('utf8')) text += chunk as string;
  return { reply, text, name };
}

describeUnless(missing, 'over TLS', () => {
  let url: string;
  const stop = new AbortController();
  let ran: Promise<void>;
  const errors: string[] = [];

  beforeAll(async () => {
    const listening = Promise.withResolvers<string>();
    const log: Log = {
      ...silentLog,
      info: (fields) => {
        if ('url' in fields) listening.resolve(fields.url as string);
      },
      error: (fields, message) => {
        errors.push(`${message} ${String((fields as { error?: Error }).error?.message)}`);
      },
    };
    const settings = loadSettings({
      DATABASE_URL: control.server.urlOf('control').reveal(),
      TERRAFUSION_DATA: folder,
      GATEWAY_PORT: '0',
      SYNC_SERVICE_URL: 'http://127.0.0.1:1',
      TLS_CERT_FILE: file('live.crt'),
      TLS_KEY_FILE: file('live.key'),
    });
    ran = gateway(settings, { log }).run(stop.signal);
    url = await Promise.race([listening.promise, ran.then(() => Promise.reject(new Error('it ended')))]);
  }, 60_000);
  afterAll(async () => {
    stop.abort();
    await ran;
  });

  test('a session is a cookie that goes over TLS only, and to this host only', async () => {
    const { readFile } = await import('node:fs/promises');
    const key = (await readFile(file('admin-key'), 'utf8')).trim();
    const login = await ask(
      `${url}/api/session`,
      false,
      { method: 'POST', headers: { 'content-type': 'application/json', origin: url } },
      JSON.stringify({ key }),
    );
    expect(login.reply.statusCode).toBe(201);
    const [cookie] = login.reply.headers['set-cookie']!;
    expect(cookie).toMatch(/^__Host-terrafusion=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    expect(login.reply.headers['strict-transport-security']).toContain('max-age=31536000');
    const inside = await ask(`${url}/api/systems`, false, { headers: { cookie: cookie!.split(';')[0]! } });
    expect(inside.reply.statusCode).toBe(200);
    // The name that a page without TLS could have set is not looked at.
    const plain = cookie!.split(';')[0]!.replace('__Host-terrafusion', 'terrafusion_session');
    expect((await ask(`${url}/api/systems`, false, { headers: { cookie: plain } })).reply.statusCode).toBe(401);
  });

  test('SIGHUP brings the new certificate; what is open goes on, and a bad one changes nothing', async () => {
    const health = `${url}/health/live`;
    const open = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      expect((await ask(health, open)).name).toBe('first');
      await use('second');
      expect((await ask(health, false)).name).toBe('first');
      process.emit('SIGHUP');
      await eventually(async () => (await ask(health, false)).name === 'second');
      const again = await ask(health, open);
      expect([again.reply.statusCode, again.name]).toEqual([200, 'first']);

      // The key of another certificate; then no certificate at all.
      await use('third', 'first');
      process.emit('SIGHUP');
      await eventually(() => errors.length === 1);
      await writeFile(file('live.crt'), 'half a certi');
      process.emit('SIGHUP');
      await eventually(() => errors.length === 2);
      await rm(file('live.key'));
      process.emit('SIGHUP');
      await eventually(() => errors.length === 3);
      for (const error of errors) expect(error).toContain('The new certificate cannot be used; the one before stays.');
      expect(errors[2]).toContain('TLS_KEY_FILE');
      expect((await ask(health, false)).name).toBe('second');
      expect((await ask(health, open)).reply.statusCode).toBe(200);

      await use('third');
      process.emit('SIGHUP');
      await eventually(async () => (await ask(health, false)).name === 'third');
    } finally {
      open.destroy();
      await use('first');
    }
  });
});

describeUnless(missing, 'a certificate', () => {
  test('that has expired does not replace another one; one that soon will is told', async () => {
    const files = { certFile: file('second.crt'), keyFile: file('second.key') };
    const { validTo } = await readCertificate(files);
    const told: string[] = [];
    const log: Log = {
      ...silentLog,
      warn: (_, message) => told.push(message),
      error: (_, message) => told.push(message),
    };
    const at = (days: number) => new ManualClock(validTo.getTime() - days * 86_400_000);
    let set = 0;
    const server = { setSecureContext: () => void (set += 1) };
    expect(await reloadCertificate(server, files, { clock: at(20), log })).toBe(true);
    expect([set, told]).toEqual([1, []]);
    expect(await reloadCertificate(server, files, { clock: at(10), log })).toBe(true);
    expect([set, told]).toEqual([2, ['The certificate expires soon.']]);
    expect(await reloadCertificate(server, files, { clock: at(-1), log })).toBe(false);
    expect(set).toBe(2);
    tellExpiry(await readCertificate(files), at(-1), log);
    expect(told.slice(1)).toEqual([
      'The new certificate cannot be used; the one before stays.',
      'The certificate has expired.',
    ]);
  });
});
