import { afterEach, describe, expect, test } from 'vitest';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { DeadLettersSummary, DeadLetterView, ReplayedReply } from '#schemas/http/dead-letters.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Ask, type Failure } from './fixture.ts';

const gateway = withGateway();
const letter: DeadLetter = {
  position: '1:0/10:1',
  stage: 'process',
  source_table: { schema: 'pacs', name: 'property' },
  target_table: { schema: 'cama', name: 'parcel' },
  op: 'insert',
  rule: 'pin present',
  code: 'PAIR_ROW_INVALID',
  reason: 'rule "pin present" is broken',
  row: { prop_id: '1', geo_id: null },
  before: undefined,
};
const post = <T>(path: string, body: unknown, ask: Ask = {}) =>
  gateway.ask<T & Failure>(path, { method: 'POST', body, ...ask });
const summaryOf = async (query: string) =>
  (await gateway.ask<DeadLettersSummary>(`/api/dead-letters/summary?${query}`)).body;
const statesOf = async (pair: string): Promise<string[]> => {
  const { body } = await gateway.ask<{ items: DeadLetterView[] }>(`/api/dead-letters?pair=${pair}&limit=1000`);
  return body.items.map(({ state }) => state).reverse();
};

/** A pair with so many letters, each of another row. */
async function withLetters(name: string, count: number, more: Partial<DeadLetter> = {}): Promise<void> {
  const pair = (await gateway.control.pairs.find(name)) ?? (await makePair(gateway.control, name));
  await gateway.control.deadLetters.store(
    pair.id,
    Array.from({ length: count }, (_, index) => ({
      ...letter,
      position: `1:0/${more.sqlstate ?? '10'}:${index}`,
      row: { prop_id: String(index + 1), geo_id: null },
      ...more,
    })),
  );
}

afterEach(() => {
  gateway.syncService.refuse = undefined;
  gateway.syncService.replayed = [];
});

describe('the summary of dead letters', () => {
  test('counts them by cause, the most frequent one first', async () => {
    await withLetters('counted', 3);
    await withLetters('counted', 2, {
      stage: 'apply',
      rule: undefined,
      code: 'TARGET_CONFLICT',
      sqlstate: '23505',
      reason: 'duplicate key value (Key (pin)=(7) already exists.)',
    });
    const summary = await summaryOf('pair=counted');
    expect(summary).toMatchObject({
      total: 5,
      groups: [
        { rule: 'pin present', code: 'PAIR_ROW_INVALID', sqlstate: null, count: 3, source_table: 'pacs.property' },
        { rule: null, code: 'TARGET_CONFLICT', sqlstate: '23505', count: 2 },
      ],
    });
    expect(await summaryOf('pair=counted&sqlstate=23505')).toMatchObject({ total: 2 });
    expect(await summaryOf('pair=counted&rule=pin%20present')).toMatchObject({ total: 3 });
    expect(await summaryOf('pair=counted&text=ALREADY%20EXISTS')).toMatchObject({ total: 2 });
    // A row is searched too, and the wildcards of patterns are nothing but characters.
    expect(await summaryOf('pair=counted&text=%22prop_id%22%3A%20%222%22')).toMatchObject({ total: 2 });
    expect(await summaryOf('pair=counted&text=%25')).toEqual({ total: 0, latest_id: null, groups: [] });
    expect(await summaryOf('pair=counted&until=2020-01-01T00:00:00Z')).toMatchObject({ total: 0 });
    expect(await summaryOf('pair=counted&since=2020-01-01T00:00:00Z&state=open')).toMatchObject({ total: 5 });
    expect(await summaryOf('pair=counted&state=discarded')).toMatchObject({ total: 0 });
    const list = await gateway.ask<{ items: DeadLetterView[] }>('/api/dead-letters?pair=counted&sqlstate=23505');
    expect(list.body.items.map(({ sqlstate }) => sqlstate)).toEqual(['23505', '23505']);
  });

  test('refuses what is no SQLSTATE or no time', async () => {
    for (const query of ['sqlstate=nope', 'since=yesterday', 'surprise=1'])
      expect((await gateway.ask(`/api/dead-letters/summary?${query}`)).status).toBe(400);
  });
});

describe('discarding many', () => {
  test('takes those that match and were looked at, and leaves one entry in the trail', async () => {
    await withLetters('tidied', 3);
    const { latest_id: through } = await summaryOf('pair=tidied');
    await withLetters('tidied', 1, { position: '1:0/99:1' });
    const body = { filter: { pair: 'tidied', rule: 'pin present' }, through };
    expect((await post('/api/dead-letters/discard', body, { as: 'viewer' })).status).toBe(403);
    const done = await post('/api/dead-letters/discard', body, { as: 'operator' });
    expect(done.body).toEqual({ discarded: 3 });
    expect(await statesOf('tidied')).toEqual(['discarded', 'discarded', 'discarded', 'open']);
    const trail = await gateway.ask<{ items: unknown[] }>('/api/audit?action=dead_letter.discard_all');
    expect(trail.body.items).toMatchObject([
      { entity: 'dead_letter', after: { discarded: 3, filter: body.filter, through } },
    ]);
    expect((await post('/api/dead-letters/discard', body)).body).toEqual({ discarded: 0 });
  });

  test('needs to be told up to which one', async () => {
    for (const body of [{ filter: {} }, { filter: {}, through: 'x' }, { filter: { state: 'open' }, through: '1' }])
      expect((await post('/api/dead-letters/discard', body)).status).toBe(400);
    const unknown = await post('/api/dead-letters/discard', { filter: { pair: 'none' }, through: '1' });
    expect(unknown.status).toBe(404);
  });
});

describe('replaying many', () => {
  test('writes them in the order of their changes, and goes on where the last part ended', async () => {
    await withLetters('replayed', 60);
    const { latest_id: through } = await summaryOf('pair=replayed');
    const filter = { pair: 'replayed' };
    const first = await post<ReplayedReply>(
      '/api/dead-letters/replay',
      { filter, through },
      { as: 'operator', headers: { 'idempotency-key': 'as-browsers-send-it' } },
    );
    expect(first.body).toMatchObject({ replayed: 50, refused: [] });
    const rest = await post<ReplayedReply>('/api/dead-letters/replay', { filter, through, after: first.body.after });
    expect(rest.body).toEqual({ replayed: 10, refused: [], after: null });
    const ids = gateway.syncService.replayed.map(({ id }) => Number(id));
    expect(ids).toHaveLength(60);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(await statesOf('replayed'))).toEqual(new Set(['replayed']));
    const trail = await gateway.ask<{ items: unknown[] }>('/api/audit?action=dead_letter.replay&limit=1000');
    expect(trail.body.items).toHaveLength(60);
  });

  test('tells which ones are refused again: they stay open', async () => {
    await withLetters('refused', 2);
    gateway.syncService.refuse = new TerraFusionError('PAIR_ROW_INVALID', 'rule "pin present" is broken');
    const { latest_id: through } = await summaryOf('pair=refused');
    const { status, body } = await post<ReplayedReply>('/api/dead-letters/replay', {
      filter: { pair: 'refused' },
      through,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      replayed: 0,
      refused: [{ code: 'PAIR_ROW_INVALID' }, { id: through, message: 'rule "pin present" is broken' }],
      after: null,
    });
    expect(await statesOf('refused')).toEqual(['open', 'open']);
  });

  test('ends at once when nothing can be written, and says why', async () => {
    await withLetters('away', 2);
    gateway.syncService.refuse = new TerraFusionError('SERVICE_UNAVAILABLE', 'The sync-service cannot be reached');
    const { latest_id: through } = await summaryOf('pair=away');
    const reply = await post('/api/dead-letters/replay', { filter: { pair: 'away' }, through });
    expect([reply.status, reply.body.error.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(await statesOf('away')).toEqual(['open', 'open']);
  });
});
