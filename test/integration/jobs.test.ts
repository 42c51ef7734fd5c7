import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobReport, JobView } from '#schemas/http/jobs.ts';
import type { OperationState } from '#schemas/http/operations.ts';
import type { RunningGateway } from '#services/gateway/main.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { startTestGateway, type TestGateway } from '#test/support/gateway.ts';
import { freshDatabase } from '#test/support/servers.ts';

let started: TestGateway;
let gateway: RunningGateway;
let controlDatabase: TestDatabase;

beforeAll(async () => {
  started = await startTestGateway();
  ({ gateway, controlDatabase } = started);
});

afterAll(async () => {
  await started[Symbol.asyncDispose]();
});

interface Answer<T> {
  readonly status: number;
  readonly body: T & { readonly error?: { readonly code: string; readonly message: string } };
  readonly text: string;
  readonly headers: Headers;
}
interface Accepted {
  readonly job_id: string;
  readonly status: OperationState;
  readonly pair_id: string;
}

async function ask<T = Record<string, unknown>>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  url = gateway.url,
): Promise<Answer<T>> {
  const reply = await fetch(new URL(path, url), {
    method,
    headers: {
      'x-api-key': gateway.adminKey.key!.reveal(),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  const json = (reply.headers.get('content-type') ?? '').startsWith('application/json');
  return {
    status: reply.status,
    body: (json ? JSON.parse(text) : {}) as Answer<T>['body'],
    text,
    headers: reply.headers,
  };
}

const statusOf = async (job: string) => (await ask<JobView>('GET', `/api/sync/status/${job}`)).body;
const until = (job: string, status: OperationState) =>
  eventually(
    async () => {
      const now = await statusOf(job);
      return now.status === status && now;
    },
    { within: 60_000, what: `the job to be ${status}` },
  );

test('two URLs, and nothing else: full, incremental, validate, stop, resume, report', async () => {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(
    `CREATE TABLE parcel (id int PRIMARY KEY, pin text);
     INSERT INTO parcel SELECT n, 'pin ' || n FROM generate_series(1, 100) n`,
  );
  const { password } = new URL(source.url);
  const both = { source_connection: source.url, target_connection: target.url };

  // Sent twice with one key: one job, one pair.
  const start = () => ask<Accepted>('POST', '/api/sync/full', both, { 'idempotency-key': 'night-1' });
  const first = await start();
  expect(first.status, first.text).toBe(202);
  expect(first.body).toMatchObject({ status: 'pending', detection_strategy: { asked: 'hash', used: 'cdc' } });
  const again = await start();
  expect([again.headers.get('idempotency-replayed'), again.body]).toEqual(['true', first.body]);
  const job = first.body.job_id;
  expect(await until(job, 'completed')).toMatchObject({
    type: 'full',
    percent: 100,
    counts: { rows_copied: 100, dead_letters: 0 },
    errors: [],
    tables: [{ source: 'public.parcel', target: 'public.parcel', rows_copied: 100 }],
  });
  expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(100);

  // The same two places in another spelling, without a password: the same pair, which rests in between.
  const spelt = (url: string) => url.replace(/:[^:@/]+@/, '@').replace('postgresql://', 'postgres://');
  await eventually(async () => (await ask('GET', `/api/sync-pairs/${first.body.pair_id}`)).body['state'] === 'paused', {
    within: 30_000,
  });
  await source.query("INSERT INTO parcel VALUES (101, 'new'), (102, 'new'); UPDATE parcel SET pin = 'x' WHERE id = 1");
  expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(100);
  const night = await ask<Accepted>('POST', '/api/sync/incremental', {
    source_connection: spelt(source.url),
    target_connection: { url: spelt(target.url) },
    config: { detection_strategy: 'timestamp' },
  });
  expect(night.body).toMatchObject({
    pair_id: first.body.pair_id,
    detection_strategy: { asked: 'timestamp', used: 'cdc' },
  });
  expect((await until(night.body.job_id, 'completed')).counts).toMatchObject({ inserted: 2, updated: 1, deleted: 0 });
  expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(102);

  // At the sync-service's own port, the same wish for the same pair.
  const own = await ask<Accepted>(
    'POST',
    '/api/sync/incremental',
    { pair_id: first.body.pair_id },
    { 'x-api-key': started.syncService.key },
    started.syncService.url,
  );
  expect(own.status, own.text).toBe(202);
  await until(own.body.job_id, 'completed');
  const list = await ask<{ items: { job_id: string }[] }>(
    'GET',
    '/api/sync/operations?limit=2',
    undefined,
    { 'x-api-key': started.syncService.key },
    started.syncService.url,
  );
  expect(list.body.items.map(({ job_id }) => job_id)).toEqual([own.body.job_id, night.body.job_id]);
  for (const [path, body, code] of [
    ['/api/sync/full', {}, 'REQUEST_INVALID'],
    ['/api/sync/full', { pair_id: 'none' }, 'NOT_FOUND'],
    ['/api/sync/incremental', { pair_id: 7 }, 'REQUEST_INVALID'],
  ] as const) {
    const refused = await ask('POST', path, body, { 'x-api-key': started.syncService.key }, started.syncService.url);
    expect(refused.body.error?.code).toBe(code);
  }

  // A column that is gone at the target.
  const validate = (table: string) => ask('POST', `/api/sync/validate/${job}/${table}`);
  expect((await validate('public.parcel')).body).toMatchObject({ job_id: job, valid: true, problems: [], lossy: [] });
  await target.query('ALTER TABLE parcel RENAME pin TO geo_id');
  expect((await validate('public.parcel')).body).toMatchObject({
    valid: false,
    problems: [{ code: 'TARGET_COLUMN_MISSING', message: 'The target table public.parcel has no column pin' }],
  });
  await target.query('ALTER TABLE parcel RENAME geo_id TO pin');
  expect((await validate('public.nothing')).body).toMatchObject({
    valid: false,
    problems: [{ code: 'SOURCE_TABLE_MISSING' }],
  });

  // A full job is stopped while somebody keeps it from copying, and resumed.
  const holder = await target.connect();
  await holder.query('BEGIN; LOCK TABLE parcel IN SHARE MODE');
  const full = (await ask<Accepted>('POST', '/api/sync/full', both)).body;
  expect(full.pair_id).toBe(first.body.pair_id);
  // Nothing of the pair has changed by it.
  expect((await ask('GET', `/api/sync-pairs/${full.pair_id}`)).body['version']).toBe(1);
  await until(full.job_id, 'running');
  expect((await ask('POST', `/api/sync/stop/${full.job_id}`)).status).toBe(202);
  await until(full.job_id, 'stopped');
  await holder.query('ROLLBACK');
  await holder.end();
  expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(102);
  expect((await ask('POST', `/api/sync/resume/${full.job_id}`)).status).toBe(202);
  expect((await until(full.job_id, 'completed')).counts.rows_copied).toBe(102);

  const report = (await ask<JobReport>('GET', `/api/sync/audit/${full.job_id}/report`)).body;
  expect(report.events.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['sync_operation.start_full', 'sync_operation.stop', 'sync_operation.resume']),
  );
  // Promise 8: nothing of all this tells the password.
  const told = [first.text, JSON.stringify(report), (await ask('GET', '/api/audit?limit=1000')).text];
  const kept = await controlDatabase.query(
    'SELECT request_hash, response::text FROM terrafusion.idempotency_keys UNION ALL SELECT NULL, parameters::text FROM terrafusion.sync_operations',
  );
  expect(password.length).toBeGreaterThan(3);
  for (const text of [...told, JSON.stringify(kept)]) expect(text).not.toContain(password);
});

describe('a first full job', () => {
  test('into tables with rows is refused, and nothing is left; replacing them is a choice', async () => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query("CREATE TABLE parcel (id int PRIMARY KEY, pin text); INSERT INTO parcel VALUES (1, 'a')");
    await target.query("CREATE TABLE parcel (id int PRIMARY KEY, pin text); INSERT INTO parcel VALUES (7, 'old')");
    const both = { source_connection: source.url, target_connection: target.url };
    const pairs = async () => (await gateway.control.pairs.all()).length;
    const before = await pairs();
    const refused = await ask('POST', '/api/sync/full', both);
    expect(refused).toMatchObject({ status: 409, body: { error: { code: 'TARGET_TABLE_NOT_EMPTY' } } });
    expect(await pairs()).toBe(before);
    // Two at once: one pair.
    const config = { existing_rows: 'replace' };
    const [one, other] = await Promise.all([
      ask<Accepted>('POST', '/api/sync/full', { ...both, config }),
      ask<Accepted>('POST', '/api/sync/full', { ...both, config }),
    ]);
    expect([one.status, other.status, one.body.pair_id]).toEqual([202, 202, other.body.pair_id]);
    expect(await pairs()).toBe(before + 1);
    const ended = await eventually(
      async () => {
        const states = [(await statusOf(one.body.job_id)).status, (await statusOf(other.body.job_id)).status];
        return states.every((state) => state === 'completed' || state === 'cancelled') && states;
      },
      { within: 60_000 },
    );
    expect(ended.toSorted()).toEqual(['cancelled', 'completed']);
    expect(await target.query('SELECT id FROM parcel')).toEqual([{ id: 1 }]);
  });
});
