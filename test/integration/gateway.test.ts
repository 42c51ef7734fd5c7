import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningGateway } from '#services/gateway/main.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { startTestGateway, type TestGateway } from '#test/support/gateway.ts';
import { freshDatabase } from '#test/support/servers.ts';

let started: TestGateway;
let gateway: RunningGateway;
const secret = `marker${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  started = await startTestGateway();
  ({ gateway } = started);
});

afterAll(async () => {
  await started[Symbol.asyncDispose]();
});

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown> & {
    readonly error?: {
      readonly code: string;
      readonly message: string;
      readonly details: { readonly fields?: Field[] };
    };
  };
  readonly text: string;
}
interface Field {
  readonly path: string;
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

async function ask(method: string, path: string, body?: unknown): Promise<Reply> {
  const reply = await fetch(new URL(path, gateway.url), {
    method,
    headers: {
      'x-api-key': gateway.adminKey.key!.reveal(),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { status: reply.status, body: (text === '' ? {} : JSON.parse(text)) as Reply['body'], text };
}
const inline = (database: TestDatabase) => ({ connector: 'postgres', connection: { url: database.url } });
const stateOf = async (pair: string) => (await ask('GET', `/api/sync-pairs/${pair}`)).body['state'];
const until = (pair: string, state: string) =>
  eventually(async () => (await stateOf(pair)) === state, { within: 60_000, what: `${pair} to be ${state}` });
const fence = (pair: string) => ask('POST', `/api/sync-pairs/${pair}/fence?timeout_s=60`);

async function ends(): Promise<{ source: TestDatabase; target: TestDatabase }> {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(
    `CREATE TABLE parcel (id int PRIMARY KEY, pin text, value numeric(14,2) NOT NULL);
     INSERT INTO parcel SELECT n, 'pin ' || n, n * 1.5 FROM generate_series(1, 100) n`,
  );
  return { source, target };
}

test('the first administrator key is in a file that only its owner can read', async () => {
  const { origin, key, file } = gateway.adminKey;
  expect(origin).toBe('made');
  expect((await readFile(file!, 'utf8')).trim()).toBe(key!.reveal());
  expect((await stat(file!)).mode & 0o777).toBe(0o600);
});

describe('the schema at the target', () => {
  test('is told object by object, and a cut-over moves its sequences, again without harm', async () => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(
      `CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, no serial, name text UNIQUE);
       CREATE FUNCTION own(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE INDEX item_own ON item (own(name));
       INSERT INTO item (name) SELECT 'item ' || n FROM generate_series(1, 30) n`,
    );
    const pair = { name: 'cut-over', source: inline(source), target: inline(target), start: true };
    expect((await ask('POST', '/api/sync-pairs', pair)).status).toBe(201);
    expect((await fence('cut-over')).status).toBe(200);
    const schema = await ask('GET', '/api/sync-pairs/cut-over/schema');
    expect(schema.body).toMatchObject({
      complete: true,
      made: expect.arrayContaining(['table public.item', 'unique constraint item_name_key of public.item']) as string[],
      skipped: [{ object: 'index item_own of public.item', reason: expect.stringContaining('own') as string }],
    });
    await until('cut-over', 'streaming');
    await eventually(async () => {
      const { body } = await ask('GET', '/api/sync-operations?pair=cut-over');
      expect(body['items']).toMatchObject([{ state: 'completed', progress: { schema_objects_skipped: 1 } }]);
      return true;
    });
    await source.query(
      `INSERT INTO item (name) SELECT 'more ' || n FROM generate_series(1, 12) n; SELECT nextval('item_no_seq')`,
    );
    const cut = () => ask('POST', '/api/sync-pairs/cut-over/cutover?timeout_s=60');
    const sequence = (name: string, before: string, after: string) => ({
      sequence: `public.${name}`,
      source: after,
      before,
      after,
      problem: null,
    });
    const first = await cut();
    expect(first.status, first.text).toBe(200);
    expect(first.body).toMatchObject({
      complete: true,
      sequences: [sequence('item_id_seq', '30', '42'), sequence('item_no_seq', '30', '43')],
    });
    expect((await cut()).body['sequences']).toEqual([
      sequence('item_id_seq', '42', '42'),
      sequence('item_no_seq', '43', '43'),
    ]);
    // The target takes the source's place: numbers go on where the source's ended.
    expect(await target.query(`INSERT INTO item (name) VALUES ('new') RETURNING id::int, no`)).toEqual([
      { id: 43, no: 44 },
    ]);
    const audit = await ask('GET', '/api/audit?action=sync_pair.cutover');
    expect(audit.body['items']).toHaveLength(2);
    expect((await ask('POST', '/api/sync-pairs/cut-over/pause')).status).toBe(200);
    expect(await cut()).toMatchObject({ status: 409, body: { error: { code: 'CONFLICTING_STATE' } } });
  });
});

describe('a pair', () => {
  test('is made, loads, streams, is fenced, paused, resumed, loaded anew and removed', async () => {
    const { source, target } = await ends();
    const made = await ask('POST', '/api/sync-pairs', {
      name: 'whole-life',
      source: inline(source),
      target: inline(target),
      start: true,
    });
    expect(made.status, made.text).toBe(201);
    expect(made.text).not.toContain(new URL(source.url).password);
    expect(made.body).toMatchObject({ name: 'whole-life', desired: 'running', state: 'created' });
    // Asked for before anything is there, the fence waits for the load too.
    const early = await fence('whole-life');
    expect(early.status, early.text).toBe(200);
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(100);
    await until('whole-life', 'streaming');
    expect((await ask('GET', '/api/sync-operations?pair=whole-life')).body['items']).toMatchObject([
      { type: 'full', state: 'completed' },
    ]);
    expect((await ask('GET', '/api/sync-pairs/whole-life/tables')).body['items']).toMatchObject([
      { source: 'public.parcel', target: 'public.parcel', rows_copied: 100 },
    ]);

    await source.query('UPDATE parcel SET value = 0 WHERE id <= 10');
    const fenced = await fence('whole-life');
    expect(fenced).toMatchObject({ status: 200, body: { waited_ms: expect.any(Number) as number } });
    expect(await target.value('SELECT count(*)::int FROM parcel WHERE value = 0')).toBe(10);
    await eventually(async () => (await ask('GET', '/api/sync-pairs/whole-life')).body['lag_seconds'] === 0);
    // About a second old: the changes of each table, and when the last one was made at the source.
    const begun = Date.now();
    const [table] = await eventually(async () => {
      const { body } = await ask('GET', '/api/sync-pairs/whole-life/tables');
      const items = body['items'] as { changes_applied: number; last_change_at: string }[];
      return items[0]!.changes_applied > 0 && items;
    });
    expect(table).toMatchObject({ changes_applied: 10 });
    expect(Math.abs(Date.parse(table!.last_change_at) - begun)).toBeLessThan(120_000);
    expect((await ask('GET', '/api/sync-pairs/whole-life')).body).toMatchObject({
      position: expect.stringMatching(/^1:/) as string,
      slot: { generation: 1, state: 'reserved' },
      error: null,
    });

    const incremental = await ask('POST', '/api/sync-operations', { pair_id: 'whole-life', type: 'incremental' });
    expect(incremental.status).toBe(202);
    await eventually(
      async () =>
        (await ask('GET', `/api/sync-operations/${String(incremental.body['id'])}`)).body['state'] === 'completed',
    );

    expect((await ask('POST', '/api/sync-pairs/whole-life/pause')).body).toMatchObject({ desired: 'paused' });
    await until('whole-life', 'paused');
    expect((await fence('whole-life')).body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
    await source.query('DELETE FROM parcel WHERE id = 100');
    await ask('POST', '/api/sync-pairs/whole-life/resume');
    await until('whole-life', 'streaming');
    expect((await fence('whole-life')).status).toBe(200);
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(99);

    await target.query('DELETE FROM parcel WHERE id < 50');
    const resync = await ask('POST', '/api/sync-pairs/whole-life/resync');
    expect(resync.status).toBe(202);
    await eventually(
      async () => (await ask('GET', `/api/sync-operations/${String(resync.body['id'])}`)).body['state'] === 'completed',
      { within: 60_000 },
    );
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(99);

    expect((await ask('DELETE', '/api/sync-pairs/whole-life')).status).toBe(202);
    await eventually(async () => (await gateway.control.pairs.all()).every(({ name }) => name !== 'whole-life'), {
      within: 60_000,
      what: 'the pair to be purged',
    });
    expect(await source.query('SELECT FROM pg_replication_slots WHERE database = current_database()')).toEqual([]);
    expect(await source.query('SELECT FROM pg_publication')).toEqual([]);
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(99);
    expect((await ask('GET', '/api/systems?limit=1000')).body['items']).toEqual([]);
    expect((await ask('GET', '/api/audit/verify')).body).toMatchObject({ ok: true });
  });

  test('gathers dead letters, which are mended and replayed', async () => {
    const { source, target } = await ends();
    const made = await ask('POST', '/api/sync-pairs', {
      name: 'lettered',
      source: inline(source),
      target: inline(target),
      tables: [
        {
          source: 'public.parcel',
          columns: { id: { from: 'id' }, pin: { from: 'pin', transforms: ['trim'] } },
          rules: [{ name: 'pin present', check: "row.pin != ''" }],
        },
      ],
      start: true,
    });
    expect(made.status, made.text).toBe(201);
    await until('lettered', 'streaming');
    await source.query("INSERT INTO parcel VALUES (500, '  ', 1)");
    expect((await fence('lettered')).status).toBe(200);
    const [letter] = (await ask('GET', '/api/dead-letters?pair=lettered')).body['items'] as {
      id: string;
      row: Record<string, string>;
    }[];
    expect(letter).toMatchObject({ rule: 'pin present', op: 'insert', row: { id: '500' } });
    const again = await ask('POST', `/api/dead-letters/${letter!.id}/replay`);
    expect(again.body.error).toMatchObject({ code: 'PAIR_ROW_INVALID' });
    const mended = await ask('POST', `/api/dead-letters/${letter!.id}/replay`, {
      row: { ...letter!.row, pin: 'pin 500' },
    });
    expect(mended, mended.text).toMatchObject({ status: 200, body: { state: 'replayed' } });
    expect(await target.value('SELECT pin FROM parcel WHERE id = 500')).toBe('pin 500');
    await ask('DELETE', '/api/sync-pairs/lettered');
  });

  test('goes on when its sync-service is killed, which is noted', async () => {
    const { source, target } = await ends();
    await ask('POST', '/api/sync-pairs', {
      name: 'survivor',
      source: inline(source),
      target: inline(target),
      start: true,
    });
    await until('survivor', 'streaming');
    const service = async () => {
      const { components } = (await ask('GET', '/api/status')).body as {
        components?: { name: string; state: string; details: { pid: number; restarts: number } }[];
      };
      return components!.find(({ name }) => name === 'sync-service')!;
    };
    const { pid, restarts } = (await service()).details;
    process.kill(pid, 'SIGKILL');
    await source.query("INSERT INTO parcel VALUES (600, 'after', 1)");
    await eventually(
      async () => (await service()).details.restarts === restarts + 1 && (await service()).state === 'up',
      { within: 60_000 },
    );
    expect((await service()).details.pid).not.toBe(pid);
    expect((await fence('survivor')).status).toBe(200);
    expect(await target.value('SELECT pin FROM parcel WHERE id = 600')).toBe('after');
    expect((await ask('GET', '/api/audit?action=sync_service.restart')).body['items']).toMatchObject([
      { actor: 'gateway', after: { reason: 'was killed by SIGKILL', count: restarts + 1 } },
    ]);
    await ask('DELETE', '/api/sync-pairs/survivor');
  });

  test('is changed only when the change is good', async () => {
    const { source, target } = await ends();
    await ask('POST', '/api/sync-pairs', {
      name: 'changed',
      source: inline(source),
      target: inline(target),
      tables: [{ source: 'public.parcel' }],
      start: true,
    });
    await until('changed', 'streaming');
    const bad = await ask('PATCH', '/api/sync-pairs/changed', {
      tables: [{ source: 'public.parcel', where: 'row.nothing == 1' }],
    });
    expect(bad.status).toBe(422);
    expect(bad.body.error!.details.fields).toMatchObject([{ path: 'tables[0].where' }]);
    expect((await ask('GET', '/api/sync-pairs/changed')).body).toMatchObject({ version: 1 });
    const good = await ask('PATCH', '/api/sync-pairs/changed', { config: { on_invalid: 'halt' } });
    expect(good).toMatchObject({
      status: 200,
      body: { version: 2, definition: { config: { on_invalid: 'halt', batch_size: 1000 } } },
    });
    const trail = await ask('GET', '/api/audit?action=sync_pair.change');
    expect(trail.body['items']).toMatchObject([{ before: { version: 1 }, after: { version: 2 } }]);
    await ask('DELETE', '/api/sync-pairs/changed');
  });
});

describe('a pair that cannot work is refused, field by field, and nothing is left behind', () => {
  type Body = Record<string, unknown>;
  interface Case {
    readonly name: string;
    readonly fields: readonly { readonly path: string; readonly code: string; readonly message: RegExp }[];
    readonly prepare?: (ends: { source: TestDatabase; target: TestDatabase }) => Promise<unknown>;
    readonly body: (ends: { source: TestDatabase; target: TestDatabase }) => Body;
  }
  const table = (more: object) => ({ tables: [{ source: 'public.parcel', ...more }] });
  const cases: readonly Case[] = [
    {
      name: 'unknown tables, each by its name',
      fields: [
        { path: 'tables[1].source', code: 'SOURCE_TABLE_MISSING', message: /public\.parcels/ },
        { path: 'tables[2].source', code: 'SOURCE_TABLE_MISSING', message: /public\.Parcel/ },
      ],
      body: () => ({
        tables: [{ source: 'public.parcel' }, { source: 'public.parcels' }, { source: 'public.Parcel' }],
      }),
    },
    {
      name: 'an unknown source column',
      fields: [{ path: 'tables[0].columns.pin.from', code: 'SOURCE_COLUMN_MISSING', message: /geo_id/ }],
      body: () => table({ columns: { id: { from: 'id' }, pin: { from: 'geo_id' } } }),
    },
    {
      name: 'a filter that does not compile',
      fields: [{ path: 'tables[0].where', code: 'PAIR_EXPRESSION_INVALID', message: /row\.id ==/ }],
      body: () => table({ where: 'row.id ==' }),
    },
    {
      name: 'a computed column that does not compile',
      fields: [{ path: 'tables[0].columns.year.compute', code: 'PAIR_EXPRESSION_INVALID', message: /./ }],
      body: () => table({ columns: { id: { from: 'id' }, year: { compute: 'int(' } } }),
    },
    {
      name: 'a table without a key, when all are taken',
      fields: [{ path: 'tables', code: 'SOURCE_TABLE_WITHOUT_KEY', message: /public\.note/ }],
      prepare: ({ source }) => source.query('CREATE TABLE note (body text)'),
      body: () => ({}),
    },
    {
      name: 'a table without a key, by name',
      fields: [{ path: 'tables[1].source', code: 'SOURCE_TABLE_WITHOUT_KEY', message: /public\.note/ }],
      prepare: ({ source }) => source.query('CREATE TABLE note (body text)'),
      body: () => ({ tables: [{ source: 'public.parcel' }, { source: 'public.note' }] }),
    },
    {
      name: 'a target column that is missing',
      fields: [{ path: 'tables[0].columns', code: 'TARGET_COLUMN_MISSING', message: /value/ }],
      prepare: ({ target }) => target.query('CREATE TABLE parcel (id int PRIMARY KEY, pin text)'),
      body: () => table({}),
    },
    {
      name: 'a target column that must have a value and gets none',
      fields: [{ path: 'tables[0].columns', code: 'PAIR_INVALID', message: /parcel\.county/ }],
      prepare: ({ target }) =>
        target.query('CREATE TABLE parcel (id int PRIMARY KEY, pin text, value numeric, county text NOT NULL)'),
      body: () => table({}),
    },
    {
      name: 'a target table that holds rows',
      fields: [{ path: 'tables[0].target', code: 'TARGET_TABLE_NOT_EMPTY', message: /public\.parcel/ }],
      prepare: ({ target }) =>
        target.query(
          'CREATE TABLE parcel (id int PRIMARY KEY, pin text, value numeric); INSERT INTO parcel VALUES (1)',
        ),
      body: () => table({}),
    },
    {
      name: 'a target table that is missing and must not be made',
      fields: [{ path: 'tables[0].target', code: 'TARGET_TABLE_MISSING', message: /cama\.parcel/ }],
      body: () => ({ ...table({ target: 'cama.parcel' }), config: { create_tables: false } }),
    },
    {
      name: 'a table that would be copied onto itself',
      fields: [{ path: 'tables[0].target', code: 'PAIR_INVALID', message: /onto itself/ }],
      body: ({ source }) => ({ ...table({}), target: inline(source), config: { existing_rows: 'replace' } }),
    },
    {
      name: 'two source tables for one target table',
      fields: [{ path: 'tables[1].target', code: 'PAIR_INVALID', message: /public\.parcel/ }],
      prepare: ({ source }) => source.query('CREATE TABLE other (id int PRIMARY KEY)'),
      body: () => ({ tables: [{ source: 'public.parcel' }, { source: 'public.other', target: 'public.parcel' }] }),
    },
    {
      name: 'wrong passwords at both ends',
      fields: [
        { path: 'source', code: 'SOURCE_LOGIN_FAILED', message: /./ },
        { path: 'target', code: 'TARGET_LOGIN_FAILED', message: /./ },
      ],
      body: ({ source, target }) => ({
        source: { connection: { url: withPassword(source.url) } },
        target: { connection: { url: withPassword(target.url) } },
      }),
    },
    {
      name: 'a source database that is not there',
      fields: [{ path: 'source', code: 'SOURCE_DATABASE_MISSING', message: /nowhere/ }],
      body: ({ source }) => ({ source: { connection: { url: source.url.replace(/\/[^/]*$/, '/nowhere') } } }),
    },
    {
      name: 'a source role without the right to replicate',
      fields: [{ path: 'source', code: 'SOURCE_NO_PRIVILEGE', message: /replicate/ }],
      prepare: ({ source }) =>
        source.query(
          `CREATE ROLE ${source.name}_r LOGIN PASSWORD '${secret}'; ALTER TABLE parcel OWNER TO ${source.name}_r; GRANT CREATE ON DATABASE ${source.name} TO ${source.name}_r`,
        ),
      body: ({ source }) => ({
        ...table({}),
        source: { connection: { url: withPassword(source.url, `${source.name}_r`) } },
      }),
    },
  ];

  test.each(cases)('$name', async ({ fields, prepare, body }) => {
    const both = await ends();
    await prepare?.(both);
    const before = await left(both);
    const input = {
      name: 'refused',
      source: inline(both.source),
      target: inline(both.target),
      start: true,
      ...body(both),
    };
    const check = await ask('POST', '/api/sync-pairs/check', input);
    const { status, body: reply, text } = await ask('POST', '/api/sync-pairs', input);
    expect(status, text).toBeGreaterThanOrEqual(400);
    expect(reply.error!.code).not.toBe('INTERNAL');
    for (const { path, code, message } of fields) {
      const found = reply.error!.details.fields!.find((field) => field.path === path && field.code === code);
      expect(found, `${path} ${code} in ${text}`).toBeDefined();
      expect(found!.message).toMatch(message);
      expect(found!.fix).not.toBe('');
    }
    expect(check, check.text).toMatchObject({
      status: 200,
      body: { ok: false, problems: reply.error!.details.fields },
    });
    expect(text + check.text).not.toContain(secret);
    expect(await left(both)).toEqual(before);
    expect(await gateway.control.pairs.find('refused')).toBeUndefined();
    expect(
      await gateway.control.database.query("SELECT name FROM terrafusion.systems WHERE name LIKE 'refused%'"),
    ).toEqual([]);
  });

  test('one that is good is told to be, with what would not arrive as it was', async () => {
    const { source, target } = await ends();
    await target.query('CREATE TABLE parcel (id int PRIMARY KEY, pin varchar(30), value integer)');
    const { body } = await ask('POST', '/api/sync-pairs/check', {
      name: 'good',
      source: inline(source),
      target: inline(target),
      tables: [{ source: 'public.parcel' }],
    });
    expect(body).toMatchObject({
      ok: true,
      problems: [],
      tables: [{ source: 'public.parcel', target: 'public.parcel', action: 'use' }],
      lossy: [
        { path: 'tables[0].columns', message: expect.stringContaining('text becomes character varying(30)') as string },
        { path: 'tables[0].columns', message: expect.stringContaining('numeric(14,2) becomes integer') as string },
      ],
    });
    expect((body['tables'] as { columns: unknown }[])[0]!.columns).toMatchObject([
      { source: 'id', target: 'id', proof: { result: 'lossless' } },
      {
        target: 'pin',
        source_type: 'text',
        proof: { result: 'lossy', how: expect.stringContaining('refused') as string },
      },
      // Not even 1.00 is text that an integer reads.
      { target: 'value', target_type: 'integer', proof: { result: 'unsupported' } },
    ]);
    const quick = await ask('POST', '/api/sync-pairs/check?proof=false', {
      name: 'good',
      source: inline(source),
      target: inline(target),
      tables: [{ source: 'public.parcel' }],
    });
    expect(quick.body).toMatchObject({ ok: true });
    expect(quick.text).not.toContain('"proof"');
    expect(await gateway.control.pairs.find('good')).toBeUndefined();
  });

  test('a source that accepts and says nothing is told within the time-out', async () => {
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { target } = await ends();
    const url = `postgresql://sync@127.0.0.1:${(mute.address() as AddressInfo).port}/x`;
    const begun = performance.now();
    const { status, body } = await ask('POST', '/api/sync-pairs', {
      name: 'mute',
      source: { connection: { url } },
      target: inline(target),
    });
    expect(performance.now() - begun).toBeLessThan(8000);
    expect([status, body.error!.code]).toEqual([502, 'SOURCE_UNREACHABLE']);
    for (const socket of sockets) socket.destroy();
    mute.close();
  });

  /** What anybody would find at both ends afterwards. */
  async function left({ source, target }: { source: TestDatabase; target: TestDatabase }): Promise<unknown> {
    return [
      await source.query('SELECT pubname FROM pg_publication'),
      await source.query('SELECT slot_name FROM pg_replication_slots WHERE database = current_database()'),
      await target.query(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
      ),
    ];
  }
});

function withPassword(url: string, user?: string): string {
  const copy = new URL(url);
  copy.password = secret;
  if (user !== undefined) copy.username = user;
  return copy.href;
}

describe('CHECKLIST 11: what is left at a source', () => {
  interface Listed {
    readonly name: string;
    readonly kind: string;
    readonly active: boolean;
  }
  const slotsOf = async (system: string) =>
    (await ask('GET', `/api/systems/${system}/slots`)).body['items'] as Listed[];
  const connect = (system: string, url: string) => ask('PATCH', `/api/systems/${system}`, { connection: { url } });
  const isPurged = async (id: string) => (await gateway.control.pairs.all()).every((pair) => pair.id !== id);
  /** A running pair of a registered source, and the source's URL with a password that is wrong. */
  async function runningPair(name: string) {
    const { source, target } = await ends();
    await ask('POST', '/api/systems', { name: `${name}-source`, connection: { url: source.url } });
    const made = await ask('POST', '/api/sync-pairs', {
      name,
      source: `${name}-source`,
      target: inline(target),
      start: true,
    });
    await until(name, 'streaming');
    const wrong = new URL(source.url);
    wrong.password = 'changed-meanwhile';
    return { source, id: String(made.body['id']), system: `${name}-source`, wrong: wrong.href };
  }
  const waits = () =>
    eventually(
      async () => {
        const alerts = (await ask('GET', '/api/status')).body['alerts'] as {
          code: string;
          message: string;
        }[];
        return alerts.find(({ code }) => code === 'removal_waiting')?.message;
      },
      { within: 60_000, what: 'the removal to be told to wait' },
    );

  test('a slot that is needed is listed and not dropped; an end that does not let us in is tried until it does', async () => {
    const { source, id, system, wrong } = await runningPair('comes-back');
    const [slot, ...others] = await slotsOf(system);
    expect(others).toEqual([]);
    expect(slot).toMatchObject({
      name: expect.stringMatching(/^terrafusion_[0-9a-f]{8}_[0-9a-f]{16}_1$/) as string,
      kind: 'needed',
    });
    expect((await ask('DELETE', `/api/systems/${system}/slots/${slot!.name}`)).body.error?.code).toBe(
      'CONFLICTING_STATE',
    );

    await connect(system, wrong);
    await ask('DELETE', `/api/sync-pairs/${id}`);
    expect(await waits()).toContain('SOURCE_LOGIN_FAILED');
    await connect(system, source.url);
    await eventually(() => isPurged(id), { within: 90_000, what: 'the removal to be made good' });
    expect(await slotsOf(system)).toEqual([]);
  });

  test('removed by force, what could not be reached is an orphan, and is dropped by its name', async () => {
    const { source, id, system, wrong } = await runningPair('by-force');
    await connect(system, wrong);
    await ask('DELETE', `/api/sync-pairs/${id}`);
    await waits();
    expect((await ask('DELETE', `/api/sync-pairs/${id}?force=true`)).status).toBe(202);
    await eventually(() => isPurged(id), { within: 60_000, what: 'the forced removal' });
    await connect(system, source.url);
    const [orphan, ...others] = await slotsOf(system);
    expect(others).toEqual([]);
    expect(orphan).toMatchObject({ kind: 'orphan', active: false, publication: expect.any(String) as string });
    expect((await ask('DELETE', `/api/systems/${system}/slots/${orphan!.name}`)).status).toBe(204);
    expect(await slotsOf(system)).toEqual([]);
    expect(await source.query('SELECT FROM pg_publication')).toEqual([]);
    const { items } = await gateway.control.audit.list(
      { action: 'system.drop_slot' },
      { limit: 10, cursor: undefined },
    );
    expect(items).toMatchObject([{ before: { name: orphan!.name } }]);
    expect((await ask('DELETE', `/api/systems/${system}/slots/${orphan!.name}`)).status).toBe(404);
    expect((await ask('DELETE', `/api/sync-pairs/${id}?force=true`)).status).toBe(404);
  });

  test("another installation's is not taken for an orphan, and what is none of ours is not touched", async () => {
    const { source } = await ends();
    await ask('POST', '/api/systems', { name: 'shared-source', connection: { url: source.url } });
    const theirs = 'terrafusion_deadbeef_0123456789abcdef_7';
    await source.query(`SELECT pg_create_logical_replication_slot('${theirs}', 'pgoutput')`);
    await source.query(
      `SELECT pg_create_logical_replication_slot('terrafusion_by_hand_' || oid, 'pgoutput') FROM pg_database WHERE datname = current_database()`,
    );
    expect(await slotsOf('shared-source')).toMatchObject([{ name: theirs, kind: 'other_installation', active: false }]);
    const drop = (query = '') => ask('DELETE', `/api/systems/shared-source/slots/${theirs}${query}`);
    expect((await drop()).body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
    expect((await drop('?other_installation=true')).status).toBe(204);
    expect(await slotsOf('shared-source')).toEqual([]);
    expect(await source.query('SELECT FROM pg_replication_slots WHERE database = current_database()')).toHaveLength(1);
  });
});

describe('the tables of a pair that streams', () => {
  const field = (name: string) => ({ source: `public.${name}` });
  const states = async (pair: string): Promise<Record<string, string>> => {
    const { body } = await ask('GET', `/api/sync-pairs/${pair}/tables`);
    return Object.fromEntries(
      (body['items'] as { source: string; state: string }[]).map(({ source, state }) => [source, state]),
    );
  };
  const operations = async (pair: string): Promise<{ id: string; type: string; state: string; progress: object }[]> =>
    (await ask('GET', `/api/sync-operations?pair=${pair}`)).body['items'] as never;
  const settled = (pair: string) =>
    eventually(async () => (await operations(pair)).every(({ state }) => state !== 'pending' && state !== 'running'), {
      within: 60_000,
      what: 'every operation to end',
    });

  test('are added, changed, taken out and loaded anew, and the pair streams on', async () => {
    const { source, target } = await ends();
    await source.query(
      `CREATE TABLE owner (id int PRIMARY KEY, name text); INSERT INTO owner VALUES (1, 'one'), (2, 'two');
       CREATE TABLE permit (id int PRIMARY KEY, state text); INSERT INTO permit VALUES (1, 'open'), (2, 'closed')`,
    );
    const made = await ask('POST', '/api/sync-pairs', {
      name: 'growing',
      source: inline(source),
      target: inline(target),
      tables: [field('parcel')],
      start: true,
    });
    expect(made.status, made.text).toBe(201);
    await until('growing', 'streaming');

    const added = await ask('PATCH', '/api/sync-pairs/growing', {
      tables: [field('parcel'), field('owner'), { ...field('permit'), where: "row.state == 'open'" }],
    });
    expect(added.status, added.text).toBe(200);
    await source.query("INSERT INTO owner VALUES (3, 'three')");
    await settled('growing');
    expect((await operations('growing'))[0]).toMatchObject({
      type: 'resync',
      state: 'completed',
      progress: { tables_total: 2, tables_done: 2 },
    });
    expect((await fence('growing')).status).toBe(200);
    expect(await target.value("SELECT string_agg(name, ',' ORDER BY id) FROM owner")).toBe('one,two,three');
    expect(await target.value('SELECT count(*)::int FROM permit')).toBe(1);
    expect(await states('growing')).toEqual({
      'public.parcel': 'streaming',
      'public.owner': 'streaming',
      'public.permit': 'streaming',
    });

    // Brought in another way: every row of it is looked at again.
    const changed = await ask('PATCH', '/api/sync-pairs/growing', { tables: [field('parcel'), field('permit')] });
    expect(changed.status, changed.text).toBe(200);
    await source.query("INSERT INTO permit VALUES (3, 'closed')");
    await settled('growing');
    await source.query("UPDATE owner SET name = 'not followed' WHERE id = 1");
    expect((await fence('growing')).status).toBe(200);
    expect(await target.value('SELECT count(*)::int FROM permit')).toBe(3);
    expect(await target.value("SELECT string_agg(name, ',' ORDER BY id) FROM owner")).toBe('one,two,three');
    expect((await states('growing'))['public.owner']).toBe('removed');
    await eventually(async () => (await source.query('SELECT FROM pg_publication_tables')).length === 2, {
      what: 'the publication to shrink',
    });

    // Its rows are still there: it comes back only when they may be replaced.
    const again = { tables: [field('parcel'), field('permit'), field('owner')] };
    const refused = await ask('PATCH', '/api/sync-pairs/growing', again);
    expect(refused.body.error).toMatchObject({ code: 'TARGET_TABLE_NOT_EMPTY' });
    const back = await ask('PATCH', '/api/sync-pairs/growing', { ...again, config: { existing_rows: 'replace' } });
    expect(back.status, back.text).toBe(200);
    await settled('growing');
    expect((await fence('growing')).status).toBe(200);
    expect(await target.value('SELECT name FROM owner WHERE id = 1')).toBe('not followed');

    await target.query('DELETE FROM owner');
    const resync = await ask('POST', '/api/sync-pairs/growing/resync', { tables: ['public.owner'] });
    expect([resync.status, resync.body['type']]).toEqual([202, 'resync']);
    await settled('growing');
    expect((await fence('growing')).status).toBe(200);
    expect(await target.value('SELECT count(*)::int FROM owner')).toBe(3);
    expect((await ask('GET', '/api/sync-pairs/growing')).body).toMatchObject({ state: 'streaming', error: null });
    const ended = await ask('POST', `/api/sync-operations/${String(resync.body['id'])}/cancel`);
    expect(ended.body.error).toMatchObject({ code: 'CONFLICTING_STATE' });
  });
});
