import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { pairConfig, tableInput } from '#schemas/pairs.ts';
import type { Role } from '#schemas/http/common.ts';
import { mayAct, routeAccess, unlimitedOnly } from '#services/gateway/roles.ts';
import { eventually } from '#test/support/eventually.ts';
import { withGateway, type Ask, type Failure } from './fixture.ts';
import { examples, makeThings, pathOf, split, type Things } from './route-examples.ts';

const gateway = withGateway();
let ours: Things;
let theirs: Things;
/** A pair with one end of ours: what it carries is not for us alone. */
let half: string;
const limited = {} as Record<Exclude<Role, 'admin'>, { readonly key: string; readonly id: string }>;

interface List {
  readonly items: readonly { readonly name?: string; readonly id?: string; readonly actor?: string }[];
}

beforeAll(async () => {
  const { control } = gateway;
  ours = await makeThings(control, 'ours');
  theirs = await makeThings(control, 'theirs');
  const pair = await control.pairs.create({
    name: 'half-theirs',
    sourceId: ours.system,
    targetId: theirs.target,
    tables: undefined,
    config: pairConfig.parse({}),
    desired: 'paused',
  });
  half = pair.id;
  for (const role of ['viewer', 'operator', 'editor'] as const) {
    const made = await gateway.ask<{ key: string; id: string }>('/api/keys', {
      method: 'POST',
      body: { name: `limited ${role}`, role, systems: [ours.system, 'ours-target'] },
    });
    expect(made.status).toBe(201);
    limited[role] = made.body;
  }
  // The trail of both.
  for (const { pair: id, operation, letter, system } of [ours, theirs]) {
    await gateway.ask(`/api/sync-pairs/${id}/start`, { method: 'POST', as: 'operator' });
    await gateway.ask(`/api/systems/${system}`, { method: 'PATCH', body: { kind: 'PACS' }, as: 'editor' });
    for (const [entityKind, entityId] of [
      ['sync_operation', operation],
      ['dead_letter', letter],
      ['session', id],
    ] as const)
      await control.audit.append({
        actor: 'somebody',
        action: `${entityKind}.touch`,
        entityKind,
        entityId,
        outcome: 'success',
      });
  }
  // Everything that a status or an alert could tell of theirs.
  const failed = new TerraFusionError('SOURCE_SLOT_MISSING', 'the slot of theirs is gone');
  await control.runs.recordState(theirs.pair, 'failed', failed);
  await control.runs.recordState(ours.pair, 'failed', new TerraFusionError('SOURCE_SLOT_MISSING', 'our slot is gone'));
  const reading = { level: 'over', problem: { code: 'SOURCE_BUSY', message: 'too much WAL at theirs', fix: 'x' } };
  const waiting = { code: 'SOURCE_BUSY', message: 'theirs is busy', fix: 'x' };
  await control.sourceSlots.record(theirs.system, reading as never);
  await control.sourceStatuses.record(theirs.system, { state: 'waiting', error: waiting });
  const removed = await makeThings(control, 'theirs-removed');
  await control.pairs.delete(removed.pair);
  await control.database.run('UPDATE terrafusion.sync_pairs SET removal_error = $2 WHERE id = $1', [
    removed.pair,
    { code: 'SOURCE_UNREACHABLE', message: 'the end of theirs-removed is away', fix: 'x' },
  ]);
}, 60_000);

const as = (role: keyof typeof limited) => ({ key: limited[role].key });
const ask = <T = Failure>(path: string, more: Ask = {}) => gateway.ask<T>(path, { as: as('editor'), ...more });
const needsKey = Object.entries(routeAccess).filter(([, access]) => access !== 'public');

describe('a key that is limited to systems', () => {
  test.each(needsKey.filter(([route]) => examples[route]?.of))(
    '%s: what is not within is not there',
    async (route, access) => {
      const { of, body } = examples[route]!;
      const { method } = split(route);
      for (const id of of === 'system' ? [theirs.system, theirs.target, 'theirs-source'] : [theirs[of!]]) {
        const reply = await ask(pathOf(route, id), { method, ...(body && { body: body(theirs) }) });
        const refused = unlimitedOnly.has(route) || access === 'admin';
        expect([reply.status, reply.body.error.code], id).toEqual(refused ? [403, 'FORBIDDEN'] : [404, 'NOT_FOUND']);
      }
      if (of === 'pair') {
        for (const id of [half, 'half-theirs', 'theirs']) {
          const reply = await ask(pathOf(route, id), { method, ...(body && { body: body(theirs) }) });
          expect(reply.status, id).toBe(404);
        }
      }
    },
  );

  test.each(needsKey.filter(([route]) => examples[route]?.of === undefined && route.startsWith('GET ')))(
    '%s tells nothing of the others',
    async (route) => {
      if (route === 'GET /api/events') return;
      const { url } = split(route);
      const reply = await ask<List>(url);
      if (unlimitedOnly.has(route)) {
        expect(reply.status).toBe(403);
        return;
      }
      expect(reply.status).toBe(200);
      for (const word of ['theirs', ...[theirs.system, theirs.target, theirs.pair, theirs.operation, half]])
        expect(reply.text, `${route} tells of ${word}`).not.toContain(word);
    },
  );

  test('is given the series of its pairs and sources, and nothing of the process (what is scraped without a key is whole)', async () => {
    const { text } = await ask<List>('/metrics');
    expect(text).toContain('terrafusion_dead_letters_open{pair="ours",component="gateway"} 1');
    expect(text).toMatch(/^# HELP terrafusion_dead_letters_open .*\n# TYPE terrafusion_dead_letters_open gauge\n/m);
    expect(text).not.toMatch(/theirs|http_request|process_cpu/);
    expect((await gateway.ask('/metrics', { as: 'nobody' })).text).toContain('pair="theirs"');
  });

  test('sees and counts what is within', async () => {
    const names = async (path: string) => (await ask<List>(path)).body.items.map(({ name }) => name);
    expect(await names('/api/systems')).toEqual(['ours-source', 'ours-target']);
    expect(await names('/api/sync-pairs')).toEqual(['ours']);
    for (const path of ['/api/sync-operations', '/api/sync/operations', '/api/dead-letters'])
      expect((await ask<List>(path)).body.items.length, path).toBeGreaterThan(0);
    expect((await ask<List>('/api/dead-letters')).body.items.map(({ id }) => id)).toEqual([ours.letter]);
    const trail = (await ask<{ items: { entity: string; entity_id: string }[] }>('/api/audit?limit=1000')).body.items;
    const ids = [ours.system, ours.pair, ours.operation, ours.letter];
    expect(new Set(trail.map((entry) => entry.entity_id))).toEqual(new Set(ids));
    const status = (
      await ask<{ pairs_by_state: object; alerts: { code: string; pair: string | null }[] }>('/api/status')
    ).body;
    expect(status.pairs_by_state).toEqual({ failed: 1 });
    expect(status.alerts.map(({ code, pair }) => [code, pair])).toEqual([
      ['pair_failed', 'ours'],
      ['dead_letters', 'ours'],
    ]);
    const whole = (await gateway.ask<{ alerts: { code: string }[] }>('/api/status')).body.alerts.map(
      ({ code }) => code,
    );
    expect(whole).toEqual(expect.arrayContaining(['slot_wal_budget', 'source_waiting', 'removal_waiting']));
    const { business } = (await ask<{ business: Record<string, unknown> }>('/api/metrics')).body;
    expect(business).toMatchObject({ pairs: 1, dead_letters_open: 1 });
  });

  test('says what it is limited to', async () => {
    const who = await ask<{ systems: unknown }>('/api/session');
    expect(who.body.systems).toEqual([
      { id: ours.system, name: 'ours-source' },
      { id: ours.target, name: 'ours-target' },
    ]);
    const made = await gateway.ask<{ csrf_token: string; systems: unknown }>('/api/session', {
      method: 'POST',
      as: 'nobody',
      body: { key: limited.viewer.key },
    });
    expect(made.body.systems).toEqual(who.body.systems);
    const cookie = String(made.headers['set-cookie']).split(';')[0]!;
    const pairs = await gateway.ask<List>('/api/sync-pairs', { as: 'nobody', headers: { cookie } });
    expect(pairs.body.items.map(({ name }) => name)).toEqual(['ours']);
  });

  test('acts within, by its role', async () => {
    for (const id of [ours.pair, 'ours']) {
      expect((await ask(`/api/sync-pairs/${id}/pause`, { method: 'POST', as: as('operator') })).status).toBe(200);
      expect((await ask(`/api/sync-pairs/${id}/pause`, { method: 'POST', as: as('viewer') })).status).toBe(403);
    }
    expect((await ask('/api/systems/ours-source', { method: 'PATCH', body: { kind: 'GIS' } })).status).toBe(200);
    expect(mayAct('editor', 'operator')).toBe(true);
  });

  test('filters by nothing that it cannot see', async () => {
    for (const path of [
      '/api/sync-pairs?system=theirs-source',
      '/api/sync-operations?pair=theirs',
      `/api/dead-letters?pair=${theirs.pair}`,
    ])
      expect((await ask(path)).status, path).toBe(404);
    const byId = await ask<List>(`/api/audit?entity_id=${theirs.pair}`);
    expect(byId.body.items).toEqual([]);
  });

  test('makes nothing outside of it', async () => {
    const post = (path: string, body: unknown) => ask(path, { method: 'POST', body });
    const inline = { connector: 'postgres', connection: { url: 'postgresql://sync@127.0.0.1:1/x' } };
    const system = await post('/api/systems', { name: 'new-one', connection: inline.connection });
    expect([system.status, system.body.error.message]).toEqual([
      403,
      'This needs a key for all systems; the key "limited editor" is limited to some',
    ]);
    for (const path of ['/api/sync-pairs', '/api/sync-pairs/check']) {
      const reply = await post(path, { name: 'new-pair', source: 'ours-source', target: inline });
      expect([reply.status, reply.body.error.code], path).toEqual([403, 'FORBIDDEN']);
    }
    const named = await post('/api/sync-pairs', { name: 'new-pair', source: 'ours-source', target: 'theirs-target' });
    expect(named.body.error.details.fields).toMatchObject([
      { path: 'target', message: 'There is no system "theirs-target"' },
    ]);
    const operation = await post('/api/sync-operations', { pair_id: theirs.pair, type: 'full' });
    expect(operation.status).toBe(404);
    // Two databases of which there is a pair, but not for us.
    const url = 'postgresql://sync@db/x';
    const full = await post('/api/sync/full', {
      source_connection: url,
      target_connection: 'postgresql://sync@elsewhere/x',
    });
    expect([full.status, full.body.error.code]).toEqual([403, 'FORBIDDEN']);
    const incremental = await post('/api/sync/incremental', {
      source_connection: url,
      target_connection: 'postgresql://sync@elsewhere/x',
    });
    expect([incremental.status, incremental.body.error.code]).toEqual([409, 'PAIR_NOT_LOADED']);
    expect(await gateway.control.pairs.find('new-pair')).toBeUndefined();
  });

  test('is told that a pair meets another one, and not which', async () => {
    const place = { url: 'postgresql://sync@127.0.0.1:1/shared', password: 'x' };
    for (const id of [ours.target, theirs.target])
      await gateway.control.systems.change(id, { connection: { settings: place, secretFields: ['password'] } });
    const { definition } = await gateway.control.pairs.get(theirs.pair);
    const tables = [tableInput.parse({ source: 'pacs.parcel', target: 'cama.parcel' })];
    await gateway.control.pairs.change(theirs.pair, { definition: { ...definition, tables } });
    const body = {
      name: 'meets',
      source: 'ours-source',
      target: 'ours-target',
      tables: [{ source: 'pacs.parcel', target: 'cama.parcel' }],
    };
    const check = (who: Ask['as']) => gateway.ask('/api/sync-pairs/check', { method: 'POST', body, as: who! });
    expect((await check('editor')).text).toContain('theirs');
    const told = await check(as('editor'));
    expect(told.text).not.toContain('theirs');
    expect(told.text).toContain('(not shown)');
  });

  test('keeps its limits when a system is removed', async () => {
    const gone = await gateway.control.systems.create({
      name: 'soon-gone',
      connector: 'postgres',
      connection: { url: 'postgresql://sync@db/x' },
      secretFields: [],
    });
    const made = await gateway.ask<{ key: string; id: string; systems: unknown }>('/api/keys', {
      method: 'POST',
      body: { name: 'lonely', role: 'viewer', systems: ['soon-gone', gone.id] },
    });
    expect(made.body.systems).toEqual([{ id: gone.id, name: 'soon-gone' }]);
    await gateway.control.systems.delete(gone.id);
    const systems = await gateway.ask<List>('/api/systems', { as: { key: made.body.key } });
    expect(systems).toMatchObject({ status: 200, body: { items: [] } });
    expect((await gateway.control.apiKeys.get(made.body.id)).systems).toEqual([{ id: gone.id, name: gone.id }]);
  });

  test('is not made for an administrator, or for what is not there', async () => {
    for (const [body, path] of [
      [{ role: 'admin', systems: [ours.system] }, 'systems'],
      [{ role: 'viewer', systems: [ours.system, 'nowhere'] }, 'systems[1]'],
      [{ role: 'viewer', systems: [] }, 'systems'],
    ] as const) {
      const reply = await gateway.ask<Failure>('/api/keys', { method: 'POST', body: { name: 'x', ...body } });
      expect([reply.status, reply.body.error.details.fields?.[0]?.path]).toEqual([400, path]);
    }
  });

  test('follows what happens within, and hears nothing else', async () => {
    const app = await gateway.another();
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const follow = async (key: string) => {
      const request = httpGet({
        port,
        host: '127.0.0.1',
        path: '/api/events',
        agent: false,
        headers: { 'x-api-key': key },
      });
      const [reply] = (await once(request, 'response')) as [IncomingMessage];
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      reply.on('error', () => undefined);
      return { text: () => text, stop: () => request.destroy() };
    };
    const one = await follow(limited.viewer.key);
    const all = await follow(gateway.keys.viewer);
    await eventually(() => one.text().includes('event: pairs') && all.text().includes('theirs'));
    for (const { pair } of [theirs, ours])
      await gateway.control.runs.recordState(
        pair,
        'failed',
        new TerraFusionError('SOURCE_DISCONNECTED', 'something else'),
      );
    await eventually(
      () => /event: pair\n.*"name":"ours"/.test(one.text()) && /event: pair\n.*"name":"theirs"/.test(all.text()),
    );
    expect(one.text()).not.toContain('theirs');
    one.stop();
    all.stop();
  });
});
