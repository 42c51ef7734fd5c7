import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { SyncServiceHealth } from '#schemas/http/sync-service.ts';
import { routeAccess } from '#services/gateway/roles.ts';
import { eventually } from '#test/support/eventually.ts';
import { makePair } from '../control/fixture.ts';
import { askApp, withGateway } from './fixture.ts';

const gateway = withGateway();
const failed = new TerraFusionError('SOURCE_SLOT_MISSING', 'Slot tf_1 does not exist');

interface Status {
  readonly state: string;
  readonly components: readonly {
    readonly name: string;
    readonly state: string;
    readonly message: string;
    readonly details: object;
  }[];
  readonly pairs: readonly { readonly name: string }[];
  readonly alerts: readonly { readonly code: string; readonly pair: string | null }[];
}
const status = async () => (await gateway.ask<Status>('/api/status', { as: 'viewer' })).body;
const component = async (name: string) => (await status()).components.find((each) => each.name === name);

describe('the status', () => {
  test('shows every part, and the pairs', async () => {
    await makePair(gateway.control, 'seen');
    const now = await status();
    expect(now.components.map(({ name, state }) => [name, state])).toEqual([
      ['gateway', 'up'],
      ['control-database', 'up'],
      ['sync-service', 'up'],
      ['bus', 'up'],
    ]);
    expect(now).toMatchObject({
      name: 'terrafusion-sync',
      state: 'up',
      pairs: [{ name: 'seen' }],
      pairs_by_state: { created: 1 },
      alerts: [],
    });
    expect((await gateway.ask('/api/v1/status')).status).toBe(200);
  });

  test('says so when the sync-service is down, starting, or unwell', async () => {
    const { health_ } = gateway.syncService;
    gateway.syncService.health_ = new TerraFusionError(
      'SERVICE_UNAVAILABLE',
      'The sync-service cannot be reached at http://127.0.0.1:8080',
    );
    expect(await status()).toMatchObject({ state: 'down', alerts: [{ code: 'component_down' }] });
    expect(await component('sync-service')).toMatchObject({
      state: 'down',
      message: expect.stringContaining('cannot be reached') as string,
    });
    expect(await component('bus')).toMatchObject({ state: 'unknown' });
    gateway.supervision = {
      state: 'waiting',
      pid: undefined,
      startedAt: 0,
      restarts: 5,
      recentRestarts: 5,
      lastReason: 'was killed by SIGKILL',
    };
    expect(await component('sync-service')).toMatchObject({
      message: 'Is being started again: it was killed by SIGKILL',
      details: { restarts: 5 },
    });
    expect((await status()).alerts.map(({ code }) => code)).toEqual(['component_down', 'restarts']);
    gateway.supervision = undefined;
    gateway.syncService.health_ = {
      ...(health_ as SyncServiceHealth),
      status: 'unavailable',
      checks: { bus: 'BUS_UNREACHABLE', control_database: 'ok' },
    };
    expect(await component('sync-service')).toMatchObject({
      state: 'degraded',
      message: 'Runs, but lacks: bus (BUS_UNREACHABLE)',
    });
    expect((await gateway.ask('/health/ready')).body).toMatchObject({ status: 'ok' });
    gateway.syncService.health_ = health_;
  });

  test('shows stages that run on their own, and misses those that have fallen silent', async () => {
    const { components, database } = gateway.control;
    await components.beat({ name: 'writer', instance: 'host:7', version: '1', startedAt: new Date(0), status: {} });
    expect(await component('writer host:7')).toMatchObject({ state: 'up' });
    await database.run("UPDATE terrafusion.components SET heartbeat_at = heartbeat_at - interval '1 minute'");
    expect(await component('writer host:7')).toMatchObject({ state: 'down' });
    expect((await status()).state).toBe('degraded');
    await components.leave('writer', 'host:7');
  });

  test('tells of pairs that fail, lag or gather dead letters', async () => {
    const { runs, progress, pairs } = gateway.control;
    const pair = await makePair(gateway.control, 'ailing');
    await runs.setDesired(pair.id, 'running');
    await progress.record(pair.id, {
      position: '1:0/1',
      commitLsn: '0/1',
      nextOffset: 1n,
      lagBytes: 9,
      lagSeconds: 90,
      changesApplied: 0,
    });
    await runs.recordState(pair.id, 'failed', failed);
    const { state, alerts } = await status();
    expect(state).toBe('degraded');
    expect(alerts).toMatchObject([
      { code: 'pair_failed', pair: 'ailing', severity: 'critical' },
      { code: 'replication_lag', pair: 'ailing', message: '90 seconds behind its source' },
    ]);
    expect((await gateway.ask('/api/metrics')).body).toMatchObject({
      system: { memory_total_bytes: expect.any(Number) as number },
      business: { lag_seconds_max: 90, pairs_by_state: { failed: 1 } },
      api: { errors: 0 },
    });
    await pairs.delete(pair.id);
  });
});

describe('pages', () => {
  test('the dashboard and its bookmarks are one page, with a strict content policy', async () => {
    const page = await gateway.ask('/dashboard', { as: 'nobody' });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toContain("default-src 'none';script-src 'self'");
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
    expect(page.headers['x-content-type-options']).toBe('nosniff');
    for (const path of [
      '/sync/dashboard',
      '/sync/terra_fusion',
      '/sync/jobs',
      '/sync/job/7',
      '/sync/terra_fusion/conflicts/7',
      '/dashboard/',
    ]) {
      expect((await gateway.ask(path, { as: 'nobody' })).text, path).toBe(page.text);
    }
    for (const path of ['/dashboard/pairs', '/dashboard/pairs/pacs-to-cama/tables'])
      expect((await gateway.ask(path, { as: 'nobody' })).text, path).toBe(page.text);
    const cached = await gateway.ask('/dashboard', {
      as: 'nobody',
      headers: { 'if-none-match': String(page.headers['etag']) },
    });
    expect([cached.status, cached.text]).toEqual([304, '']);
  });

  test('the files of the dashboard are kept by browsers for ever, as small as they take them', async () => {
    const page = await gateway.ask('/dashboard', { as: 'nobody' });
    expect(page.headers['cache-control']).toBe('no-cache');
    const [, path] = /<script type="module" src="([^"]+)"/.exec(page.text)!;
    const get = (accept?: string, more: Record<string, string> = {}) =>
      gateway.ask(path!, {
        as: 'nobody',
        headers: { ...more, ...(accept === undefined ? {} : { 'accept-encoding': accept }) },
      });
    const plain = await get();
    expect(plain.headers['content-type']).toContain('text/javascript');
    expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    const sizes = new Map<unknown, number>();
    for (const accept of ['br, gzip', 'gzip', 'br;q=0, gzip;q=0.5', 'identity']) {
      const { headers } = await get(accept);
      expect(headers['vary']).toContain('accept-encoding');
      sizes.set(headers['content-encoding'], Number(headers['content-length']));
    }
    expect([...sizes.keys()]).toEqual(['br', 'gzip', undefined]);
    expect(sizes.get('br')).toBeLessThan(sizes.get('gzip')!);
    expect(sizes.get('gzip')).toBeLessThan(sizes.get(undefined)! / 2);
    const packed = await get('gzip');
    expect(packed.headers['etag']).not.toBe(plain.headers['etag']);
    expect((await get('gzip', { 'if-none-match': String(packed.headers['etag']) })).status).toBe(304);
    expect((await get('br', { 'if-none-match': String(packed.headers['etag']) })).status).toBe(200);
  });

  test('the API reference names every endpoint, with what it takes and answers, and needs nothing from elsewhere', async () => {
    const { body } = await gateway.ask<{
      openapi: string;
      paths: Record<string, Record<string, { responses: Record<string, object> }>>;
    }>('/openapi.json', { as: 'nobody' });
    expect(body.openapi).toBe('3.1.0');
    const described = Object.entries(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const wanted = Object.keys(routeAccess)
      .filter((route) => !/ \/(dashboard|sync\/|docs|openapi|runbooks)/.test(route))
      .map((route) => route.replace(/:(\w+)/g, '{$1}'));
    expect(described.sort()).toEqual(wanted.sort());
    for (const [path, methods] of Object.entries(body.paths)) {
      for (const [method, { responses }] of Object.entries(methods))
        expect(Object.keys(responses), `${method} ${path}`).not.toEqual([]);
    }
    const pair = body.paths['/api/sync-pairs']!['post'] as unknown as {
      requestBody: { content: { 'application/json': { schema: { example: object } } } };
    };
    expect(pair.requestBody.content['application/json'].schema.example).toMatchObject({ name: 'pacs-to-cama' });
    const docs = await gateway.ask('/docs/', { as: 'nobody' });
    expect(docs.status).toBe(200);
    expect(docs.text).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(docs.headers['content-security-policy']).toContain("script-src 'self';");
  });
});

describe('origins', () => {
  test('that are listed may call, others may not', async () => {
    const app = await gateway.another({ corsOrigins: ['https://ops.county.example'] });
    const preflight = (origin: string) =>
      askApp(app, gateway.keys, '/api/systems', {
        method: 'OPTIONS',
        as: 'nobody',
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    expect((await preflight('https://ops.county.example')).headers['access-control-allow-origin']).toBe(
      'https://ops.county.example',
    );
    expect((await preflight('https://evil.example')).headers['access-control-allow-origin']).toBeUndefined();
    expect(
      (await gateway.ask('/', { headers: { origin: 'https://evil.example' } })).headers['access-control-allow-origin'],
    ).toBeUndefined();
  });
});

describe('events', () => {
  /** Reads a stream over a real connection: what `inject` cannot. */
  async function follow(port: number, key = gateway.keys.viewer) {
    const request = httpGet({
      port,
      host: '127.0.0.1',
      path: '/api/events',
      headers: { 'x-api-key': key },
      agent: false,
    });
    const [reply] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    reply.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    reply.on('error', () => undefined);
    const closed = new Promise((resolve) => reply.once('close', resolve));
    return {
      reply,
      closed,
      events: () =>
        text
          .split('\n\n')
          // What follows the last blank line is not whole yet.
          .slice(0, -1)
          .filter((block) => block.startsWith('event:'))
          .map((block) => {
            const [, type, data] = /^event: (\w+)\ndata: (.*)$/s.exec(block)!;
            return { type: type!, data: JSON.parse(data!) as Record<string, unknown> };
          }),
      stop: () => request.destroy(),
    };
  }
  async function listening() {
    const app = await gateway.another();
    await app.listen({ host: '127.0.0.1', port: 0 });
    return { app, port: (app.server.address() as AddressInfo).port };
  }

  test('begin with the whole, then tell what changes, and end when we stop', async () => {
    const { app, port } = await listening();
    const pair = await makePair(gateway.control, 'followed');
    const stream = await follow(port);
    expect(stream.reply.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(stream.reply.headers['x-content-type-options']).toBe('nosniff');
    const first = await eventually(() => stream.events().length >= 3 && stream.events());
    expect(first.map(({ type }) => type)).toEqual(['pairs', 'components', 'alerts']);
    expect(first[0]!.data['items']).toContainEqual(expect.objectContaining({ name: 'followed' }));

    await gateway.control.runs.recordState(pair.id, 'failed', failed);
    await eventually(() =>
      stream
        .events()
        .some(({ type, data }) => type === 'pair' && data['name'] === 'followed' && data['state'] === 'failed'),
    );
    await eventually(() =>
      stream.events().some(({ type, data }) => type === 'alerts' && JSON.stringify(data).includes('pair_failed')),
    );
    // Who comes later gets the whole, too.
    const second = await follow(port);
    await eventually(() => second.events().some(({ type }) => type === 'pairs'));
    second.stop();
    await gateway.control.pairs.delete(pair.id);
    await eventually(() => stream.events().some(({ type, data }) => type === 'pair_deleted' && data['id'] === pair.id));
    await app.close();
    await stream.closed;
  });

  test('a reader that does not read is cut off, and the others read on (Promise 6)', async () => {
    const { app, port } = await listening();
    for (let index = 0; index < 60; index += 1) await makePair(gateway.control, `bulk-${index}`);
    const stream = await follow(port);
    await eventually(() => stream.events().length >= 3);
    const deaf = connect(port, '127.0.0.1');
    deaf.on('error', () => undefined);
    deaf.pause();
    deaf.write(`GET /api/events HTTP/1.1\r\nHost: x\r\nX-API-Key: ${gateway.keys.viewer}\r\n\r\n`);
    const open = async () =>
      Number(/terrafusion_event_streams\S* (\d+)/.exec((await askApp(app, gateway.keys, '/metrics')).text)?.[1]);
    await eventually(async () => (await open()) === 2);
    let word = 0;
    await eventually(
      async () => {
        word += 1;
        // Every pair is told again, with a long word in it.
        await gateway.control.database.run(
          `UPDATE terrafusion.sync_pairs SET error = jsonb_build_object('code', 'INTERNAL', 'message', repeat('x', 60000) || $1::text, 'fix', '', 'since', '2026-01-01T00:00:00Z')
            WHERE name LIKE 'bulk-%'`,
          [word],
        );
        return (await open()) === 1;
      },
      { within: 12_000, what: 'the slow reader to be cut off' },
    );
    const told = stream.events().length;
    await gateway.control.database.run("UPDATE terrafusion.sync_pairs SET error = NULL WHERE name LIKE 'bulk-%'");
    await eventually(() => stream.events().length > told);
    deaf.destroy();
    stream.stop();
  });

  test('who asks for an export and does not read it is cut off too (Promise 6)', async () => {
    const pair = await makePair(gateway.control, 'exported');
    await gateway.control.database.run(
      `INSERT INTO terrafusion.dead_letters (pair_id, position, stage, source_schema, source_table, target_schema, target_table, op, code, reason, row)
       SELECT $1, '1:0/1:' || n, 'process', 'a', 'b', 'a', 'b', 'insert', 'PAIR_ROW_INVALID', 'no', jsonb_build_object('x', repeat('y', 60000))
         FROM generate_series(1, 300) n`,
      [pair.id],
    );
    const app = await gateway.another({ silentMs: 500 });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const connections = () =>
      new Promise<number>((resolve, reject) => {
        app.server.getConnections((error, count) => {
          if (error) reject(error);
          else resolve(count);
        });
      });
    const deaf = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    deaf.on('error', () => undefined);
    deaf.pause();
    deaf.write(`GET /api/dead-letters?format=csv HTTP/1.1\r\nHost: x\r\nX-API-Key: ${gateway.keys.operator}\r\n\r\n`);
    await eventually(async () => (await connections()) === 1);
    await eventually(async () => (await connections()) === 0, { what: 'the connection to be closed' });
    deaf.destroy();
  });

  test('bytes that are no HTTP get our envelope', async () => {
    const { port } = await listening();
    const socket = connect(port, '127.0.0.1');
    socket.write('NONSENSE\r\n\r\n');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    await once(socket, 'close');
    expect(text).toContain('400 Bad Request');
    expect(text).toContain('"code":"REQUEST_INVALID"');
  });
});
