import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { errorKinds, type ErrorCode } from '#schemas/errors.ts';
import { errorReply } from '#schemas/http/common.ts';
import { roles } from '#schemas/http/common.ts';
import { startFull } from '#services/control/pair-commands.ts';
import { hostileText, valuesOf, type JsonSchema } from '#test/support/json-schema.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Ask } from './fixture.ts';

const gateway = withGateway();
/** Requests for each operation. FUZZ_RUNS=2000 for an afternoon; then each run is another one. */
const long = process.env['FUZZ_RUNS'];
const runs = long === undefined ? 12 : Number(long);

interface Media {
  readonly schema: JsonSchema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: JsonSchema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

let document: Document;
/** Ids of things that are there, by the kind that a path asks for. */
let there: Readonly<Record<string, readonly string[]>>;
beforeAll(async () => {
  document = (await gateway.ask<Document>('/openapi.json')).body;
  const pair = await makePair(gateway.control, 'fuzzed');
  const loaded = await makePair(gateway.control, 'fuzzed-too');
  await gateway.control.runs.recordLoad(loaded.id, {
    ...{ state: 'done', number: 1, startOffset: 1n, startPosition: '1:0/1' },
  });
  const operation = await gateway.control.transaction(async (transaction) =>
    startFull(transaction, await transaction.pairs.lock(pair.id), { by: 'a test', pauseAfter: true }),
  );
  const table = { schema: 'a', name: 'b' };
  await gateway.control.deadLetters.store(
    pair.id,
    [1, 2, 3].map((nth) => ({
      ...{ position: `1:0/${nth}:0`, stage: 'process', source_table: table, target_table: table, op: 'insert' },
      ...{ code: 'PAIR_ROW_INVALID', reason: '=no', row: { id: '1' }, rule: undefined, before: undefined },
    })),
  );
  const letters = (await gateway.control.deadLetters.list({}, { limit: 3 })).items.map(({ id }) => id);
  const { record } = await gateway.control.apiKeys.create({ name: 'fuzzed', role: 'viewer' });
  there = {
    systems: [pair.sourceId, 'fuzzed-source', loaded.targetId],
    'sync-pairs': [pair.id, 'fuzzed', 'fuzzed-too'],
    'sync-operations': [operation.id],
    sync: [operation.id],
    'dead-letters': letters,
    keys: [record.id],
  };
});

const described = (): { method: string; path: string; operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
const resolve = (ref: string): JsonSchema => document.components.schemas[ref.split('/').at(-1)!]!;
/** Streams do not end. */
const endless = new Set(['/api/events']);
const noEnvelope = (path: string) => path.startsWith('/health') || path === '/api/sync/health';

test('the reference tells of every operation what it is, shows what it takes and gives, and every code that it can answer', () => {
  const bare: string[] = [];
  for (const { method, path, operation } of described()) {
    const missing = (what: string, present: boolean) => {
      if (!present) bare.push(`${method} ${path}: ${what}`);
    };
    missing('a summary', (operation.summary ?? '') !== '');
    missing('a tag', (operation.tags ?? []).length > 0);
    const body = operation.requestBody?.content['application/json'];
    if (body) missing('an example of its body', body.example !== undefined);
    const statuses = Object.keys(operation.responses);
    missing('a good answer', path === '/api/events' || statuses.some((status) => status.startsWith('2')));
    expect(statuses.filter((status) => !/^\d{3}$/.test(status))).toEqual([]);
    for (const [status, { content }] of Object.entries(operation.responses)) {
      const media = content?.['application/json'];
      if (!media) continue;
      if (status.startsWith('2')) missing(`an example of ${status}`, media.example !== undefined);
      else if (!noEnvelope(path)) {
        const codes = Object.entries(media.examples ?? {});
        missing(`codes of ${status}`, codes.length > 0);
        for (const [code, { value }] of codes) {
          expect(errorReply.safeParse(value).success).toBe(true);
          expect(String(errorKinds[code as ErrorCode].status)).toBe(status);
        }
      }
    }
  }
  expect(bare).toEqual([]);
});

test('an example of a body is one that is taken', async () => {
  for (const { method, path, operation } of described()) {
    const example = operation.requestBody?.content['application/json']?.example;
    // Its table is one that no pair here has.
    if (example === undefined || path.endsWith('/resync')) continue;
    const reply = await gateway.ask<{ error?: { code: string } }>(pathTo(path, []), {
      method: method as NonNullable<Ask['method']>,
      body: JSON.parse(
        JSON.stringify(example)
          .replaceAll(/10\.0\.0\.\d+:\d+/g, '127.0.0.1:1')
          // A silence lies ahead: no written moment does for long.
          .replace(/"until":"[^"]+"/, `"until":"${new Date(Date.now() + 3_600_000).toISOString()}"`),
      ) as unknown,
    });
    expect([path, reply.body.error?.code], reply.text).not.toEqual([path, 'REQUEST_INVALID']);
    expect(reply.status, `${method} ${path} ${reply.text}`).not.toBe(500);
  }
});

/** A path with these in the places of its parameters; things that are there where nothing is given. */
function pathTo(path: string, given: readonly (string | undefined)[]): string {
  const kind = path.split('/')[2] ?? '';
  let nth = 0;
  return path.replace(/\{\w+\}/g, (name) => {
    const known = name === '{table}' ? 'a.b' : name === '{name}' ? 'terrafusion_x' : (there[kind]?.[0] ?? '1');
    return encodeURIComponent((given[nth++] ?? known).toWellFormed());
  });
}

const wholeNumbers = fc.oneof(fc.nat(1200), fc.integer()).map(String);

describe('whatever is sent', () => {
  test('every operation answers what its reference says, and never that something went wrong inside', async () => {
    const surprises: string[] = [];
    for (const { method, path, operation } of described()) {
      if (endless.has(path)) continue;
      const kind = path.split('/')[2] ?? '';
      const schema = operation.requestBody?.content['application/json']?.schema;
      const queries = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
      const request = fc.record({
        as: fc.oneof(
          { weight: 6, arbitrary: fc.constant('admin' as const) },
          { weight: 1, arbitrary: fc.constantFrom(...roles) },
        ),
        ids: fc.array(
          fc.oneof(
            { weight: 4, arbitrary: fc.constantFrom(...(there[kind] ?? ['1'])) },
            { weight: 1, arbitrary: hostileText },
          ),
          { minLength: 2, maxLength: 2 },
        ),
        query: fc.record(
          Object.fromEntries(
            queries.map(({ name, schema: of }) => [name, fc.oneof(valuesOf(of, resolve), wholeNumbers)]),
          ),
          { requiredKeys: [] },
        ),
        extra: fc.option(hostileText, { freq: 10 }),
        key: fc.option(fc.constantFrom('k-1', 'k-2', 'not one', ''), { freq: 5 }),
        body: schema ? valuesOf(schema, resolve) : fc.constant(undefined),
      });
      await fc.assert(
        fc.asyncProperty(request, async ({ as, ids, query, extra, key, body }) => {
          const search = new URLSearchParams();
          for (const [name, value] of Object.entries(query)) search.append(name, textOf(value));
          // A fence would wait for an end that is not there.
          if (search.has('timeout_s')) search.set('timeout_s', '1');
          if (extra !== null) search.append('surprise', extra.toWellFormed());
          const url =
            pathTo(path, path.includes('{table}') ? [ids[0], undefined] : ids) +
            (search.size > 0 ? `?${search.toString()}` : '');
          const text = body === undefined ? undefined : JSON.stringify(body);
          const reply = await gateway.ask(url, {
            ...{ method: method as NonNullable<Ask['method']>, as },
            headers: {
              ...(text === undefined ? {} : { 'content-type': 'application/json' }),
              ...(key === null ? {} : { 'idempotency-key': key }),
            },
            ...(text === undefined ? {} : { body: text }),
          });
          const told = `${method} ${url.slice(0, 300)} ${(text ?? '').slice(0, 600)} → ${reply.status} ${reply.text.slice(0, 300)}`;
          if (reply.status < 400) {
            expect(operation.responses, told).toHaveProperty(String(reply.status));
            return;
          }
          if (noEnvelope(path)) return;
          const parsed = errorReply.safeParse(reply.body);
          expect(parsed.success, told).toBe(true);
          const { code } = parsed.data!.error;
          expect(code, told).not.toBe('INTERNAL');
          // A path that is no path any more is nobody's.
          if (code === 'NOT_FOUND' && !path.includes('{')) return;
          const codes = operation.responses[String(reply.status)]?.content?.['application/json']?.examples ?? {};
          if (!(code in codes)) surprises.push(`${method} ${path}: ${reply.status} ${code}`);
        }),
        { numRuns: runs, ...(long === undefined ? { seed: 20_260_131, endOnFailure: true } : {}) },
      );
    }
    expect([...new Set(surprises)]).toEqual([]);
    // Nobody's SQL has run.
    expect((await gateway.control.pairs.list({}, { limit: 1000 })).items.length).toBeGreaterThan(0);
    expect(await gateway.control.audit.verify()).toMatchObject({ ok: true });
  }, 600_000);
});

const textOf = (value: unknown): string =>
  (typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)).toWellFormed();
