import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { loadConnector } from '#connectors/registry.ts';
import { keyOf } from '#schemas/alerts.ts';
import { roles, type Role } from '#schemas/http/common.ts';
import { startFull } from '#services/control/pair-commands.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { routeAccess } from '#services/gateway/roles.ts';
import { makePair } from '../control/fixture.ts';
import type { checkWholePair as CheckWholePair } from '#services/pair-check/check-pair.ts';
import { withGateway, type Ask, type Reply } from './fixture.ts';

// What is at the ends is not what this is about: they are well, and have everything.
vi.mock('#services/pair-check/check-pair.ts', () => ({
  checkWholePair: () =>
    Promise.resolve({
      ok: true,
      problems: [],
      source: [],
      target: [],
      lossy: [],
      tables: [],
      schema: null,
    } satisfies Awaited<ReturnType<typeof CheckWholePair>>),
}));
const reached = { position: { generation: 1, commitLsn: 0x100n, ordinal: 1n }, waitedMs: 1 };
vi.mock('#services/gateway/pairs/fence.ts', () => ({ fence: () => Promise.resolve(reached) }));
vi.mock('#services/gateway/pairs/cutover.ts', () => ({
  cutOver: () => Promise.resolve({ ...reached, advances: [] }),
}));

const gateway = withGateway();
const marker = 'hunter2-marker';
const connection = { url: `postgresql://sync:${marker}@127.0.0.1:1/pacs` };
const missing = randomUUID();

beforeAll(async () => {
  const connector = await loadConnector('postgres');
  const orphan = { name: 'terrafusion_x_y_1', active: false, activePid: undefined, publication: undefined };
  const column = { name: 'id', typeOid: 23, typeSchema: 'pg_catalog', typeName: 'int4', typmod: -1, key: true };
  const shape = {
    table: { relationId: 1, schema: 'a', name: 'b', identity: 'default', tolerant: false, columns: [column] },
    primaryKey: ['id'],
    typeNames: new Map([['id', 'integer']]),
    notNull: new Set(['id']),
    estimatedRows: 0,
  };
  vi.spyOn(connector, 'source').mockReturnValue({
    emitMessage: () => Promise.resolve(0x100n),
    listStreams: () => Promise.resolve([orphan]),
    dropLeftBehind: () => Promise.resolve(),
    check: () => Promise.resolve([]),
    describe: () => Promise.resolve([shape]),
    sampleRows: () => Promise.resolve([]),
  } as unknown as Source);
  vi.spyOn(connector, 'target').mockReturnValue({
    check: () => Promise.resolve([]),
    applied: () => Promise.resolve(undefined),
  } as unknown as Target);
});

interface Scenario {
  /** What goes into the trail; undefined for what changes nothing. */
  readonly action?: string;
  readonly entity?: string;
  /** Makes what is needed; then the request is good. `id` is that of the entity; left out: as the answer says. */
  readonly good: () => Promise<{
    readonly path: string;
    readonly body?: unknown;
    readonly id?: string;
    /** How he shows who he is, instead of with a key. */
    readonly headers?: Readonly<Record<string, string>>;
  }>;
  /** Who he is then; the weakest role's key when left out. */
  readonly by?: Role;
  /** A request that is refused for what it asks for, by somebody who may ask. */
  readonly bad: { readonly path: string; readonly body?: unknown };
}

const control = () => gateway.control;
const aPair = () => makePair(control());
async function loaded(): Promise<PairOverview> {
  const pair = await aPair();
  await control().runs.recordLoad(pair.id, { state: 'done', number: 1, startOffset: 1n, startPosition: '1:0/1' });
  return pair;
}
async function anOperation(): Promise<{ pair: PairOverview; id: string }> {
  const pair = await aPair();
  const { id } = await control().transaction(async (transaction) =>
    startFull(transaction, await transaction.pairs.lock(pair.id), { by: 'a test', pauseAfter: true }),
  );
  return { pair, id };
}
async function aSystem(): Promise<string> {
  const name = `system-${randomUUID().slice(0, 8)}`;
  const { id } = await control().systems.create({
    ...{ name, connector: 'postgres', connection: { url: 'postgresql://sync@db/x', password: marker } },
    secretFields: ['password'],
  });
  return id;
}
async function aLetter(): Promise<string> {
  const pair = await aPair();
  const table = { schema: 'a', name: 'b' };
  await control().deadLetters.store(pair.id, [
    {
      ...{ position: '1:0/1:0', stage: 'process', source_table: table, target_table: table, op: 'insert' },
      ...{ code: 'PAIR_ROW_INVALID', reason: 'no', row: { id: '1' }, rule: undefined, before: undefined },
    },
  ]);
  return (await control().deadLetters.list({ pairId: pair.id }, { limit: 1 })).items[0]!.id;
}
async function anAlert(): Promise<string> {
  const subject = randomUUID();
  const condition = { code: 'cpu', pair: null, subject, severity: 'warning', message: 'busy', value: 99 } as const;
  const seen = { kind: 'seen', id: undefined, state: 'firing', notice: undefined } as const;
  await control().alerts.apply([{ ...seen, key: keyOf(condition), condition }], new Date());
  return (await control().alerts.open()).find((alert) => alert.subject === subject)!.id;
}
async function aTableSync(): Promise<string> {
  const pair = await loaded();
  await control().runs.setDesired(pair.id, 'running');
  await control().tables.record(
    pair.id,
    ['b', 'c'].map((name) => ({
      ...{ source: { schema: 'a', name }, target: { schema: 'a', name }, state: 'streaming' as const },
      rowsCopied: 1,
    })),
  );
  const made = await gateway.ask(`/api/sync-pairs/${pair.id}/resync`, { method: 'POST', body: { tables: ['a.b'] } });
  return made.body['id'] as string;
}
const onPair = (verb: string, make: () => Promise<PairOverview> = aPair): Scenario => ({
  ...{ action: `sync_pair.${verb}`, entity: 'sync_pair' },
  good: async () => {
    const { id } = await make();
    return { path: `/api/sync-pairs/${id}/${verb}`, id };
  },
  bad: { path: `/api/sync-pairs/${missing}/${verb}` },
});
const urls = { source_connection: connection.url, target_connection: connection.url.replace('/pacs', '/cama') };
const job = (type: string): Scenario => ({
  ...{ action: `sync_operation.start_${type}`, entity: 'sync_operation' },
  good: async () => {
    if (type === 'incremental') {
      const made = await gateway.ask('/api/sync/full', { method: 'POST', body: urls });
      const { id } = await control().pairs.get(made.body['pair_id'] as string);
      await control().runs.recordLoad(id, { state: 'done', number: 1, startOffset: 1n, startPosition: '1:0/1' });
    }
    return { path: `/api/sync/${type}`, body: urls };
  },
  bad: { path: `/api/sync/${type}`, body: { ...urls, target_connection: 'mysql://a@b/c' } },
});
const changesNothing = (good: Scenario['good'], bad: Scenario['bad']): Scenario => ({ good, bad });

const scenarios: Readonly<Record<string, Scenario>> = {
  'POST /api/systems': {
    ...{ action: 'system.create', entity: 'system' },
    good: () =>
      Promise.resolve({ path: '/api/systems', body: { name: `made-${randomUUID().slice(0, 8)}`, connection } }),
    bad: { path: '/api/systems', body: { name: 'No Name', connection } },
  },
  'PATCH /api/systems/:id': {
    ...{ action: 'system.change', entity: 'system' },
    good: async () => {
      const id = await aSystem();
      return {
        path: `/api/systems/${id}`,
        body: { connection: { ...connection, password: 'new-hunter2-marker' } },
        id,
      };
    },
    bad: { path: `/api/systems/${missing}`, body: { kind: 'PACS' } },
  },
  'DELETE /api/systems/:id': {
    ...{ action: 'system.delete', entity: 'system' },
    good: async () => {
      const id = await aSystem();
      return { path: `/api/systems/${id}`, id };
    },
    bad: { path: `/api/systems/${missing}` },
  },
  'POST /api/systems/:id/check': changesNothing(async () => ({ path: `/api/systems/${await aSystem()}/check` }), {
    path: `/api/systems/${missing}/check`,
  }),
  'DELETE /api/systems/:id/slots/:name': {
    ...{ action: 'system.drop_slot', entity: 'system' },
    good: async () => {
      const id = await aSystem();
      return { path: `/api/systems/${id}/slots/terrafusion_x_y_1?other_installation=true`, id };
    },
    bad: { path: `/api/systems/${missing}/slots/terrafusion_x_y_1` },
  },
  'POST /api/sync-pairs': {
    ...{ action: 'sync_pair.create', entity: 'sync_pair' },
    good: () =>
      Promise.resolve({
        path: '/api/sync-pairs',
        body: {
          name: `made-${randomUUID().slice(0, 8)}`,
          source: { connector: 'postgres', connection },
          target: { connector: 'postgres', connection },
        },
      }),
    bad: { path: '/api/sync-pairs', body: { name: 'made', source: 'nowhere', target: 'nowhere' } },
  },
  'POST /api/sync-pairs/check': changesNothing(
    () =>
      Promise.resolve({
        path: '/api/sync-pairs/check',
        body: {
          name: 'looked-at',
          source: { connector: 'postgres', connection },
          target: { connector: 'postgres', connection },
        },
      }),
    { path: '/api/sync-pairs/check', body: { name: 'x' } },
  ),
  'POST /api/sync-pairs/:id/check': changesNothing(
    async () => ({ path: `/api/sync-pairs/${(await aPair()).id}/check`, body: { config: { on_invalid: 'halt' } } }),
    { path: '/api/sync-pairs/none/check', body: {} },
  ),
  'POST /api/sync-pairs/preview': changesNothing(
    async () => ({
      path: '/api/sync-pairs/preview',
      body: { pair: { source: await aSystem(), tables: [{ source: 'a.b' }] }, table: 'a.b' },
    }),
    { path: '/api/sync-pairs/preview', body: { pair: { source: 'nowhere' }, table: 'a.b' } },
  ),
  'PATCH /api/sync-pairs/:id': {
    ...{ action: 'sync_pair.change', entity: 'sync_pair' },
    good: async () => {
      const { id } = await aPair();
      return { path: `/api/sync-pairs/${id}`, body: { config: { batch_size: 7 } }, id };
    },
    bad: { path: `/api/sync-pairs/${missing}`, body: { name: 'other' } },
  },
  'DELETE /api/sync-pairs/:id': {
    ...{ action: 'sync_pair.delete', entity: 'sync_pair' },
    good: async () => {
      const { id } = await aPair();
      return { path: `/api/sync-pairs/${id}`, id };
    },
    bad: { path: `/api/sync-pairs/${missing}` },
  },
  'POST /api/sync-pairs/:id/approve': onPair('approve', async () => {
    const pair = await aPair();
    const steps = [{ kind: 'destructive' as const, what: 'dropped', sql: ['ALTER TABLE …'] }];
    await control().schemaChanges.note(pair.id, { id: 'aaaa', position: '1:0/10:3', steps }, false);
    return pair;
  }),
  'POST /api/sync-pairs/:id/start': onPair('start'),
  'POST /api/sync-pairs/:id/pause': onPair('pause'),
  'POST /api/sync-pairs/:id/resume': onPair('resume'),
  'POST /api/sync-pairs/:id/resync': onPair('resync', loaded),
  'POST /api/sync-pairs/:id/fence': changesNothing(
    async () => ({ path: `/api/sync-pairs/${(await aPair()).id}/fence` }),
    { path: `/api/sync-pairs/${missing}/fence` },
  ),
  'POST /api/sync-pairs/:id/cutover': onPair('cutover'),
  'POST /api/sync-operations': {
    ...{ action: 'sync_operation.start_full', entity: 'sync_operation' },
    good: async () => ({ path: '/api/sync-operations', body: { pair_id: (await aPair()).id, type: 'full' } }),
    bad: { path: '/api/sync-operations', body: { pair_id: missing, type: 'full' } },
  },
  'POST /api/sync-operations/:id/cancel': {
    ...{ action: 'sync_operation.cancel', entity: 'sync_operation' },
    good: async () => {
      const id = await aTableSync();
      return { path: `/api/sync-operations/${id}/cancel`, id };
    },
    bad: { path: `/api/sync-operations/${missing}/cancel` },
  },
  'POST /api/sync/full': job('full'),
  'POST /api/sync/incremental': job('incremental'),
  'POST /api/sync/stop/:job_id': {
    ...{ action: 'sync_operation.stop', entity: 'sync_operation' },
    good: async () => {
      const { id } = await anOperation();
      return { path: `/api/sync/stop/${id}`, id };
    },
    bad: { path: `/api/sync/stop/${missing}` },
  },
  'POST /api/sync/resume/:job_id': {
    ...{ action: 'sync_operation.resume', entity: 'sync_operation' },
    good: async () => {
      const { id } = await anOperation();
      await gateway.ask(`/api/sync/stop/${id}`, { method: 'POST' });
      return { path: `/api/sync/resume/${id}`, id };
    },
    bad: { path: `/api/sync/resume/${missing}` },
  },
  'POST /api/sync/validate/:job_id/:table': changesNothing(
    async () => ({ path: `/api/sync/validate/${(await anOperation()).id}/a.b` }),
    { path: `/api/sync/validate/${missing}/a.b` },
  ),
  // There are no conflicts in this version: nothing is resolved.
  'POST /api/sync/conflicts/:job_id/:conflict_id/resolve': {
    good: () => Promise.resolve({ path: '' }),
    bad: { path: `/api/sync/conflicts/${missing}/1/resolve`, body: { strategy: 'source_wins' } },
  },
  'POST /api/sync/conflicts/:job_id/resolve-all': changesNothing(
    async () => ({
      path: `/api/sync/conflicts/${(await anOperation()).id}/resolve-all`,
      body: { strategy: 'source_wins' },
    }),
    { path: `/api/sync/conflicts/${missing}/resolve-all`, body: { strategy: 'source_wins' } },
  ),
  'POST /api/alerts/:id/acknowledge': {
    ...{ action: 'alert.acknowledge', entity: 'alert' },
    good: async () => {
      const id = await anAlert();
      return { path: `/api/alerts/${id}/acknowledge`, id };
    },
    bad: { path: '/api/alerts/999999/acknowledge' },
  },
  'POST /api/alerts/:id/silence': {
    ...{ action: 'alert.silence', entity: 'alert' },
    good: async () => {
      const id = await anAlert();
      return { path: `/api/alerts/${id}/silence`, body: { until: null }, id };
    },
    bad: { path: '/api/alerts/999999/silence', body: { until: null } },
  },
  'POST /api/dead-letters/:id/replay': {
    ...{ action: 'dead_letter.replay', entity: 'dead_letter' },
    good: async () => {
      const id = await aLetter();
      return { path: `/api/dead-letters/${id}/replay`, id };
    },
    bad: { path: '/api/dead-letters/999999/replay' },
  },
  'POST /api/dead-letters/:id/discard': {
    ...{ action: 'dead_letter.discard', entity: 'dead_letter' },
    good: async () => {
      const id = await aLetter();
      return { path: `/api/dead-letters/${id}/discard`, id };
    },
    bad: { path: '/api/dead-letters/999999/discard' },
  },
  'POST /api/dead-letters/replay': {
    ...{ action: 'dead_letter.replay', entity: 'dead_letter' },
    good: async () => {
      const id = await aLetter();
      const before = BigInt(id) - 1n;
      const body = { through: id, ...(before > 0n ? { after: String(before) } : {}) };
      return { path: '/api/dead-letters/replay', body, id };
    },
    bad: { path: '/api/dead-letters/replay', body: { filter: { pair: 'none' }, through: '1' } },
  },
  'POST /api/dead-letters/discard': {
    ...{ action: 'dead_letter.discard_all', entity: 'dead_letter' },
    good: async () => ({ path: '/api/dead-letters/discard', body: { through: await aLetter() }, id: 'all' }),
    bad: { path: '/api/dead-letters/discard', body: { filter: { pair: 'none' }, through: '1' } },
  },
  'PATCH /api/self-healing/:action': {
    ...{ action: 'self_healing.switch', entity: 'self_healing' },
    good: () =>
      Promise.resolve({ path: '/api/self-healing/restart_stage', body: { enabled: false }, id: 'restart_stage' }),
    bad: { path: '/api/self-healing/keep_reading', body: { enabled: false } },
  },
  'DELETE /api/sessions/:id': {
    ...{ action: 'session.end', entity: 'session' },
    good: async () => {
      await gateway.ask('/api/session', { method: 'POST', as: 'nobody', body: { key: gateway.keys.viewer } });
      const { items } = await control().sessions.list({}, { limit: 1 });
      return { path: `/api/sessions/${items[0]!.id}` };
    },
    bad: { path: `/api/sessions/${missing}` },
  },
  'POST /api/session': {
    ...{ action: 'session.create', entity: 'session', by: 'operator' },
    good: () => Promise.resolve({ path: '/api/session', body: { key: gateway.keys.operator }, headers: {} }),
    bad: { path: '/api/session', body: {} },
  },
  'DELETE /api/session': {
    ...{ action: 'session.end', entity: 'session', by: 'operator' },
    good: async () => {
      const reply = await gateway.ask('/api/session', {
        ...{ method: 'POST', as: 'nobody', body: { key: gateway.keys.operator } },
      });
      const cookie = String(reply.headers['set-cookie']).split(';', 1)[0]!;
      return { path: '/api/session', headers: { cookie, 'x-csrf-token': reply.body['csrf_token'] as string } };
    },
    bad: { path: '/api/session' },
  },
  'POST /api/keys/:id/rotate': {
    ...{ action: 'api_key.rotate', entity: 'api_key' },
    good: async () => {
      const { record } = await control().apiKeys.create({ name: 'to be rotated', role: 'viewer' });
      return { path: `/api/keys/${record.id}/rotate`, id: record.id };
    },
    bad: { path: '/api/keys/none/rotate' },
  },
  'POST /api/keys': {
    ...{ action: 'api_key.create', entity: 'api_key' },
    good: () => Promise.resolve({ path: '/api/keys', body: { name: 'nightly report', role: 'viewer' } }),
    bad: { path: '/api/keys', body: { name: 'x', role: 'king' } },
  },
  'DELETE /api/keys/:id': {
    ...{ action: 'api_key.revoke', entity: 'api_key' },
    good: async () => {
      const { record } = await control().apiKeys.create({ name: 'to be revoked', role: 'viewer' });
      return { path: `/api/keys/${record.id}`, id: record.id };
    },
    bad: { path: '/api/keys/none' },
  },
};

const changing = Object.keys(routeAccess).filter((route) => !route.startsWith('GET '));
const methodOf = (route: string) => route.split(' ', 1)[0] as NonNullable<Ask['method']>;
const wanted = (route: string): Role | undefined => {
  const access = routeAccess[route]!;
  return access === 'public' ? undefined : access;
};
const weaker = (role: Role | undefined): Role | undefined => role && roles[roles.indexOf(role) - 1];

let requests = 0;
/** Asks, and says what the trail has of this request. */
async function askAndRead(
  route: string,
  path: string,
  as: Role | undefined,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  const requestId = `audited-${(requests += 1)}`;
  const reply: Reply = await gateway.ask(path, {
    ...{ method: methodOf(route), as: as ?? 'nobody', headers: { 'x-request-id': requestId, ...headers } },
    ...(body === undefined ? {} : { body }),
  });
  const { items } = await control().audit.list({ requestId }, { limit: 100 });
  return { reply, items };
}

test('every route that may change something has its case here', () => {
  expect(Object.keys(scenarios).sort()).toEqual(changing.sort());
});

describe.each(changing)('%s', (route) => {
  const { action, entity, good, bad, by = wanted(route) } = scenarios[route]!;

  test(action === undefined ? 'changes nothing, and says nothing' : `is in the trail once, as ${action}`, async () => {
    const { path, body, id, headers } = await good();
    if (path === '') return;
    const { reply, items } = await askAndRead(route, path, headers ? undefined : by, body, headers);
    expect(reply.status, reply.text).toBeLessThan(300);
    expect(items.map((item) => item.action)).toEqual(action === undefined ? [] : [action]);
    const [entry] = items;
    if (!entry) return;
    const { id: made, job_id: job } = reply.body;
    expect(entry).toMatchObject({
      outcome: 'success',
      entityKind: entity,
      // A session's id is nobody's business.
      entityId: entity === 'session' ? (expect.any(String) as string) : (id ?? made ?? job),
      actor: expect.stringMatching(new RegExp(`^the ${by!} \\(`)) as string,
    });
    if (action !== 'session.end') expect(entry.before ?? entry.after, 'what was, or is').not.toBeNull();
    expect(JSON.stringify(entry)).not.toContain(marker);
  });

  test('refused for its caller, the refusal is there once and nothing else', async () => {
    const as = weaker(wanted(route));
    if (as === undefined) return;
    const { path, body } = bad;
    const { reply, items } = await askAndRead(route, path, as, body);
    expect(reply.status).toBe(403);
    expect(items).toMatchObject([{ action: 'request.refused', outcome: 'failure', after: { needed: wanted(route) } }]);
  });

  test('refused for what it asks, nothing is there', async () => {
    const { path, body } = bad;
    const { reply, items } = await askAndRead(route, path, wanted(route), body);
    expect([400, 404, 409, 422]).toContain(reply.status);
    expect(items).toEqual([]);
  });
});

test('and the chain holds', async () => {
  expect(await control().audit.verify()).toMatchObject({ ok: true });
});
