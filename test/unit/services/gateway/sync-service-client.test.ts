import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import { SyncServiceClient } from '#services/gateway/sync-service-client.ts';

let answer: (request: IncomingMessage, reply: ServerResponse) => void;
const server = createServer((request, reply) => {
  answer(request, reply);
});
let client: SyncServiceClient;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new SyncServiceClient({ url, apiKey: new Secret('the-key-of-the-service'), timeoutMs: 200 });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
const json = (status: number, body: unknown) => (_request: IncomingMessage, reply: ServerResponse) => {
  reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};
const health = { status: 'unavailable', checks: { bus: 'BUS_FULL' }, version: '1', started_at: 'x', components: [] };
const unavailable = (text: string) => ({
  code: 'SERVICE_UNAVAILABLE',
  message: expect.stringContaining(text) as string,
});

describe('the sync-service', () => {
  test('is heard also when it is unwell', async () => {
    answer = json(503, health);
    expect(await client.health()).toEqual(health);
  });

  test('is shown the key, the row, and whose request it is', async () => {
    let seen: { key: unknown; requestId: unknown; url: unknown; body: string } | undefined;
    answer = (request, reply) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { 'x-api-key': key, 'x-request-id': requestId } = request.headers;
        seen = { key, requestId, url: request.url, body };
        json(200, { id: '7', applied: true })(request, reply);
      });
    };
    await client.replay('7', { a: null }, 'request-1');
    expect(seen).toEqual({
      key: 'the-key-of-the-service',
      requestId: 'request-1',
      url: '/dead-letters/7/replay',
      body: '{"row":{"a":null}}',
    });
  });

  test('hands on its own errors, but not that it does not know us', async () => {
    answer = json(422, { error: { code: 'TARGET_ROW_REJECTED', message: 'no', details: { column: 'a' } } });
    await expect(client.replay('7', undefined, 'request-1')).rejects.toMatchObject({
      code: 'TARGET_ROW_REJECTED',
      message: 'no',
      details: { column: 'a' },
    });
    answer = json(401, { error: { code: 'UNAUTHENTICATED', message: 'wrong key' } });
    await expect(client.replay('7', undefined, 'request-1')).rejects.toMatchObject(
      unavailable('refused the gateway (401)'),
    );
    answer = json(500, { surprise: true });
    await expect(client.replay('7', undefined, 'request-1')).rejects.toMatchObject(
      unavailable('refused the gateway (500)'),
    );
  });

  test('that is away, too slow or somebody else is unavailable', async () => {
    answer = () => undefined;
    const slow = new SyncServiceClient({ url: client.url, apiKey: new Secret('k') });
    await expect(Promise.race([slow.health(), client.health()])).rejects.toMatchObject(
      unavailable('does not answer in time'),
    );
    answer = (_request, reply) => reply.end('<html>');
    await expect(client.health()).rejects.toMatchObject(unavailable('cannot be reached'));
    answer = json(200, { hello: 'world' });
    await expect(client.health()).rejects.toMatchObject(unavailable('is not our sync-service'));
    const away = new SyncServiceClient({ url: 'http://127.0.0.1:1', apiKey: new Secret('k') });
    await expect(away.health()).rejects.toMatchObject(unavailable('cannot be reached at http://127.0.0.1:1'));
  });

  test('of another process is no sign of life', async () => {
    answer = json(200, { status: 'ok', pid: 7 });
    const { signal } = new AbortController();
    expect(await client.isLive(7, signal)).toBe(true);
    expect(await client.isLive(8, signal)).toBe(false);
    answer = json(503, { pid: 7 });
    expect(await client.isLive(7, signal)).toBe(false);
  });
});
