import { beforeEach, describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { JobReport, JobView } from '#schemas/http/jobs.ts';
import { pairConfig } from '#schemas/pairs.ts';
import { startFull } from '#services/control/pair-commands.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { reportCsv, reportHtml } from '#services/gateway/jobs/job-report.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Ask, type Failure } from './fixture.ts';

const gateway = withGateway();
const marker = 'hunter2-marker';
const urls = {
  source_connection: `postgresql://sync:${marker}@127.0.0.1:1/pacs`,
  target_connection: `postgresql://sync:${marker}@127.0.0.1:1/cama`,
};
const post = <T = Record<string, unknown>>(path: string, body?: unknown, ask: Ask = {}) =>
  gateway.ask<T & Failure>(path, { method: 'POST', ...(body === undefined ? {} : { body }), ...ask });

let pair: PairOverview;
let job: string;
const operation = () => gateway.control.operations.get(job);

beforeEach(async () => {
  pair = await makePair(gateway.control);
  const made = await gateway.control.transaction(async (transaction) =>
    startFull(transaction, await transaction.pairs.lock(pair.id), {
      by: 'the editor',
      pauseAfter: true,
      parameters: { detection_strategy: 'hash' },
    }),
  );
  job = made.id;
});

describe('starting', () => {
  test.each([
    ['a config that is none', { config: 7 }, 'config'],
    ['a size that is none', { config: { batch_size: 0 } }, 'config.batch_size'],
    ['an unknown strategy', { config: { detection_strategy: 'guess' } }, 'config.detection_strategy'],
    ['an unknown level', { config: { audit_level: 'loud' } }, 'config.audit_level'],
    ['a field that is unknown', { config: { speed: 9 } }, 'config.speed'],
    ['a connection that is a number', { source_connection: 7 }, 'source_connection'],
    ['a URL that is none', { source_connection: `mysql://root:${marker}@db/x` }, 'source_connection'],
    ['a URL without a user', { target_connection: 'postgresql://db/x' }, 'target_connection'],
    [
      'a field of a connection that is unknown',
      { target_connection: { url: 'postgresql://a@b/c', pw: marker } },
      'target_connection.pw',
    ],
  ])('%s is told by its field', async (_what, change, path) => {
    for (const type of ['full', 'incremental']) {
      const { status, body, text } = await post(`/api/sync/${type}`, { ...urls, ...change });
      expect([status, body.error.code], text).toEqual([400, 'REQUEST_INVALID']);
      expect(body.error.details.fields!.map((field) => field.path)).toEqual([path]);
      // Promise 8.
      expect(text).not.toContain(marker);
    }
  });

  test('what this version cannot do is refused by its name, not taken', async () => {
    for (const strategy of ['target_wins', 'newer_wins', 'field_level', 'manual']) {
      const { status, body } = await post('/api/sync/full', { ...urls, config: { conflict_strategy: strategy } });
      expect([status, body.error.code]).toEqual([422, 'PAIR_INVALID']);
      expect(body.error.details.fields).toMatchObject([{ path: 'config.conflict_strategy' }]);
    }
  });

  test('of databases that cannot be reached nothing is made, and no password is told', async () => {
    const before = (await gateway.control.pairs.all()).length;
    const { status, body, text } = await post('/api/sync/full', urls, { headers: { 'idempotency-key': 'away-1' } });
    expect(status).toBe(422);
    expect(body.error.details.fields!.map(({ path }) => path).sort()).toEqual([
      'source_connection',
      'target_connection',
    ]);
    expect(text).not.toContain(marker);
    expect((await gateway.control.pairs.all()).length).toBe(before);
  });

  test('incremental needs a pair of the two databases that was loaded', async () => {
    const none = await post('/api/sync/incremental', urls, { as: 'operator' });
    expect([none.status, none.body.error.code]).toEqual([409, 'PAIR_NOT_LOADED']);
    const end = (database: string) =>
      gateway.control.systems.create({
        name: `${database}-${job.slice(0, 8)}`,
        connector: 'postgres',
        connection: { url: `postgresql://sync@127.0.0.1:1/${database}`, password: marker },
        secretFields: ['password'],
      });
    const made = await gateway.control.pairs.create({
      name: `two-${job.slice(0, 8)}`,
      sourceId: (await end('pacs')).id,
      targetId: (await end('cama')).id,
      tables: undefined,
      config: pairConfig.parse({}),
      desired: 'paused',
    });
    const notYet = await post('/api/sync/incremental', urls, { as: 'operator' });
    expect(notYet.body.error).toMatchObject({ code: 'PAIR_NOT_LOADED' });
    expect(notYet.body.error.message).toContain(made.name);
    await gateway.control.runs.recordLoad(made.id, {
      state: 'done',
      number: 1,
      startOffset: 1n,
      startPosition: '1:0/1',
    });
    // Now it is the source that does not answer; and no operation is begun.
    const spelt = { ...urls, source_connection: 'postgres://sync@127.0.0.1:1/pacs?sslmode=disable' };
    const away = await post('/api/sync/incremental', spelt, { as: 'operator' });
    expect([away.status, away.body.error.code]).toEqual([502, 'SOURCE_UNREACHABLE']);
    expect(
      (await gateway.control.operations.list({ pairId: made.id, type: 'incremental' }, { limit: 1 })).items,
    ).toEqual([]);
    await gateway.control.pairs.delete(made.id);
    await gateway.control.pairs.purge(made.id);
  }, 20_000);
});

describe('a job', () => {
  test('is shown with its tables, what it has done and what holds it up', async () => {
    const status = async () => (await gateway.ask<JobView>(`/api/sync/status/${job}`, { as: 'viewer' })).body;
    expect(await status()).toMatchObject({
      job_id: job,
      status: 'pending',
      type: 'full',
      pair: { id: pair.id },
      detection_strategy: { asked: 'hash', used: 'cdc' },
      percent: null,
      started_by: 'the editor',
      tables: [],
      errors: [],
    });
    await gateway.control.runs.recordLoad(pair.id, {
      state: 'running',
      number: 1,
      startOffset: 1n,
      startPosition: '1:0/1',
    });
    const table = { schema: 'pacs', name: 'property' };
    await gateway.control.tables.record(pair.id, [
      { source: table, target: table, state: 'loading', rowsCopied: 30, rowsTotal: 120 },
    ]);
    await gateway.control.runs.recordState(pair.id, 'loading', new TerraFusionError('TARGET_UNREACHABLE', 'away'));
    expect(await status()).toMatchObject({
      status: 'running',
      percent: 25,
      counts: { rows_copied: 30, inserted: 0 },
      tables: [{ source: 'pacs.property', state: 'loading', rows_copied: 30, rows_total: 120 }],
      errors: [{ code: 'TARGET_UNREACHABLE' }],
    });
    const list = await gateway.ask<{ items: JobView[]; next_cursor: string }>('/api/sync/operations?limit=1', {
      as: 'viewer',
    });
    expect(list.body.items).toMatchObject([{ job_id: job, status: 'running' }]);
    expect(list.body.next_cursor).not.toBeNull();
    expect((await gateway.ask('/api/sync/operations?status=nonsense')).status).toBe(400);
  });

  test('is stopped and resumed, each once', async () => {
    const command = (verb: string) => post<JobView>(`/api/sync/${verb}/${job}`, undefined, { as: 'operator' });
    expect(await command('stop')).toMatchObject({ status: 202, body: { job_id: job, status: 'stopping' } });
    expect(await gateway.control.pairs.get(pair.id)).toMatchObject({ desired: 'paused' });
    expect((await command('stop')).body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
    await gateway.control.operations.stopped(pair.id);
    expect((await command('resume')).body).toMatchObject({ status: 'pending' });
    expect((await command('resume')).body.error.message).toContain('is pending: it cannot be resumed');
    expect(await gateway.control.pairs.get(pair.id)).toMatchObject({ desired: 'running' });
    const { items } = await gateway.control.audit.list({ entityId: job }, { limit: 9 });
    expect(items.map(({ action, after }) => [action, after])).toEqual([
      ['sync_operation.resume', { state: 'pending' }],
      ['sync_operation.stop', { state: 'stopping' }],
    ]);
  });

  test('has events and a report in three forms', async () => {
    await post(`/api/sync/stop/${job}`);
    const events = await gateway.ask<{ items: object[] }>(`/api/sync/audit/${job}`, { as: 'viewer' });
    expect(events.body.items).toMatchObject([
      { action: 'sync_operation.stop', outcome: 'success', details: { state: 'stopping' } },
    ]);
    const report = (format: string) =>
      gateway.ask<JobReport>(`/api/sync/audit/${job}/report?format=${format}`, { as: 'viewer' });
    expect((await report('json')).body).toMatchObject({
      job: { job_id: job, status: 'stopping' },
      events: [{ action: 'sync_operation.stop' }],
    });
    const csv = await report('csv');
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(csv.headers['content-disposition']).toBe(`attachment; filename="job-${job}.csv"`);
    expect(csv.text.split('\r\n')[1]).toMatch(/^20.*,sync_operation\.stop,success,"\{""state"":""stopping""\}"$/);
    const page = await report('html');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.text).toContain(`<h1>Report of job ${job}</h1>`);
    expect((await report('pdf')).status).toBe(400);
  });

  test('has no conflicts, and says so', async () => {
    expect((await gateway.ask(`/api/sync/conflicts/${job}`)).body).toEqual({ items: [], next_cursor: null });
    const all = await post(`/api/sync/conflicts/${job}/resolve-all`, { strategy: 'source_wins' });
    expect([all.status, all.body]).toEqual([200, { resolved: 0 }]);
    const one = await post(`/api/sync/conflicts/${job}/7/resolve`, { strategy: 'source_wins' });
    expect([one.status, one.body.error.code]).toEqual([404, 'NOT_FOUND']);
  });

  test('of which the table is no name, or not of the pair, is not validated', async () => {
    expect((await post(`/api/sync/validate/${job}/nodot`)).status).toBe(400);
    const { definition } = await gateway.control.pairs.get(pair.id);
    const table = { source: 'a.b', columns: 'same' as const, exclude: [], rules: [] };
    await gateway.control.pairs.change(pair.id, { definition: { ...definition, tables: [table] } });
    expect((await post(`/api/sync/validate/${job}/a.c`)).body.error).toMatchObject({
      code: 'NOT_FOUND',
      message: `There is no table a.c in the pair ${pair.name}`,
    });
  });
});

test('health tells each part', async () => {
  expect((await gateway.ask('/api/sync/health', { as: 'viewer' })).body).toEqual({
    status: 'ok',
    checks: { sync_service: 'ok', control_database: 'ok', bus: 'ok' },
  });
  const { health_ } = gateway.syncService;
  gateway.syncService.health_ = new TerraFusionError('SERVICE_UNAVAILABLE', 'it does not answer');
  try {
    expect(await gateway.ask('/api/sync/health', { as: 'viewer' })).toMatchObject({
      status: 503,
      body: { status: 'unavailable', checks: { sync_service: 'SERVICE_UNAVAILABLE', control_database: 'ok' } },
    });
  } finally {
    gateway.syncService.health_ = health_;
  }
});

test('a report holds no markup and no formula of others', async () => {
  const done = await operation();
  const report: JobReport = {
    made_at: '2026-01-31T08:20:00.000Z',
    job: {
      ...(await gateway.ask<JobView>(`/api/sync/status/${done.id}`)).body,
      started_by: '<script>alert(1)</script>',
    },
    events: [{ at: 'now', actor: '=HYPERLINK("x")', action: 'a,b', outcome: 'success', details: null }],
  };
  expect(reportHtml(report)).toContain('&lt;script&gt;');
  expect(reportHtml(report)).not.toContain('<script>');
  expect(reportCsv(report)).toBe('at,actor,action,outcome,details\r\nnow,"\'=HYPERLINK(""x"")","a,b",success,null\r\n');
});
