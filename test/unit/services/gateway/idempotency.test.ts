import { describe, expect, test } from 'vitest';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();

const send = (path: string, key: string, body?: unknown) =>
  gateway.ask<Failure & Record<string, unknown>>(path, {
    ...{ method: 'POST', headers: { 'idempotency-key': key } },
    ...(body === undefined ? {} : { body }),
  });
const entries = async (action: string, entityId: string) =>
  (await gateway.control.audit.list({ action, entityId }, { limit: 100 })).items.length;

describe('an Idempotency-Key', () => {
  test('holds for commands too: done once, answered alike, also when two come at once', async () => {
    const pair = await makePair(gateway.control, 'keyed');
    const replies = await Promise.all(Array.from({ length: 5 }, () => send('/api/sync-pairs/keyed/start', 'start-1')));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(replies.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(4);
    expect(await entries('sync_pair.start', pair.id)).toBe(1);
    expect((await gateway.control.pairs.get(pair.id)).runs).toBe(1);
  });

  test('belongs to one request: another body or another thing is refused, and nothing is done', async () => {
    await makePair(gateway.control, 'first');
    const second = await makePair(gateway.control, 'second');
    expect((await send('/api/sync-pairs/first/start', 'start-2')).status).toBe(200);
    for (const [path, body] of [
      ['/api/sync-pairs/second/start', undefined],
      ['/api/sync-pairs/first/pause', undefined],
      ['/api/sync-operations', { pair_id: 'second', type: 'full' }],
    ] as const) {
      const { status, body: told } = await send(path, 'start-2', body);
      expect([path, status, told.error.code]).toEqual([path, 409, 'CONFLICTING_STATE']);
    }
    expect((await gateway.control.pairs.get(second.id)).desired).toBe('paused');
  });

  test('gives a made key again, which is stored encrypted until then (Promise 8)', async () => {
    const body = { name: 'nightly report', role: 'viewer' };
    const [made, again] = [await send('/api/keys', 'key-1', body), await send('/api/keys', 'key-1', body)];
    expect([made.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(made.body);
    expect(
      (await gateway.control.apiKeys.list({}, { limit: 100 })).items.filter(({ name }) => name === body.name),
    ).toHaveLength(1);
    const stored = await gateway.control.database.query(
      "SELECT response::text AS text FROM terrafusion.idempotency_keys WHERE key = 'key-1'",
    );
    expect(JSON.stringify(stored)).not.toContain(String(made.body['key']).split('_').at(-1));
  });

  test('answers a replayed dead letter alike, and writes it once', async () => {
    const pair = await makePair(gateway.control, 'with-letters');
    const table = { schema: 'a', name: 'b' };
    await gateway.control.deadLetters.store(pair.id, [
      {
        ...{ position: '1:0/1:0', stage: 'process', source_table: table, target_table: table, op: 'insert' },
        ...{ code: 'PAIR_ROW_INVALID', reason: 'no', row: { id: '1' }, rule: undefined, before: undefined },
      },
    ]);
    const { id } = (await gateway.control.deadLetters.list({ pairId: pair.id }, { limit: 1 })).items[0]!;
    const before = gateway.syncService.replayed.length;
    const first = await send(`/api/dead-letters/${id}/replay`, 'replay-1');
    const again = await send(`/api/dead-letters/${id}/replay`, 'replay-1');
    expect([first.status, again.status, again.text]).toEqual([200, 200, first.text]);
    expect(gateway.syncService.replayed.length).toBe(before + 1);
    expect((await send(`/api/dead-letters/${id}/replay`, 'replay-2')).status).toBe(409);
  });
});
