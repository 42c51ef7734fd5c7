import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError, get, patch, post, setCredentials } from '#services/gateway/dashboard/app/client.ts';

interface Asked {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

const asked: Asked[] = [];
let answers: (() => Promise<Response>)[] = [];
const refuse =
  (status: number, code: string, headers: Record<string, string> = {}) =>
  () =>
    Promise.resolve(
      Response.json(
        { error: { code, message: 'No', fix: 'Do this', details: { fields: [] }, request_id: 'r-1' } },
        { status, headers },
      ),
    );
const accept = (body: unknown) => () => Promise.resolve(Response.json(body));

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  vi.stubGlobal('fetch', (path: string, init: { method: string; headers: Record<string, string> }) => {
    asked.push({ path, method: init.method, headers: init.headers });
    return answers.shift()!();
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** What comes of it once all waits are over. */
async function outcome<T>(promise: Promise<T>): Promise<T | ApiError> {
  const settled = promise.catch((error: unknown) => error as ApiError);
  await vi.runAllTimersAsync();
  return await settled;
}

describe('requests of the dashboard', () => {
  test('that the gateway puts off are made again, with the same idempotency key', async () => {
    answers = [refuse(503, 'SERVICE_UNAVAILABLE'), refuse(429, 'RATE_LIMITED'), accept({ ok: true })];
    expect(await outcome(post('/api/sync-operations', {}))).toEqual({ ok: true });
    expect(asked).toHaveLength(3);
    const keys = new Set(asked.map(({ headers }) => headers['idempotency-key']));
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test('wait as long as they are told, and not at all when that is too long to sit out', async () => {
    answers = [refuse(429, 'RATE_LIMITED', { 'retry-after': '7' }), accept(1)];
    const promise = get('/api/status');
    await vi.advanceTimersByTimeAsync(6900);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(await promise).toBe(1);
    answers = [refuse(429, 'RATE_LIMITED', { 'retry-after': '60' })];
    expect(await outcome(get('/api/status'))).toMatchObject({ status: 429 });
  });

  test('are given up after a few tries', async () => {
    answers = Array.from({ length: 9 }, () => refuse(503, 'SERVICE_UNAVAILABLE'));
    expect(await outcome(get('/api/status'))).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(asked).toHaveLength(4);
  });

  test('that may have been carried out and have no key of their own are not repeated', async () => {
    answers = [refuse(503, 'SERVICE_UNAVAILABLE')];
    expect(await outcome(patch('/api/sync-pairs/a', {}))).toMatchObject({ status: 503 });
    expect(asked).toHaveLength(1);
  });

  test('fail with code, message, fix and request id', async () => {
    answers = [refuse(409, 'CONFLICTING_STATE')];
    const error = await outcome(post('/api/x', {}));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code: 'CONFLICTING_STATE',
      message: 'No',
      fix: 'Do this',
      requestId: 'r-1',
      status: 409,
    });
    answers = [() => Promise.resolve(new Response('<html>', { status: 502 }))];
    expect(await outcome(get('/api/x'))).toMatchObject({ code: 'INTERNAL', status: 502 });
    answers = [() => Promise.reject(new TypeError('Failed to fetch'))];
    expect(await outcome(get('/api/x'))).toMatchObject({ code: 'GATEWAY_UNREACHABLE', status: 0 });
  });

  test('show who asks; say so when the gateway does not know him, and get a new token once when theirs is old', async () => {
    let token = 'old';
    const rejected = vi.fn();
    setCredentials({
      headers: (method) => (method === 'GET' ? {} : { 'x-csrf-token': token }),
      rejected,
      renew: () => {
        token = 'new';
        return Promise.resolve();
      },
    });
    answers = [refuse(403, 'CSRF_REFUSED'), accept({})];
    expect(await outcome(post('/api/x', {}))).toEqual({});
    expect(asked.map(({ headers }) => headers['x-csrf-token'])).toEqual(['old', 'new']);
    answers = [refuse(403, 'CSRF_REFUSED'), refuse(403, 'CSRF_REFUSED')];
    expect(await outcome(post('/api/x', {}))).toMatchObject({ code: 'CSRF_REFUSED' });
    expect(rejected).not.toHaveBeenCalled();
    answers = [refuse(401, 'UNAUTHENTICATED')];
    expect(await outcome(get('/api/x'))).toMatchObject({ status: 401 });
    expect(rejected).toHaveBeenCalledTimes(1);
  });
});
