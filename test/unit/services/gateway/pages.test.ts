import { beforeAll, expect, test } from 'vitest';
import { routeAccess } from '#services/gateway/roles.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();

interface Page {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly next_cursor: string | null;
}
const ask = (path: string) => gateway.ask<Page & Failure>(path);

beforeAll(async () => {
  const table = { schema: 'a', name: 'b' };
  for (let nth = 0; nth < 5; nth += 1) {
    const pair = await makePair(gateway.control, `paged-${nth}`);
    await gateway.control.operations.create({ pairId: pair.id, type: 'full', requestedBy: 'a test' });
    await gateway.control.deadLetters.store(pair.id, [
      {
        ...{ position: '1:0/1:0', stage: 'process', source_table: table, target_table: table, op: 'insert' },
        ...{ code: 'PAIR_ROW_INVALID', reason: 'no', row: { id: '1' }, rule: undefined, before: undefined },
      },
    ]);
    const first = (await gateway.control.pairs.get('paged-0')).id;
    const steps = [{ kind: 'additive' as const, what: 'a column', sql: ['ALTER TABLE …'] }];
    await gateway.control.schemaChanges.note(first, { id: `change-${nth}`, position: `1:0/1${nth}:3`, steps }, true);
    await gateway.control.tables.record(first, [
      {
        ...{ source: { schema: 'a', name: `b"${nth}` }, target: { schema: 'a', name: 'b' }, state: 'waiting' },
        ...{ rowsCopied: 0 },
      },
    ]);
    await gateway.control.audit.append({ actor: 'a test', action: `paged.${nth}`, outcome: 'success' });
    await gateway.control.apiKeys.create({ name: `paged ${nth}`, role: 'viewer' });
  }
});

/** Every list with a cursor, a filter that some of it pass, and one that nothing does. */
const lists = {
  '/api/systems': ['text=paged-1', 'kind=GIS'],
  '/api/sync-pairs': ['text=paged-1', 'state=streaming'],
  '/api/sync-operations': ['pair=paged-1', 'until=2020-01-01T00:00:00Z'],
  '/api/sync/operations': ['status=pending', 'status=failed'],
  '/api/dead-letters': ['pair=paged-1', 'table=a.c'],
  '/api/audit': ['action=paged.1', 'until=2020-01-01T00:00:00Z'],
  '/api/keys': ['role=viewer', undefined],
} as const;

/** Lists of one pair: a filter would find little in them. */
const ofPair = ['/api/sync-pairs/paged-0/tables', '/api/sync-pairs/paged-0/schema-changes'];

test.each([...Object.entries(lists), ...ofPair.map((path) => [path, [undefined, undefined]] as const)])(
  '%s comes in pages that make up the whole, each thing once',
  async (path, [some, none]) => {
    expect(routeAccess).toHaveProperty([`GET ${path.replace('paged-0', ':id')}`]);
    const whole = (await ask(`${path}?limit=1000`)).body;
    expect(whole.next_cursor).toBeNull();
    expect(whole.items.length).toBeGreaterThanOrEqual(5);
    for (const limit of [1, 2, whole.items.length]) {
      const seen: unknown[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page: Page = (
          await ask(`${path}?limit=${limit}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
        ).body;
        expect(page.items.length).toBeLessThanOrEqual(limit);
        seen.push(...page.items);
        cursor = page.next_cursor;
      }
      expect(seen).toEqual(whole.items);
    }
    if (some === undefined) return;
    const filtered = (await ask(`${path}?limit=1000&${some}`)).body.items;
    expect(filtered.length).toBeGreaterThan(0);
    for (const item of filtered) expect(whole.items).toContainEqual(item);
    if (none !== undefined) expect((await ask(`${path}?${none}`)).body).toEqual({ items: [], next_cursor: null });
  },
);

test.each([...Object.keys(lists), ...ofPair])('%s takes no cursor but its own', async (path) => {
  for (const key of [
    ['x'],
    ['x', 'y'],
    ['2026-02-30 00:00:00+00', '0'],
    ['\0'],
    [7],
    {},
    'text',
    ['2026-01-31 25:00:00+00', 'a'],
  ]) {
    const cursor = Buffer.from(JSON.stringify(key)).toString('base64url');
    const { status, body } = await ask(`${path}?cursor=${cursor}`);
    // A name may be anything that a text can be.
    if (status !== 200) expect([status, body.error.code]).toEqual([400, 'REQUEST_INVALID']);
    else expect(['/api/systems', '/api/sync-pairs', '/api/keys'], `${path} ${JSON.stringify(key)}`).toContain(path);
  }
});

test('texts that no database can hold are told by their field, before one is asked', async () => {
  const nul = await gateway.ask<Failure>('/api/systems', {
    ...{ method: 'POST', body: { name: 'no-nul', connection: { url: 'postgresql://a@127.0.0.1:1/d', ['a\0']: 1 } } },
  });
  expect(nul.body.error).toMatchObject({ code: 'REQUEST_INVALID', details: { fields: [{ path: 'connection["?"]' }] } });
  const half = await gateway.ask<Failure>('/api/keys', {
    ...{ method: 'POST', body: '{"name": "half \\ud800", "role": "viewer"}' },
    headers: { 'content-type': 'application/json' },
  });
  expect(half.body.error).toMatchObject({ code: 'REQUEST_INVALID', details: { fields: [{ path: 'name' }] } });
  const query = await gateway.ask<Failure>('/api/audit?text=%00');
  expect([query.status, query.body.error.message]).toEqual([400, expect.stringContaining('text: must not hold a NUL')]);
  for (const moment of ['0000-01-01T00:00:00Z', '2026-01-31T00:00:00%2B23:00', '2026-02-30T00:00:00Z']) {
    expect((await gateway.ask<Failure>(`/api/audit?since=${moment}`)).body.error.message).toContain(
      'since: must be a time',
    );
  }
});
