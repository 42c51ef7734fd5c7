import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { errorReply } from '#schemas/http/common.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { SlotReading } from '#schemas/slots.ts';
import { acquireLease, releaseLease } from '#services/kernel/leases.ts';
import { eventually } from '#test/support/eventually.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Ask, type Failure } from './fixture.ts';

const gateway = withGateway();
const missing = '00000000-0000-4000-8000-000000000000';
const marker = 'hunter2-marker';
const connection = { url: `postgresql://sync:${marker}@127.0.0.1:1/pacs` };

interface Thing {
  readonly id: string;
  readonly name: string;
  readonly connection: Record<string, unknown>;
}
interface List<T> {
  readonly items: T[];
  readonly next_cursor: string | null;
}
const post = <T = Thing>(path: string, body?: unknown, ask: Ask = {}) =>
  gateway.ask<T & Failure>(path, { method: 'POST', ...(body === undefined ? {} : { body }), ...ask });
const slotReading: SlotReading = {
  name: 'tf_1',
  generation: 1,
  state: 'reserved',
  active: true,
  active_pid: 7,
  restart_lsn: '0/170',
  confirmed_lsn: '0/180',
  retained_bytes: 5,
  safe_bytes: null,
  invalidation_reason: null,
  conflicting: false,
  inactive_since: null,
  failover: true,
  budget_bytes: 100,
  bytes_per_second: null,
  seconds_left: null,
  level: 'ok',
  problem: null,
};
/** Somebody works on the pair: the lease that its load or stream holds. */
const workOn = (id: string) => acquireLease(gateway.control.database, `pair:${id}`, 'a test', 60_000);
const system = (name: string, ask?: Ask) => post('/api/systems', { name, connection }, ask);

describe('bodies', () => {
  const takesBody = [
    ['POST', '/api/systems'],
    ['PATCH', `/api/systems/${missing}`],
    ['POST', `/api/systems/${missing}/check`],
    ['POST', '/api/sync-pairs'],
    ['POST', '/api/sync-pairs/check'],
    ['POST', '/api/sync-pairs/preview'],
    ['PATCH', `/api/sync-pairs/${missing}`],
    ['POST', `/api/sync-pairs/${missing}/resync`],
    ['POST', `/api/sync-pairs/${missing}/approve`],
    ['POST', '/api/sync-operations'],
    ['POST', '/api/sync/full'],
    ['POST', '/api/sync/incremental'],
    ['POST', `/api/sync/conflicts/${missing}/1/resolve`],
    ['POST', `/api/sync/conflicts/${missing}/resolve-all`],
    ['POST', '/api/dead-letters/1/replay'],
    ['POST', '/api/dead-letters/replay'],
    ['POST', '/api/dead-letters/discard'],
    ['POST', '/api/alerts/1/acknowledge'],
    ['POST', '/api/alerts/1/silence'],
    ['POST', '/api/keys'],
    ['POST', `/api/keys/${missing}/rotate`],
    ['POST', '/api/session'],
  ] as const;

  test.each(takesBody)('%s %s says what is wrong with one that is none, or another one', async (method, path) => {
    const json = { 'content-type': 'application/json' };
    for (const [body, headers, code] of [
      ['{"name": ', json, 'REQUEST_NOT_JSON'],
      ['nonsense', json, 'REQUEST_NOT_JSON'],
      ['name=x', { 'content-type': 'application/x-www-form-urlencoded' }, 'REQUEST_NOT_JSON'],
      ['{}', { 'content-type': 'text/plain' }, 'REQUEST_NOT_JSON'],
      ['{"__proto__": {"admin": true}}', json, 'REQUEST_NOT_JSON'],
      ['[]', json, 'REQUEST_INVALID'],
      ['"text"', json, 'REQUEST_INVALID'],
      ['7', json, 'REQUEST_INVALID'],
      ['{"surprise": 1}', json, 'REQUEST_INVALID'],
    ] as const) {
      const reply = await gateway.ask<Failure>(path, { method, body, headers });
      expect([reply.status, reply.body.error.code], body).toEqual([400, code]);
      expect(errorReply.safeParse(reply.body).success).toBe(true);
      expect(reply.body.error.request_id).toBe(reply.headers['x-request-id']);
      expect(reply.body.error.fix).not.toBe('');
    }
  });

  test('say each wrong field by its name', async () => {
    const { body } = await post('/api/systems', { name: 'Not Good', kind: 'PAKS', connection: 7, extra: true });
    expect(body.error.details.fields!.map(({ path }) => path).sort()).toEqual(['connection', 'extra', 'kind', 'name']);
    expect(body.error.message).toContain('name: use 2 to 63 lower case letters');
    const pair = await post('/api/sync-pairs', {
      name: 'x-y',
      source: 'a',
      target: { connector: 'postgres' },
      tables: [
        { source: 'nodot', columns: { pin: { from: 'geo_id', transforms: [{ pad_left: { length: 'x' } }] } } },
        { sauce: 'a.b' },
      ],
      config: { batch_size: 0, on_invalid: 'panic' },
    });
    const fields = Object.fromEntries(pair.body.error.details.fields!.map(({ path, message }) => [path, message]));
    expect(fields).toMatchObject({
      'target.connection': expect.stringContaining('missing') as string,
      'tables[0].source': expect.stringContaining('schema.table') as string,
      'tables[0].columns.pin.transforms[0].pad_left.length': expect.stringContaining('number') as string,
      'tables[1].source': expect.stringContaining('missing') as string,
      'tables[1].sauce': 'there is no field of this name here',
      'config.batch_size': expect.any(String) as string,
      'config.on_invalid': expect.any(String) as string,
    });
  });

  test('missing where there must be one, and too large', async () => {
    const none = await post('/api/systems');
    expect([none.status, none.body.error.message]).toEqual([400, 'The body is missing: send a JSON object']);
    const empty = await post('/api/systems', '', { headers: { 'content-type': 'application/json' } });
    expect(empty.body.error.code).toBe('REQUEST_INVALID');
    const large = await post('/api/systems', { name: 'large', connection: { url: 'x'.repeat(1024 * 1024) } });
    expect([large.status, large.body.error.code]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });

  test('of queries are looked at too', async () => {
    for (const query of [
      'limit=0',
      'limit=1001',
      'limit=x',
      'limit=1.5',
      'cursor=nonsense',
      'kind=PAKS',
      'surprise=1',
      'limit=1&limit=2',
    ]) {
      const { status, body } = await gateway.ask<Failure>(`/api/systems?${query}`);
      expect([status, body.error.code], query).toEqual([400, 'REQUEST_INVALID']);
    }
    expect((await gateway.ask<Failure>('/api/audit?since=yesterday')).body.error.message).toContain(
      'since: must be a time',
    );
  });
});

describe('unknown things', () => {
  test.each([
    ['GET', `/api/systems/${missing}`],
    ['GET', '/api/systems/none'],
    ['PATCH', `/api/systems/${missing}`],
    ['DELETE', `/api/systems/${missing}`],
    ['POST', `/api/systems/${missing}/check`],
    ['GET', `/api/systems/${missing}/tables`],
    ['GET', '/api/systems/none/slots'],
    ['GET', `/api/sync-pairs/${missing}`],
    ['PATCH', '/api/sync-pairs/none'],
    ['DELETE', '/api/sync-pairs/none'],
    ['POST', '/api/sync-pairs/none/start'],
    ['POST', '/api/sync-pairs/none/pause'],
    ['POST', '/api/sync-pairs/none/resume'],
    ['POST', '/api/sync-pairs/none/resync'],
    ['POST', '/api/sync-pairs/none/approve'],
    ['GET', '/api/sync-pairs/none/schema-changes'],
    ['POST', '/api/sync-pairs/none/fence'],
    ['GET', '/api/sync-pairs/none/tables'],
    ['GET', `/api/sync-operations/${missing}`],
    ['GET', '/api/sync-operations/none'],
    ['GET', '/api/sync-operations?pair=none'],
    ['GET', '/api/sync-pairs?system=none'],
    ['GET', `/api/sync/status/${missing}`],
    ['GET', '/api/sync/status/none'],
    ['POST', `/api/sync/stop/${missing}`],
    ['POST', '/api/sync/resume/none'],
    ['POST', `/api/sync/validate/${missing}/public.parcel`],
    ['GET', `/api/sync/audit/${missing}`],
    ['GET', '/api/sync/audit/none/report?format=csv'],
    ['GET', `/api/sync/conflicts/${missing}`],
    ['GET', '/api/dead-letters/999999'],
    ['GET', '/api/alerts/999999'],
    ['GET', '/api/alerts/none'],
    ['POST', '/api/alerts/999999/acknowledge'],
    ['GET', '/api/dead-letters?pair=none'],
    ['GET', '/api/dead-letters/summary?pair=none'],
    ['POST', '/api/dead-letters/none/replay'],
    ['POST', '/api/dead-letters/999999/discard'],
    ['DELETE', '/api/keys/none'],
    ['DELETE', `/api/sessions/${missing}`],
    ['DELETE', '/api/sessions/none'],
    ['GET', '/api/nonsense'],
    ['GET', '/dashboard/..%2f..%2fpackage.json'],
    ['GET', '/dashboard/README.md'],
  ] as const)('%s %s is not found', async (method, path) => {
    const { status, body } = await gateway.ask<Failure>(path, { method, ...(method === 'PATCH' ? { body: {} } : {}) });
    expect([status, body.error.code]).toEqual([404, 'NOT_FOUND']);
    expect(body.error.message).toContain('There is no ');
  });

  test('a broken path is told in our envelope', async () => {
    const { status, body } = await gateway.ask<Failure>('/api/systems/%zz');
    expect([status, body.error.code]).toEqual([400, 'REQUEST_INVALID']);
  });

  test('a request id is taken over when it can do no harm', async () => {
    expect((await gateway.ask('/', { headers: { 'x-request-id': 'abc-123' } })).headers['x-request-id']).toBe(
      'abc-123',
    );
    expect((await gateway.ask('/', { headers: { 'x-request-id': 'a b\u0007' } })).headers['x-request-id']).toMatch(
      /^[0-9a-f-]{36}$/,
    );
  });
});

describe('systems', () => {
  test('are made, read, listed, changed and removed; each change is in the audit trail with its request', async () => {
    const made = await system('county-pacs', { headers: { 'x-request-id': 'make-1' }, as: 'editor' });
    expect(made.status).toBe(201);
    expect(made.headers['location']).toBe(`/api/systems/${made.body.id}`);
    expect(made.body).toMatchObject({
      name: 'county-pacs',
      kind: 'Other',
      environment: 'production',
      connector: 'postgres',
    });
    expect(made.body.connection).toEqual({ url: 'postgresql://sync@127.0.0.1:1/pacs', password: '[secret]' });
    expect((await gateway.ask(`/api/systems/${made.body.id}`)).body).toEqual(made.body);
    expect((await gateway.ask('/api/systems/county-pacs')).body).toEqual(made.body);
    expect((await gateway.ask<List<Thing>>('/api/systems?text=county')).body).toEqual({
      items: [made.body],
      next_cursor: null,
    });

    const changed = await gateway.ask(`/api/systems/county-pacs`, {
      method: 'PATCH',
      body: { kind: 'PACS' },
      as: 'editor',
    });
    expect(changed).toMatchObject({ status: 200, body: { kind: 'PACS', connection: { password: '[secret]' } } });
    const gone = await gateway.ask(`/api/systems/county-pacs`, { method: 'DELETE', as: 'editor' });
    expect([gone.status, gone.text]).toEqual([204, '']);

    const trail = await gateway.ask<List<Record<string, unknown>>>(
      `/api/audit?entity=system&entity_id=${made.body.id}`,
    );
    expect(trail.body.items).toMatchObject([
      { action: 'system.delete', before: { kind: 'PACS' }, after: null },
      { action: 'system.change', before: { kind: 'Other' }, after: { kind: 'PACS' } },
      { action: 'system.create', request_id: 'make-1', before: null, after: { connection: { password: '[secret]' } } },
    ]);
    expect(trail.body.items[0]!['actor']).toMatch(/^the editor \(/);
  });

  test('with a name that is taken, an unknown connector or a wrong connection are refused', async () => {
    await system('twice');
    const again = await system('twice');
    expect([again.status, again.body.error.code]).toEqual([409, 'CONFLICTING_STATE']);
    const oracle = await post('/api/systems', { name: 'oracle', connector: 'oracle', connection });
    expect(oracle.body.error).toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('connector: there is no connector "oracle"') as string,
    });
    const bad = await post('/api/systems', { name: 'bad', connection: { url: `mysql://a:${marker}@h/d`, port: 1 } });
    expect(bad.body.error.details.fields!.map(({ path }) => path).sort()).toEqual([
      'connection.port',
      'connection.url',
    ]);
    expect(bad.text).not.toContain(marker);
  });

  test('keep a masked secret, unless it would be sent elsewhere', async () => {
    const made = (await system('kept')).body;
    const patch = (body: unknown) => gateway.ask<Thing & Failure>('/api/systems/kept', { method: 'PATCH', body });
    const same = await patch({ connection: { ...made.connection, application_name: 'tf' } });
    expect(same.status).toBe(200);
    expect((await gateway.control.systems.connectionOf('kept')).settings).toMatchObject({
      password: marker,
      application_name: 'tf',
    });
    const elsewhere = await patch({ connection: { ...made.connection, url: 'postgresql://sync@evil.example/pacs' } });
    expect(elsewhere.body.error.message).toContain('connection.password: give the secret again, since url');
    const weaker = await patch({ connection: { ...made.connection, ssl_mode: 'disable' } });
    expect(weaker.status).toBe(400);
    expect((await patch({ connection: { url: 'postgresql://sync@other/pacs', password: 'new' } })).status).toBe(200);
    expect((await gateway.control.systems.connectionOf('kept')).settings).toEqual({
      url: 'postgresql://sync@other/pacs',
      password: 'new',
    });
  });

  test('are not removed while a pair uses them', async () => {
    const pair = await makePair(gateway.control, 'uses-systems');
    const { status, body } = await gateway.ask<Failure>(`/api/systems/${pair.sourceId}`, { method: 'DELETE' });
    expect([status, body.error.message]).toEqual([409, 'The system is still used by: uses-systems']);
  });

  test('that cannot be reached are told by the check, which is an answer', async () => {
    await system('away');
    const { status, body, text } = await post<{ ok: boolean; source: object[]; target: object[] }>(
      '/api/systems/away/check',
      undefined,
      { as: 'operator' },
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ok: false,
      source: [{ name: 'login', ok: false, code: 'SOURCE_UNREACHABLE' }],
      target: [{ ok: false, code: 'TARGET_UNREACHABLE' }],
    });
    expect(text).not.toContain(marker);
    const one = await post('/api/systems/away/check', { as: 'target' });
    expect(one.body).not.toHaveProperty('source');
  });

  test('show what their last check found, until they are reached in another way', async () => {
    const never = { source: null, target: null };
    expect((await system('looked-at')).body).toMatchObject({ last_check: never });
    await post('/api/systems/looked-at/check', { as: 'source' });
    const found = await gateway.ask('/api/systems/looked-at');
    expect(found.body['last_check']).toEqual({
      source: {
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/) as string,
        ok: false,
        failed: [expect.objectContaining({ name: 'login', code: 'SOURCE_UNREACHABLE' })],
      },
      target: null,
    });
    expect(found.text).not.toContain(marker);
    const listed = await gateway.ask<List<Thing>>('/api/systems?text=looked-at');
    expect(listed.body.items).toEqual([found.body]);
    const patch = (body: unknown) => gateway.ask('/api/systems/looked-at', { method: 'PATCH', body });
    expect((await patch({ kind: 'GIS' })).body).toMatchObject({ last_check: { source: { ok: false } } });
    expect((await patch({ connection: { url: 'postgresql://sync@127.0.0.1:2/pacs' } })).body).toMatchObject({
      last_check: never,
    });
    // Looked at as a viewer it may not be: what a check does costs the other side.
    expect((await post('/api/systems/looked-at/check', undefined, { as: 'viewer' })).status).toBe(403);
  });
});

describe('the Idempotency-Key', () => {
  const keyed = (key: string): Ask => ({ headers: { 'idempotency-key': key } });

  test('makes a repeated request harmless, also by two at once', async () => {
    const [a, b] = await Promise.all([system('once', keyed('k-1')), system('once', keyed('k-1'))]);
    expect([a.status, b.status]).toEqual([201, 201]);
    expect(a.body).toEqual(b.body);
    const again = await system('once', keyed('k-1'));
    expect([again.status, again.headers['idempotency-replayed'], again.body.id]).toEqual([201, 'true', a.body.id]);
    expect(again.headers['location']).toBe(`/api/systems/${a.body.id}`);
    const trail = await gateway.ask<List<object>>(`/api/audit?action=system.create&entity_id=${a.body.id}`);
    expect(trail.body.items).toHaveLength(1);
  });

  test('belongs to one request of one caller', async () => {
    await system('mine', keyed('k-2'));
    const other = await system('yours', keyed('k-2'));
    expect([other.status, other.body.error.code]).toEqual([409, 'CONFLICTING_STATE']);
    // Another caller's key of the same text is another one.
    expect((await system('theirs', { ...keyed('k-2'), as: 'editor' })).status).toBe(201);
    expect((await system('bad', keyed('white space'))).status).toBe(400);
  });

  test('is free again when the request failed', async () => {
    expect((await post('/api/systems', { name: 'later', connector: 'oracle', connection }, keyed('k-3'))).status).toBe(
      400,
    );
    expect((await system('later', keyed('k-3'))).status).toBe(201);
  });
});

describe('commands for pairs', () => {
  test('change what is wanted, and make the first load an operation', async () => {
    const pair = await makePair(gateway.control, 'commanded');
    const command = (verb: string, body?: unknown) =>
      post(`/api/sync-pairs/commanded/${verb}`, body, { as: 'operator' });
    expect((await command('start')).body).toMatchObject({ desired: 'running', state: 'created' });
    await command('start');
    const operations = () => gateway.ask<List<Record<string, unknown>>>('/api/sync-operations?pair=commanded');
    expect((await operations()).body.items).toMatchObject([
      { type: 'full', state: 'pending', started_by: 'the operator' },
    ]);
    expect((await command('pause')).body).toMatchObject({ desired: 'paused' });
    expect((await command('resume')).body).toMatchObject({ desired: 'running' });
    await gateway.control.runs.recordLoad(pair.id, {
      state: 'done',
      number: 1,
      startOffset: 1n,
      startPosition: '1:0/1',
    });
    await gateway.control.operations.completeLoads(pair.id);
    expect((await operations()).body.items).toMatchObject([{ state: 'completed' }]);

    const resync = await command('resync');
    expect([resync.status, resync.headers['location']]).toEqual([202, `/api/sync-operations/${resync.body.id}`]);
    expect((await operations()).body.items).toMatchObject([{ type: 'resync', state: 'pending' }, { type: 'full' }]);
    expect(await gateway.control.pairs.get(pair.id)).toMatchObject({ load: { state: 'requested', number: 2 } });
    await gateway.control.tables.record(pair.id, [
      { source: { schema: 'a', name: 'b' }, target: { schema: 'a', name: 'b' }, state: 'loaded', rowsCopied: 1 },
      { source: { schema: 'a', name: 'c' }, target: { schema: 'a', name: 'c' }, state: 'loaded', rowsCopied: 1 },
    ]);
    expect((await command('resync', { tables: ['a.x'] })).body.error.message).toContain('no source table a.x');
    expect((await command('resync', { tables: ['a.b'] })).body.error.message).toContain('leave "tables" out');
    expect((await command('resync', { tables: ['a.b', 'a.c'] })).status).toBe(202);
    expect((await operations()).body.items.map((each) => each['state'])).toEqual(['pending', 'cancelled', 'completed']);
    const tables = await gateway.ask<List<object>>('/api/sync-pairs/commanded/tables');
    expect(tables.body.items).toMatchObject([{ source: 'a.b', rows_copied: 1, rows_total: null }, { source: 'a.c' }]);
  });

  test('a schema change that waits is shown, and goes on once an editor has let it through', async () => {
    const pair = await makePair(gateway.control, 'evolving');
    const approve = (body?: unknown, as: 'operator' | 'editor' = 'editor') =>
      post('/api/sync-pairs/evolving/approve', body, { as });
    await gateway.control.runs.setDesired(pair.id, 'running');
    expect((await approve()).body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
    const steps = [{ kind: 'destructive' as const, what: 'Column note was dropped', sql: ['ALTER TABLE …'] }];
    const note = (id: string) =>
      gateway.control.schemaChanges.note(pair.id, { id, position: '1:0/10:3', steps }, false);
    expect(await note('older')).toBe('waiting');
    expect(await note('aaaa')).toBe('waiting');
    await gateway.control.runs.recordState(
      pair.id,
      'failed',
      new TerraFusionError('SCHEMA_CHANGE_NEEDS_APPROVAL', 'x'),
    );
    const shown = () => gateway.ask('/api/sync-pairs/evolving');
    expect((await shown()).body).toMatchObject({
      state: 'failed',
      error: { code: 'SCHEMA_CHANGE_NEEDS_APPROVAL' },
      schema_change: { id: 'aaaa', position: '1:0/10:3', state: 'waiting', steps },
    });

    expect((await approve({}, 'operator')).status).toBe(403);
    expect((await approve({ change: 'older' })).body.error.message).toContain('"aaaa" does');
    const before = (await gateway.control.pairs.get(pair.id)).runs;
    expect((await approve({ change: 'aaaa' })).status).toBe(200);
    expect(await gateway.control.pairs.get(pair.id)).toMatchObject({ runs: before + 1, error: undefined });
    expect((await shown()).body).toMatchObject({ schema_change: null });
    expect((await approve({ change: 'aaaa' })).status).toBe(409);

    // The stream stands before it again, and is let through.
    expect(await note('aaaa')).toBe('approved');
    expect(await gateway.control.schemaChanges.settle(pair.id, '1:0/10:2')).toEqual([]);
    expect(await gateway.control.schemaChanges.settle(pair.id, '1:0/10')).toMatchObject([{ id: 'aaaa' }]);
    expect(await gateway.control.schemaChanges.settle(pair.id, '1:0/10')).toEqual([]);
    const list = await gateway.ask<List<object>>('/api/sync-pairs/evolving/schema-changes');
    expect(list.body.items).toMatchObject([{ id: 'aaaa', state: 'applied', decided_by: 'the editor' }]);
    const audit = await gateway.ask<List<object>>('/api/audit?action=sync_pair.approve');
    expect(audit.body.items).toMatchObject([{ entity_id: pair.id, after: { change: 'aaaa' } }]);
  });

  test('a pair shows what is known of it, and no figure that is too old', async () => {
    const pair = await makePair(gateway.control, 'shown');
    const get = () => gateway.ask('/api/sync-pairs/shown');
    expect((await get()).body).toMatchObject({
      position: null,
      lag_seconds: null,
      slot: null,
      tables: [],
      error: null,
      definition: { tables: null },
    });
    await gateway.control.runs.setDesired(pair.id, 'running');
    await gateway.control.runs.recordState(pair.id, 'streaming');
    const lease = (await workOn(pair.id))!;
    await gateway.control.progress.record(pair.id, {
      position: '1:0/200',
      commitLsn: '0/200',
      nextOffset: 1n,
      lagBytes: 0,
      lagSeconds: 0,
      changesApplied: 7,
    });
    await gateway.control.generations.record(pair.sourceId, {
      generation: 1,
      stream: { slot: 'tf_1', publication: 'p', systemIdentifier: '1', timeline: 1, consistentPoint: 256n },
    });
    expect((await get()).body).toMatchObject({
      state: 'streaming',
      position: '1:0/200',
      lag_seconds: 0,
      stale: false,
      changes_applied: 7,
      slot: { name: 'tf_1', generation: 1, state: null, confirmed_lsn: '0/100' },
    });
    await gateway.control.sourceSlots.record(pair.sourceId, {
      ...slotReading,
      problem: { code: 'SOURCE_WAL_NEAR_BUDGET', message: 'It fills', fix: 'Look' },
    });
    expect((await get()).body).toMatchObject({
      slot: { state: 'reserved', active: true, confirmed_lsn: '0/180', retained_bytes: 5, budget_bytes: 100 },
      warning: null,
    });
    await gateway.control.sourceSlots.record(pair.sourceId, {
      ...slotReading,
      level: 'near',
      problem: { code: 'SOURCE_WAL_NEAR_BUDGET', message: 'It fills', fix: 'Look' },
    });
    expect((await get()).body).toMatchObject({ slot: { level: 'near' }, warning: { message: 'It fills' } });
    expect((await gateway.ask('/api/status')).body['alerts']).toContainEqual(
      expect.objectContaining({
        code: 'slot_wal_budget',
        severity: 'warning',
        message: `${pair.source.name}: It fills. Look`,
        pair: null,
      }),
    );
    await gateway.control.database.run(
      "UPDATE terrafusion.pair_progress SET updated_at = updated_at - interval '1 minute'",
    );
    expect((await get()).body).toMatchObject({ position: '1:0/200', lag_seconds: null, lag_bytes: null });

    // Promise 9: the sync-service is gone, or has come back and not got there yet.
    await releaseLease(gateway.control.database, lease);
    expect((await get()).body).toMatchObject({ state: 'streaming', stale: true, lag_seconds: null });
    const trouble = new TerraFusionError('TARGET_UNREACHABLE', 'It is away');
    await gateway.control.runs.recordState(pair.id, 'catching_up', trouble);
    expect((await get()).body).toMatchObject({ stale: false, error: { code: 'TARGET_UNREACHABLE' } });
    await gateway.control.runs.setDesired(pair.id, 'paused');
    await gateway.control.runs.recordState(pair.id, 'paused');
    expect((await get()).body).toMatchObject({ stale: false });
  });

  test('what a source may keep for us is set with its system', async () => {
    const made = await post('/api/systems', {
      name: 'budgeted',
      connection,
      wal_budget_bytes: 2 ** 30,
      on_wal_budget: 'drop_slot',
    });
    expect(made.body).toMatchObject({ wal_budget_bytes: 2 ** 30, on_wal_budget: 'drop_slot' });
    const patch = (body: object) => gateway.ask('/api/systems/budgeted', { method: 'PATCH', body });
    expect((await patch({ environment: 'training' })).body).toMatchObject({
      wal_budget_bytes: 2 ** 30,
      on_wal_budget: 'drop_slot',
    });
    expect((await patch({ wal_budget_bytes: null, on_wal_budget: 'alarm' })).body).toMatchObject({
      wal_budget_bytes: null,
      on_wal_budget: 'alarm',
    });
    for (const wrong of [{ wal_budget_bytes: 1 }, { on_wal_budget: 'panic' }])
      expect((await patch(wrong)).body).toMatchObject({ error: { code: 'REQUEST_INVALID' } });
  });

  test('a fence answers at once for a pair that does not run', async () => {
    const pair = await makePair(gateway.control, 'fenced');
    const fence = () => post('/api/sync-pairs/fenced/fence');
    expect((await fence()).body.error).toMatchObject({
      code: 'CONFLICTING_STATE',
      message: 'The pair fenced is paused: resume it first',
    });
    await gateway.control.runs.setDesired(pair.id, 'running');
    // A load that is still to come is waited for.
    expect((await post('/api/sync-pairs/fenced/fence?timeout_s=1')).body.error).toMatchObject({
      code: 'FENCE_TIMEOUT',
      message: 'The pair is still being loaded after 1 seconds',
    });
    await gateway.control.runs.recordState(
      pair.id,
      'failed',
      new TerraFusionError('SOURCE_SLOT_MISSING', 'it is gone'),
    );
    expect((await fence()).body.error).toMatchObject({
      code: 'CONFLICTING_STATE',
      message: 'The pair fenced has failed (SOURCE_SLOT_MISSING): it is gone',
    });
    for (const bad of ['0', '301', 'x']) {
      expect((await post(`/api/sync-pairs/fenced/fence?timeout_s=${bad}`)).status).toBe(400);
    }
  });

  test('a fence under way ends when its caller goes, or the gateway stops', async () => {
    const pair = await makePair(gateway.control, 'waited-for');
    await gateway.control.runs.setDesired(pair.id, 'running');
    await gateway.control.runs.recordLoad(pair.id, {
      state: 'done',
      number: 1,
      startOffset: 1n,
      startPosition: '1:0/1',
    });
    const { connector } = await import('#connectors/postgres/connector.ts');
    const asked = Promise.withResolvers<AbortSignal>();
    const source = vi
      .spyOn(connector, 'source')
      .mockReturnValue({ emitMessage: () => Promise.resolve(0x100n) } as unknown as Source);
    const target = vi.spyOn(connector, 'target').mockReturnValue({
      applied: (_id: string, { signal }: ConnectorContext) => {
        asked.resolve(signal);
        return Promise.resolve(undefined);
      },
    } as unknown as Target);
    try {
      const app = await gateway.another();
      const url = await app.listen({ host: '127.0.0.1', port: 0 });
      const wait = (signal?: AbortSignal) =>
        fetch(`${url}/api/sync-pairs/waited-for/fence`, {
          method: 'POST',
          headers: { 'x-api-key': gateway.keys.admin },
          ...(signal && { signal }),
        });
      const caller = new AbortController();
      const hungUp = wait(caller.signal);
      const signal = await asked.promise;
      caller.abort();
      await expect(hungUp).rejects.toThrow();
      await eventually(() => signal.aborted);
      const left = wait();
      await eventually(() => target.mock.calls.length >= 2);
      await app.close();
      expect(await (await left).json()).toMatchObject({
        error: { code: 'SERVICE_UNAVAILABLE', message: 'The gateway is being stopped' },
      });
    } finally {
      source.mockRestore();
      target.mockRestore();
    }
  });

  test('a removed pair is gone, its name free; what it was doing has stopped', async () => {
    const pair = await makePair(gateway.control, 'removed');
    await post('/api/sync-pairs/removed/start');
    const gone = await gateway.ask('/api/sync-pairs/removed', { method: 'DELETE' });
    expect(gone).toMatchObject({ status: 202, body: { id: pair.id, name: 'removed' } });
    expect((await gateway.ask(`/api/sync-pairs/${pair.id}`)).status).toBe(404);
    expect((await gateway.control.pairs.all()).find(({ id }) => id === pair.id)).toMatchObject({
      deleted: true,
      desired: 'paused',
    });
    expect((await gateway.control.operations.list({ pairId: pair.id }, { limit: 1 })).items).toMatchObject([
      { state: 'cancelled' },
    ]);
  });

  test('operations need a pair and a known type; of an unreachable source none is begun', async () => {
    const pair = await makePair(gateway.control, 'operated');
    const start = (type: string, idOrName = 'operated') =>
      post('/api/sync-operations', { pair_id: idOrName, type }, { as: 'operator' });
    expect((await start('verify')).status).toBe(400);
    expect((await start('full', missing)).status).toBe(404);
    // There is nothing on which changes could be laid.
    const early = await start('incremental');
    expect([early.status, early.body.error.code]).toEqual([409, 'PAIR_NOT_LOADED']);
    const full = await start('full', pair.id);
    expect(full).toMatchObject({ status: 202, body: { type: 'full', state: 'pending', pair: { name: 'operated' } } });
    expect((await gateway.ask(`/api/sync-operations/${full.body.id}`)).body).toMatchObject({
      id: full.body.id,
      type: 'full',
    });
    expect(await gateway.control.pairs.get(pair.id)).toMatchObject({ desired: 'running' });
    const away = await start('incremental');
    expect([away.status, away.body.error.code]).toEqual([502, 'SOURCE_UNREACHABLE']);
    expect(
      (await gateway.control.operations.list({ pairId: pair.id, type: 'incremental' }, { limit: 1 })).items,
    ).toEqual([]);
  }, 20_000);
});

describe('making pairs', () => {
  test('with systems that are not there makes nothing, and names the fields', async () => {
    const body = { name: 'nowhere', source: 'no-source', target: 'no-target' };
    const { status, body: reply } = await post('/api/sync-pairs', body);
    expect([status, reply.error.code]).toEqual([422, 'PAIR_INVALID']);
    expect(reply.error.details.fields).toMatchObject([
      { path: 'source', message: 'There is no system "no-source"' },
      { path: 'target', message: 'There is no system "no-target"' },
    ]);
    const check = await post<{ ok: boolean; problems: object[] }>('/api/sync-pairs/check', body);
    expect(check).toMatchObject({
      status: 200,
      body: { ok: false, problems: [{ path: 'source' }, { path: 'target' }] },
    });
  });

  test('with ends that cannot be reached makes nothing, inline systems included', async () => {
    const before = await gateway.control.database.query('SELECT id FROM terrafusion.systems');
    const { status, body, text } = await post('/api/sync-pairs', {
      name: 'unreachable',
      source: { connection },
      target: { connector: 'postgres', connection },
      tables: [{ source: 'pacs.property', where: 'row.x ==' }],
    });
    expect(status).toBe(422);
    expect(body.error.details.fields).toContainEqual(
      expect.objectContaining({ path: 'source', code: 'SOURCE_UNREACHABLE' }),
    );
    expect(body.error.details.fields).toContainEqual(
      expect.objectContaining({ path: 'target', code: 'TARGET_UNREACHABLE' }),
    );
    expect(text).not.toContain(marker);
    expect(await gateway.control.database.query('SELECT id FROM terrafusion.systems')).toEqual(before);
    expect(await gateway.control.pairs.find('unreachable')).toBeUndefined();
  }, 20_000);
});

describe('dead letters', () => {
  const letter: DeadLetter = {
    position: '1:0/10:1',
    stage: 'process',
    source_table: { schema: 'pacs', name: 'property' },
    target_table: { schema: 'cama', name: 'parcel' },
    op: 'insert',
    rule: 'pin present',
    code: 'PAIR_ROW_INVALID',
    reason: 'no pin',
    row: { prop_id: '1', geo_id: null },
    before: undefined,
  };
  async function keep(position: string): Promise<string> {
    const pair = (await gateway.control.pairs.find('lettered')) ?? (await makePair(gateway.control, 'lettered'));
    await gateway.control.deadLetters.store(pair.id, [{ ...letter, position }]);
    return (await gateway.control.deadLetters.list({ pairId: pair.id }, { limit: 1 })).items[0]!.id;
  }

  test('are listed, replayed through the sync-service, and discarded', async () => {
    const id = await keep('1:0/10:1');
    const list = await gateway.ask<List<object>>('/api/dead-letters?pair=lettered&state=open&table=pacs.property');
    expect(list.body.items).toMatchObject([
      { id, source_table: 'pacs.property', row: letter.row, before: null, state: 'open' },
    ]);
    const replayed = await post(`/api/dead-letters/${id}/replay`, undefined, { as: 'operator' });
    expect(replayed.body).toMatchObject({
      state: 'replayed',
      resolved_by: expect.stringContaining('the operator') as string,
    });
    expect(gateway.syncService.replayed).toEqual([{ id, row: undefined }]);
    expect((await post(`/api/dead-letters/${id}/discard`)).body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
    expect((await post(`/api/dead-letters/${id}/replay`)).body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
    const second = await keep('1:0/10:2');
    expect((await post(`/api/dead-letters/${second}/discard`)).body).toMatchObject({ state: 'discarded' });
    expect((await gateway.ask(`/api/dead-letters/${second}`)).body).toMatchObject({ state: 'discarded' });
  });

  test("with a row of one's own are replayed by editors only", async () => {
    const id = await keep('1:0/20:1');
    const row = { prop_id: '1', geo_id: '0416' };
    expect((await post(`/api/dead-letters/${id}/replay`, { row }, { as: 'operator' })).status).toBe(403);
    expect((await post(`/api/dead-letters/${id}/replay`, { row: { a: 1 } })).status).toBe(400);
    expect((await post(`/api/dead-letters/${id}/replay`, { row }, { as: 'editor' })).status).toBe(200);
    expect(gateway.syncService.replayed.at(-1)).toEqual({ id, row });
    const trail = await gateway.ask<List<object>>(`/api/audit?entity=dead_letter&entity_id=${id}`);
    expect(trail.body.items).toMatchObject([
      { action: 'dead_letter.replay', before: { row: letter.row }, after: { row } },
    ]);
  });

  test('stay open when they are refused again, or the sync-service is down', async () => {
    const id = await keep('1:0/30:1');
    for (const error of [
      new TerraFusionError('TARGET_ROW_REJECTED', 'null value in column "parcel_pin"'),
      new TerraFusionError('SERVICE_UNAVAILABLE', 'The sync-service cannot be reached'),
    ]) {
      gateway.syncService.refuse = error;
      expect((await post(`/api/dead-letters/${id}/replay`)).body.error).toMatchObject({
        code: error.code,
        message: error.message,
      });
      expect((await gateway.ask(`/api/dead-letters/${id}`)).body).toMatchObject({ state: 'open' });
    }
    gateway.syncService.refuse = undefined;
  });
});

describe('keys', () => {
  test('are made, shown once, and revoked; the last administrator stays', async () => {
    const made = await post<{ id: string; key: string }>('/api/keys', {
      name: 'report',
      role: 'viewer',
      expires_at: '2099-01-01T00:00:00Z',
    });
    expect(made.status).toBe(201);
    expect((await gateway.ask('/api/systems', { as: { key: made.body.key } })).status).toBe(200);
    const list = await gateway.ask<List<Thing>>('/api/keys?limit=1000');
    expect(list.text).not.toContain(made.body.key.split('_')[2]);
    expect(list.body.items.find(({ id }) => id === made.body.id)).toMatchObject({
      name: 'report',
      role: 'viewer',
      revoked_at: null,
    });
    expect((await gateway.ask(`/api/keys/${made.body.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await gateway.ask(`/api/keys/${made.body.id}`, { method: 'DELETE' })).status).toBe(409);
    expect((await gateway.ask('/api/systems', { as: { key: made.body.key } })).status).toBe(401);
    for (const bad of [
      { name: '', role: 'viewer' },
      { name: 'x', role: 'root' },
      { name: 'x', role: 'viewer', expires_at: 'soon' },
    ]) {
      expect((await post('/api/keys', bad)).status).toBe(400);
    }
    const admin = gateway.keys.admin.split('_')[1]!;
    const last = await gateway.ask<Failure>(`/api/keys/${admin}`, { method: 'DELETE' });
    expect([last.status, last.body.error.message]).toEqual([
      409,
      'This is the last administrator key: make another one first',
    ]);
    expect((await gateway.ask('/api/keys')).status).toBe(200);
  });
});

describe('rotating a key', () => {
  interface Made {
    readonly id: string;
    readonly key: string;
  }
  const make = async () => (await post<Made>('/api/keys', { name: 'rotated', role: 'operator' })).body;
  const opens = async (key: string) => (await gateway.ask('/api/systems', { as: { key } })).status === 200;
  const rotate = (id: string, body?: unknown, ask?: Ask) => post<Made>(`/api/keys/${id}/rotate`, body, ask);

  test('gives it another secret, shown once; the one before opens nothing, and its browsers are out', async () => {
    const { id, key } = await make();
    const login = await post('/api/session', { key }, { as: 'nobody' });
    const cookie = String(login.headers['set-cookie']).split(';')[0]!;
    const inside = async () =>
      (await gateway.ask('/api/systems', { as: 'nobody', headers: { cookie } })).status === 200;
    expect(await inside()).toBe(true);
    const { status, body } = await rotate(id);
    expect([status, body]).toMatchObject([
      200,
      { id, name: 'rotated', role: 'operator', rotated_at: expect.any(String) as string },
    ]);
    expect(body.key).toMatch(new RegExp(`^tfk_${id}_`));
    expect([await opens(key), await opens(body.key), await inside()]).toEqual([false, true, false]);
    const trail = await gateway.ask<List<object>>(`/api/audit?entity=api_key&entity_id=${id}`);
    expect(trail.body.items[0]).toMatchObject({ action: 'api_key.rotate', after: { overlap_s: 0 } });
    expect(trail.text).not.toContain(body.key.split('_')[2]);
  });

  test('lets both open for a while when it is told to, and the older one never longer', async () => {
    const { id, key } = await make();
    const second = (await rotate(id, { overlap_s: 600 })).body.key;
    expect([await opens(key), await opens(second)]).toEqual([true, true]);
    const third = (await rotate(id, { overlap_s: 600 })).body.key;
    expect([await opens(key), await opens(second), await opens(third)]).toEqual([false, true, true]);
    await gateway.control.database.run(
      'UPDATE terrafusion.api_keys SET previous_until = clock_timestamp() WHERE id = $1',
      [id],
    );
    expect([await opens(second), await opens(third)]).toEqual([false, true]);
    // A leaked one is closed at once, whatever was promised before.
    const last = (await rotate(id)).body.key;
    expect([await opens(third), await opens(last)]).toEqual([false, true]);
  });

  test('from a browser that came in with it leaves that one in: the new key is yet to be seen', async () => {
    const { key } = (await post<Made>('/api/keys', { name: 'own', role: 'admin' })).body;
    const id = key.split('_')[1]!;
    const login = await post<{ csrf_token: string }>('/api/session', { key }, { as: 'nobody' });
    const headers = {
      cookie: String(login.headers['set-cookie']).split(';')[0]!,
      'x-csrf-token': login.body.csrf_token,
    };
    expect((await rotate(id, {}, { as: 'nobody', headers })).status).toBe(200);
    expect((await gateway.ask('/api/systems', { as: 'nobody', headers })).status).toBe(200);
    await gateway.control.apiKeys.revoke(id);
  });

  test('is refused for one that opens nothing, is not there, or stands in a variable', async () => {
    const { id } = await make();
    await gateway.control.apiKeys.revoke(id);
    expect((await rotate(id)).body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
    expect((await rotate('none')).status).toBe(404);
    for (const overlap_s of [-1, 1.5, 'x', 86_400 * 31]) expect((await rotate(id, { overlap_s })).status).toBe(400);
    const given = await gateway.control.apiKeys.create({
      name: 'admin',
      role: 'viewer',
      createdBy: 'TERRAFUSION_ADMIN_KEY',
    });
    expect((await rotate(given.record.id)).body.error.message).toContain('change it there');
  });
});

describe('the whole', () => {
  test('lists come in pages that hold together', async () => {
    const prefix = `page-${randomUUID().slice(0, 4)}`;
    for (const index of [1, 2, 3, 4, 5]) await system(`${prefix}-${index}`);
    const names: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body }: { body: List<Thing> } = await gateway.ask<List<Thing>>(
        `/api/systems?text=${prefix}&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      names.push(...body.items.map(({ name }) => name));
      cursor = body.next_cursor;
    }
    expect(names).toEqual([1, 2, 3, 4, 5].map((index) => `${prefix}-${index}`));
  });

  test('no reply, audit entry or stored row has ever held a secret (Promise 8)', async () => {
    const paths = [
      '/api/systems?limit=1000',
      '/api/sync-pairs?limit=1000',
      '/api/audit?limit=1000',
      '/api/status',
      '/api/metrics',
      '/metrics',
      '/openapi.json',
      '/api/keys',
    ];
    for (const path of paths) {
      const { status, text } = await gateway.ask(path);
      expect(status, path).toBe(200);
      for (const secret of [marker, ...Object.values(gateway.keys).map((key) => key.split('_')[2]!)])
        expect(text, path).not.toContain(secret);
    }
    const tables = await gateway.control.database.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'terrafusion' AND table_type = 'BASE TABLE'",
    );
    for (const { name } of tables) {
      const rows = await gateway.control.database.query(`SELECT t::text AS text FROM terrafusion.${name} t`);
      expect(JSON.stringify(rows), name).not.toContain(marker);
    }
  });

  test('the audit trail is one unbroken chain, and says so when it is not', async () => {
    expect((await gateway.ask('/api/audit/verify', { as: 'viewer' })).body).toMatchObject({
      ok: true,
      broken_at: null,
    });
    const { database } = gateway.control;
    await database.transaction(async (transaction) => {
      await transaction.run('ALTER TABLE terrafusion.audit_entries DISABLE TRIGGER USER');
      await transaction.run(
        "UPDATE terrafusion.audit_entries SET actor = 'somebody else' WHERE id = (SELECT min(id) + 1 FROM terrafusion.audit_entries)",
      );
      await transaction.run('ALTER TABLE terrafusion.audit_entries ENABLE TRIGGER USER');
    });
    expect((await gateway.ask('/api/audit/verify')).body).toMatchObject({
      ok: false,
      broken_at: expect.any(String) as string,
    });
  });
});
