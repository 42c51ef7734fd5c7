import { afterEach, expect, test, vi, type MockInstance } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Known } from '#schemas/http/common.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();
const down = new TerraFusionError(
  'CONTROL_DATABASE_UNREACHABLE',
  'The control database cannot be reached: postgresql://tf:hunter2@db/control',
);

interface Answer {
  readonly known?: Known;
  readonly items: readonly { readonly name: string }[];
}
const ask = (path: string) => gateway.ask<Answer & Failure>(path, { as: 'viewer' });

let spies: MockInstance[] = [];
function goAway(): void {
  const { pairs, operations, systems, apiKeys, tables, database } = gateway.control;
  const away = () => Promise.reject(down);
  spies = [
    vi.spyOn(apiKeys, 'verify').mockImplementation(away),
    ...([pairs, operations, systems] as const).flatMap((each) => [
      vi.spyOn(each as unknown as { list: () => Promise<never> }, 'list').mockImplementation(away),
      vi.spyOn(each as unknown as { get: () => Promise<never> }, 'get').mockImplementation(away),
    ]),
    vi.spyOn(tables, 'list').mockImplementation(away),
    vi.spyOn(database, 'query').mockImplementation(away),
    vi.spyOn(database, 'transaction').mockImplementation(away),
  ];
}
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

test('what was known is told with its age and what is wrong, while the control database is away', async () => {
  const pair = await makePair(gateway.control, 'known-pair');
  const operation = await gateway.control.operations.create({ pairId: pair.id, type: 'full', requestedBy: 'admin' });
  const paths = [
    '/api/sync-pairs',
    '/api/sync-pairs?state=created&limit=10',
    '/api/sync-pairs/known-pair',
    `/api/sync-pairs/${pair.id}/tables`,
    '/api/sync-operations',
    `/api/sync-operations/${operation.id}`,
    `/api/sync/status/${operation.id}`,
    '/api/sync/operations',
    '/api/systems',
    '/api/systems/known-pair-source',
  ];
  const before = new Map<string, unknown>();
  for (const path of paths) {
    const { status, body } = await ask(path);
    expect([path, status, body.known]).toEqual([path, 200, undefined]);
    before.set(path, body);
  }
  expect((await ask('/api/status')).body.known).toBeUndefined();
  goAway();
  for (const path of paths) {
    const { status, body, headers, text } = await ask(path);
    expect([path, status]).toEqual([path, 200]);
    const { known, ...rest } = body;
    expect(rest).toEqual(before.get(path));
    expect(known).toMatchObject({
      at: expect.any(String) as string,
      age_s: expect.any(Number) as number,
      problem: { code: 'CONTROL_DATABASE_UNREACHABLE', fix: down.fix },
    });
    expect(headers).toMatchObject({ age: String(known!.age_s), warning: '110 terrafusion "Response is Stale"' });
    // Promise 8.
    expect(text).not.toContain('hunter2');
  }
  const status = await gateway.ask<{ state: string; known: Known; pairs: { name: string }[] }>('/api/status', {
    as: 'viewer',
  });
  expect(status.body).toMatchObject({
    ...{ state: 'down', pairs: [{ name: 'known-pair' }] },
    known: { problem: { code: 'CONTROL_DATABASE_UNREACHABLE' } },
    components: expect.arrayContaining([expect.objectContaining({ name: 'control-database', state: 'down' })]) as [],
  });
});

test('what was not asked before, what others have asked, and what would change something is told to be impossible now', async () => {
  await ask('/api/sync-pairs?limit=7');
  goAway();
  const never = await ask('/api/sync-pairs?limit=8');
  expect([never.status, never.body.error.code]).toEqual([503, 'CONTROL_DATABASE_UNREACHABLE']);
  // Known to the viewer; the editor has not been seen for as long as we run.
  expect((await gateway.ask('/api/sync-pairs?limit=7', { as: 'editor' })).status).toBe(503);
  for (const [method, path] of [
    ['POST', '/api/sync-pairs/known-pair/pause'],
    ['DELETE', '/api/systems/known-pair-source'],
    ['GET', '/api/audit'],
    ['GET', '/api/audit/summary'],
  ] as const) {
    const reply = await gateway.ask<Failure>(path, { method, as: method === 'GET' ? 'viewer' : 'admin' });
    expect([path, reply.status, reply.body.error.code]).toEqual([path, 503, 'CONTROL_DATABASE_UNREACHABLE']);
  }
});
