import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openClient } from '#services/cli/commands/gateway-options.ts';
import { GatewayClient } from '#services/cli/gateway-client.ts';
import { Secret } from '#schemas/secret.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { RecordingTerminal } from './recording-terminal.ts';

interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

let server: Server;
let url: string;
let asked: IncomingMessage[];
/** One after the other; the last one again and again. */
let answers: Answer[];

beforeAll(async () => {
  server = createServer((request, reply) => {
    asked.push(request);
    request.resume();
    request.on('end', () => {
      const { status, body, headers } = answers[Math.min(asked.length, answers.length) - 1]!;
      reply.writeHead(status, headers).end(body === undefined ? undefined : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  asked = [];
});

const limited = (seconds: number): Answer => ({
  status: 429,
  body: {
    error: { code: 'RATE_LIMITED', message: 'Slow down', details: { retry_after_s: seconds }, request_id: 'r-1' },
  },
});
const any = z.unknown();

describe('the client', () => {
  test('waits as long as a rate limit says, a few times, then tells it', async () => {
    answers = [limited(7), { status: 200, body: { ok: true } }];
    const clock = new ManualClock();
    const client = new GatewayClient({ url, key: undefined, clock });
    const answer = client.get('/x', any);
    await clock.untilSleeping(1);
    expect(asked).toHaveLength(1);
    clock.advance(7000);
    expect(await answer).toEqual({ ok: true });
    expect(asked).toHaveLength(2);

    answers = [limited(600)];
    await expect(client.get('/x', any)).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { request_id: 'r-1' } });
  });

  test('sends our keys in their header, and anything else as a bearer token', async () => {
    answers = [{ status: 200, body: {} }];
    await new GatewayClient({ url, key: new Secret('tfk_a_b') }).get('/x', any);
    await new GatewayClient({ url, key: new Secret('eyJ.a.b') }).get('/x', any);
    expect(asked.map(({ headers }) => [headers['x-api-key'], headers.authorization])).toEqual([
      ['tfk_a_b', undefined],
      [undefined, 'Bearer eyJ.a.b'],
    ]);
  });

  test('does not follow anybody elsewhere with the key', async () => {
    answers = [{ status: 307, headers: { location: `${url}/elsewhere` } }];
    await expect(new GatewayClient({ url, key: new Secret('tfk_a_b') }).get('/x', any)).rejects.toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
    });
    expect(asked).toHaveLength(1);
  });

  test('keeps the path of a gateway that is behind one, and takes an empty answer', async () => {
    answers = [{ status: 204 }];
    await new GatewayClient({ url: `${url}/terrafusion/`, key: undefined }).send(
      'DELETE',
      '/api/x',
      undefined,
      z.undefined(),
    );
    expect(asked[0]).toMatchObject({ method: 'DELETE', url: '/terrafusion/api/x' });
  });

  test('passes on the words of a gateway that knows more codes than we do', async () => {
    answers = [{ status: 409, body: { error: { code: 'SOMETHING_NEW', message: 'is so', request_id: 'r-2' } } }];
    await expect(new GatewayClient({ url, key: undefined }).get('/x', any)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: 'SOMETHING_NEW: is so',
      details: { request_id: 'r-2' },
    });
  });
});

describe("the administrator's key of this machine", () => {
  const admin = `tfk_admin_${'x'.repeat(40)}`;
  const env = { TERRAFUSION_ADMIN_KEY: admin, GATEWAY_HOST: '10.1.2.3' };
  const warnings = async (more: object, named?: string): Promise<{ sent: boolean; stderr: string }> => {
    const terminal = new RecordingTerminal();
    const client = await openClient(named === undefined ? {} : { url: named }, { ...env, ...more }, terminal);
    return { sent: await wouldSend(client), stderr: terminal.stderr };
  };
  const wouldSend = async (client: GatewayClient): Promise<boolean> => {
    const original = globalThis.fetch;
    let key = false;
    globalThis.fetch = (_url, init) => {
      key = new Headers(init?.headers).has('x-api-key');
      return Promise.resolve(new Response('{}'));
    };
    try {
      await client.get('/api/status', any);
      return key;
    } finally {
      globalThis.fetch = original;
    }
  };

  test('goes to the gateway of these settings, and to no other that is named (promise 8)', async () => {
    expect((await warnings({})).sent).toBe(true);
    expect((await warnings({}, 'http://127.0.0.1:5000')).sent).toBe(true);
    expect((await warnings({}, 'http://somewhere.example:5000')).sent).toBe(false);
    expect((await warnings({ TERRAFUSION_URL: 'http://somewhere.example:5000' })).sent).toBe(false);
  });

  test('a key that travels in clear is warned about', async () => {
    const named = 'http://somewhere.example:5000';
    const given = await warnings({ TERRAFUSION_API_KEY: 'tfk_a_b' }, named);
    expect(given).toMatchObject({ sent: true, stderr: expect.stringContaining('unencrypted') as string });
    const safe = await warnings({ TERRAFUSION_API_KEY: 'tfk_a_b' }, 'https://somewhere.example');
    expect(safe.stderr).toBe('');
    await expect(openClient({ url: 'https://user:pw@host' }, env)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(openClient({ url: 'host:5000' }, env)).rejects.toThrow('--url: must be');
  });
});
