import Fastify from 'fastify';
import { beforeEach, describe, expect, test, vi, type MockInstance } from 'vitest';
import type { App, GatewayDeps } from '#services/gateway/gateway.ts';
import { countChanges, shareAnswers } from '#services/gateway/shared-answers.ts';
import { ApiKeys } from '#services/control/api-keys.ts';
import { SyncPairs } from '#services/control/sync-pairs.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { eventually } from '#test/support/eventually.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway } from './fixture.ts';

const gateway = withGateway();
let app: App;
let clock: ManualClock;
/** What the control database is asked. */
let lists: MockInstance;
let verified: MockInstance;

const get = async (path: string, key = gateway.keys.viewer) => {
  const { statusCode, headers, body } = await app.inject({ url: path, headers: { 'x-api-key': key } });
  return { status: statusCode, type: headers['content-type'], body };
};
const names = (body: string): string[] =>
  (JSON.parse(body) as { items: { name: string }[] }).items.map(({ name }) => name);
const listed = async (key?: string): Promise<string[]> => names((await get('/api/sync-pairs', key)).body);
/** More than anybody asks who only looks. */
const rush = async (times = 12): Promise<void> => {
  for (let time = 0; time < times; time += 1) await get('/api/sync-pairs');
};

beforeEach(async () => {
  await gateway.control.database.run('DELETE FROM terrafusion.sync_pairs');
  await gateway.control.database.run('DELETE FROM terrafusion.systems');
  clock = new ManualClock(Date.now());
  app = await gateway.another({}, { clock });
  lists = vi.spyOn(SyncPairs.prototype, 'list');
  verified = vi.spyOn(ApiKeys.prototype, 'verify');
  return () => {
    vi.restoreAllMocks();
  };
});

test('who asks now and then is told what is now', async () => {
  expect(await listed()).toEqual([]);
  await makePair(gateway.control, 'first');
  expect(await listed()).toEqual(['first']);
  expect(lists).toHaveBeenCalledTimes(2);
  expect(verified).toHaveBeenCalledTimes(2);
});

test('in a rush one answer does for a quarter of a second, just as it was sent', async () => {
  await makePair(gateway.control, 'first');
  const plain = await get('/api/sync-pairs');
  await rush();
  lists.mockClear();
  await makePair(gateway.control, 'second');
  expect(await get('/api/sync-pairs')).toEqual(plain);
  expect(lists).not.toHaveBeenCalled();
  clock.advance(251);
  expect((await listed()).sort()).toEqual(['first', 'second']);
  expect(lists).toHaveBeenCalledTimes(1);
});

test('after half of that it is made anew, and nobody waits for it', async () => {
  await makePair(gateway.control, 'first');
  await rush();
  lists.mockClear();
  await makePair(gateway.control, 'second');
  clock.advance(130);
  expect(await listed()).toEqual(['first']);
  await eventually(async () => (await listed()).length === 2, { what: 'the new answer' });
  expect(lists).toHaveBeenCalledTimes(1);
});

test('many at once share one look', async () => {
  await rush();
  clock.advance(251);
  lists.mockClear();
  await Promise.all(Array.from({ length: 20 }, () => listed()));
  expect(lists).toHaveBeenCalledTimes(1);
});

test('what was changed through this gateway is seen at once', async () => {
  const { id } = await makePair(gateway.control, 'first');
  await rush();
  const reply = await app.inject({
    method: 'PATCH',
    url: `/api/sync-pairs/${id}`,
    headers: { 'x-api-key': gateway.keys.admin },
    payload: { name: 'renamed' },
  });
  expect(reply.statusCode).toBe(200);
  expect(await listed()).toEqual(['renamed']);
});

test('each is told what he may see: by role, systems, and what he asks for', async () => {
  const pair = await makePair(gateway.control, 'first');
  const other = await makePair(gateway.control, 'other');
  const { key } = await gateway.control.apiKeys.create({
    name: 'limited',
    role: 'viewer',
    systems: [pair.sourceId, pair.targetId],
  });
  await rush();
  for (let time = 0; time < 12; time += 1) expect(await listed(key.reveal())).toEqual(['first']);
  expect((await listed()).sort()).toEqual([pair.name, other.name].sort());
  expect(names((await get('/api/sync-pairs?limit=1')).body)).toHaveLength(1);
});

test('a refusal is nobody else’s', async () => {
  for (let time = 0; time < 12; time += 1) expect((await get('/api/sync-pairs/late')).status).toBe(404);
  await makePair(gateway.control, 'late');
  expect((await get('/api/sync-pairs/late')).status).toBe(200);
});

test('a key is asked about once a second while many requests come with it', async () => {
  await rush(30);
  expect(verified.mock.calls.length).toBeLessThan(15);
  verified.mockClear();
  clock.advance(1001);
  await rush(1);
  expect(verified).toHaveBeenCalledTimes(1);
});

test('a key that is revoked through this gateway is refused at once, and elsewhere within a second', async () => {
  const { record, key } = await gateway.control.apiKeys.create({ name: 'short-lived', role: 'viewer' });
  const use = async (): Promise<number> => (await get('/api/sync-pairs', key.reveal())).status;
  for (let time = 0; time < 12; time += 1) expect(await use()).toBe(200);
  const { statusCode } = await app.inject({
    method: 'DELETE',
    url: `/api/keys/${record.id}`,
    headers: { 'x-api-key': gateway.keys.admin },
  });
  expect(statusCode).toBeLessThan(300);
  expect(await use()).toBe(401);

  const second = await gateway.control.apiKeys.create({ name: 'revoked elsewhere', role: 'viewer' });
  const useSecond = async (): Promise<number> => (await get('/api/sync-pairs', second.key.reveal())).status;
  for (let time = 0; time < 12; time += 1) expect(await useSecond()).toBe(200);
  await gateway.control.apiKeys.revoke(second.record.id);
  clock.advance(1001);
  expect(await useSecond()).toBe(401);
});

test('a key is asked about each time when something is to be changed', async () => {
  const { record, key } = await gateway.control.apiKeys.create({ name: 'revoked at once', role: 'admin' });
  const send = async (): Promise<number> =>
    (
      await app.inject({
        method: 'POST',
        url: '/api/sync-pairs/none/pause',
        headers: { 'x-api-key': key.reveal() },
      })
    ).statusCode;
  for (let time = 0; time < 12; time += 1) await get('/api/sync-pairs', key.reveal());
  expect(await send()).toBe(404);
  await gateway.control.apiKeys.revoke(record.id);
  expect(await send()).toBe(401);
});

describe('what is kept has a bound (Promise 6)', () => {
  const made: string[] = [];
  const bare = (body: (n: string) => object): App => {
    made.length = 0;
    const server = Fastify() as unknown as App;
    server.decorateRequest('principal', undefined);
    countChanges(server);
    shareAnswers(server, { clock: new ManualClock() } as unknown as GatewayDeps);
    server.get('/answer/:n', { config: { shared: true } }, ({ params }) => {
      const { n } = params as { n: string };
      made.push(n);
      return body(n);
    });
    return server;
  };
  const asks = async (server: App, n: number, times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) await server.inject(`/answer/${n}`);
  };

  test('of a hundred answers, the latest', async () => {
    const server = bare((n) => ({ n }));
    await asks(server, 0, 12);
    expect(made).toHaveLength(11);
    for (let n = 1; n <= 100; n += 1) await asks(server, n, 11);
    made.length = 0;
    await asks(server, 100, 1);
    expect(made).toEqual([]);
    await asks(server, 0, 1);
    expect(made).toEqual(['0']);
  });

  test('not what is very long: it is made for each', async () => {
    const server = bare(() => ({ long: 'x'.repeat(256 * 1024) }));
    await asks(server, 0, 15);
    expect(made).toHaveLength(15);
  });
});
