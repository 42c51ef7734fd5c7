import { createServer, type Server } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { check, readPairFile } from '#services/cli/commands/check.ts';
import { configCheck } from '#services/cli/commands/config.ts';
import { gatewayUrl, openClient } from '#services/cli/commands/gateway-options.ts';
import { operations } from '#services/cli/commands/operations.ts';
import { pairs } from '#services/cli/commands/pairs.ts';
import { status } from '#services/cli/commands/status.ts';
import { GatewayClient } from '#services/cli/gateway-client.ts';
import { Secret } from '#schemas/secret.ts';
import { operationView } from '#schemas/http/operations.ts';
import { pairCheckReport, pairsPage } from '#schemas/http/pairs.ts';
import { statusView } from '#schemas/http/status.ts';
import { loadSettings } from '#services/kernel/settings.ts';
import { RecordingTerminal } from './recording-terminal.ts';

/** The examples of the API's own documentation: what a gateway answers. */
const example = (schema: z.ZodType): Record<string, unknown> =>
  (z.globalRegistry.get(schema) as { example: Record<string, unknown> }).example;

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

let server: Server;
let url: string;
let folder: string;
let asked: Asked[];
/** Answers by method and path, without the query. */
let answers: Record<string, { status?: number; body: unknown } | ((request: Asked) => { body: unknown })>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-cli-'));
  server = createServer((request, reply) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const key = request.headers['x-api-key'];
      const seen = {
        method: request.method!,
        url: request.url!,
        key: typeof key === 'string' ? key : undefined,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      asked.push(seen);
      const found = answers[`${seen.method} ${seen.url.split('?')[0]!}`];
      const answer: { status?: number; body: unknown } =
        typeof found === 'function' ? found(seen) : (found ?? { status: 404, body: 'not ours' });
      reply.writeHead(answer.status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  asked = [];
  answers = {};
});

const client = () => new GatewayClient({ url, key: new Secret('tfk_a_b') });

describe('status', () => {
  test('prints components, pairs and alerts', async () => {
    answers['GET /api/status'] = {
      body: {
        ...example(statusView),
        pairs: (example(pairsPage) as { items: unknown[] }).items,
        alerts: [
          {
            id: '7',
            code: 'pair_failed',
            severity: 'critical',
            state: 'firing',
            message: 'It failed',
            pair: 'pacs-to-cama',
            subject: null,
            value: null,
            threshold: null,
            since: '2026-01-31T08:15:30.123Z',
            acknowledged_by: null,
            silenced_until: null,
            runbook: '/runbooks/pair-failed',
          },
        ],
      },
    };
    const terminal = new RecordingTerminal();
    expect(await status(client(), terminal, false)).toBe(0);
    expect(terminal.stdout).toMatch(/is up\.\n\nCOMPONENT +STATE\ngateway +up +Running\n/);
    expect(terminal.stdout).toMatch(/pacs-to-cama +streaming +county-pacs +county-cama +20,418/);
    expect(terminal.stdout).toContain('critical: pacs-to-cama: It failed\n');
    expect(asked[0]!.key).toBe('tfk_a_b');
  });

  test('ends with 1 when the product is down, and gives JSON when asked', async () => {
    answers['GET /api/status'] = { body: { ...example(statusView), state: 'down' } };
    const terminal = new RecordingTerminal();
    expect(await status(client(), terminal, true)).toBe(1);
    expect(JSON.parse(terminal.stdout)).toMatchObject({ name: 'terrafusion-sync', state: 'down' });
  });
});

describe('pairs and operations', () => {
  test('pairs come from all pages', async () => {
    const [item] = (example(pairsPage) as { items: Record<string, unknown>[] }).items;
    answers['GET /api/sync-pairs'] = ({ url: path }) => ({
      body: path.includes('cursor=two')
        ? { items: [{ ...item, name: 'second' }], next_cursor: null }
        : { items: [{ ...item, error: { code: 'X', message: 'why', fix: 'do', since: '' } }], next_cursor: 'two' },
    });
    const terminal = new RecordingTerminal();
    expect(await pairs(client(), terminal, false)).toBe(0);
    expect(terminal.stdout).toContain('second');
    expect(terminal.stdout).toContain('pacs-to-cama: X: why\n  do\n');
    expect(asked).toHaveLength(2);
  });

  test('operations come as many as asked for, of one pair if named', async () => {
    answers['GET /api/sync-operations'] = { body: { items: [example(operationView)], next_cursor: null } };
    const terminal = new RecordingTerminal();
    expect(await operations(client(), terminal, false, { filters: { pair: 'pacs-to-cama' }, limit: 5 })).toBe(0);
    expect(asked[0]!.url).toBe('/api/sync-operations?pair=pacs-to-cama&limit=5');
    expect(terminal.stdout).toMatch(/2026-01-31 08:15:30 +pacs-to-cama +full +running +- +12,000/);
  });

  test('say so when there are none', async () => {
    answers['GET /api/sync-operations'] = { body: { items: [], next_cursor: null } };
    answers['GET /api/sync-pairs'] = { body: { items: [], next_cursor: null } };
    const terminal = new RecordingTerminal();
    await operations(client(), terminal, false, { limit: 5 });
    await pairs(client(), terminal, false);
    expect(terminal.stdout).toBe('Nothing has run yet.\nThere are no pairs.\n');
  });
});

describe('check', () => {
  const pair = { name: 'a-pair', source: 'county-pacs', target: 'county-cama' };

  test('sends the pair of the file, JSON or YAML, and tells what is wrong', async () => {
    answers['POST /api/sync-pairs/check'] = { body: example(pairCheckReport) };
    const file = join(folder, 'pair.yaml');
    await writeFile(file, 'name: a-pair\nsource: county-pacs\ntarget: county-cama\n');
    const terminal = new RecordingTerminal();
    expect(await check(file, () => Promise.resolve(client()), terminal, false)).toBe(1);
    expect(asked[0]!.body).toEqual(pair);
    expect(terminal.stdout).toContain(
      'tables[0].source: There is no table pacs.proprety at the source (SOURCE_TABLE_MISSING)',
    );
    expect(terminal.stdout).toContain('cannot be made as it stands');
  });

  test('ends with 0 for a good one', async () => {
    answers['POST /api/sync-pairs/check'] = {
      body: {
        ...example(pairCheckReport),
        ok: true,
        problems: [],
        tables: [
          {
            source: 'a.b',
            target: 'c.d',
            action: 'create',
            estimated_rows: 7,
            checks: [{ name: 'key:c.d', ok: false, required: false, message: 'c.d has no key.', fix: 'Add one.' }],
            columns: [
              { source: 'x', target: 'x', source_type: 'text', target_type: 'text', proof: { result: 'lossless' } },
              {
                source: 'y',
                target: 'z',
                source_type: 'bigint',
                target_type: 'integer',
                proof: { result: 'lossy', how: '2 of 6 values are refused' },
              },
            ],
          },
        ],
      },
    };
    const file = join(folder, 'pair.json');
    await writeFile(file, JSON.stringify(pair));
    const terminal = new RecordingTerminal();
    expect(await check(file, () => Promise.resolve(client()), terminal, false)).toBe(0);
    expect(terminal.stdout).toMatch(/a\.b +c\.d +is created +7 +2 +1\n/);
    expect(terminal.stdout).toMatch(/a\.b to c\.d\nwarn key:c\.d: c\.d has no key\.\n {5}Add one\.\n/);
    expect(terminal.stdout).toMatch(/\ny to z +bigint +integer +lossy +2 of 6 values are refused\n/);
    expect(terminal.stdout).not.toMatch(/^x /m);
  });

  test('does not ask for the proof when it is not wanted', async () => {
    answers['POST /api/sync-pairs/check'] = { body: example(pairCheckReport) };
    const file = join(folder, 'quick.json');
    await writeFile(file, JSON.stringify(pair));
    const terminal = new RecordingTerminal();
    expect(await check(file, () => Promise.resolve(client()), terminal, true, { proof: false })).toBe(1);
    expect(asked[0]!.url).toBe('/api/sync-pairs/check?proof=false');
    expect(JSON.parse(terminal.stdout)).toMatchObject({ ok: false, tables: [{ columns: [{ target: 'parcel_pin' }] }] });
  });

  test('tells everything that is wrong with the form, without a gateway', async () => {
    const file = join(folder, 'wrong.json');
    await writeFile(file, JSON.stringify({ ...pair, name: 'No Good', tables: [{ source: 'x' }], extra: 1 }));
    await expect(readPairFile(file)).rejects.toMatchObject({ code: 'PAIR_INVALID' });
    await expect(readPairFile(file)).rejects.toThrow(/name: [^]*tables\.0\.source: [^]*extra/);
    await writeFile(file, '{ "name": ');
    await expect(readPairFile(file)).rejects.toThrow('is neither JSON nor YAML');
    await expect(readPairFile(join(folder, 'nowhere'))).rejects.toThrow('cannot be read: ENOENT');
  });
});

describe('the client', () => {
  test("passes on the gateway's own error", async () => {
    answers['GET /api/status'] = {
      status: 401,
      body: { error: { code: 'UNAUTHENTICATED', message: 'No key', fix: '', details: { a: 1 }, request_id: 'r' } },
    };
    await expect(client().get('/api/status', statusView)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: 'No key',
      details: { a: 1 },
    });
  });

  test('knows nothing found from everything else', async () => {
    answers['GET /api/status'] = { status: 404, body: { error: { code: 'NOT_FOUND', message: 'None' } } };
    expect(await client().find('/api/status', statusView)).toBeUndefined();
    await expect(client().find('/elsewhere', statusView)).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
  });

  test('says so when nothing answers, or something else does', async () => {
    const nobody = new GatewayClient({ url: 'http://127.0.0.1:1', key: undefined });
    await expect(nobody.get('/api/status', statusView)).rejects.toThrow(
      'No gateway can be reached at http://127.0.0.1:1',
    );
    answers['GET /api/status'] = { body: { hello: 'world' } };
    await expect(client().get('/api/status', statusView)).rejects.toThrow('is not our gateway');
  });
});

describe('the key', () => {
  const env = (more: Record<string, string> = {}) => ({ TERRAFUSION_DATA: folder, ...more });
  const keyUsed = async (options: { keyFile?: string }, more?: Record<string, string>) => {
    answers['GET /api/status'] = { body: example(statusView) };
    const opened = await openClient({ url, ...options }, env(more));
    await opened.get('/api/status', statusView);
    return asked.at(-1)!.key;
  };
  const admin = `tfk_admin_${'x'.repeat(40)}`;

  test('comes from the file named, the environment, or the data folder, in this order', async () => {
    expect(await keyUsed({})).toBeUndefined();
    await writeFile(join(folder, 'admin-key'), 'tfk_kept_key\n');
    expect(await keyUsed({})).toBe('tfk_kept_key');
    expect(await keyUsed({}, { TERRAFUSION_ADMIN_KEY: admin })).toBe(admin);
    expect(await keyUsed({}, { TERRAFUSION_ADMIN_KEY: admin, TERRAFUSION_API_KEY: 'tfk_env_key' })).toBe('tfk_env_key');
    await writeFile(join(folder, 'other-key'), 'tfk_file_key\n');
    expect(await keyUsed({ keyFile: join(folder, 'other-key') }, { TERRAFUSION_API_KEY: 'tfk_env_key' })).toBe(
      'tfk_file_key',
    );
    await expect(openClient({ keyFile: join(folder, 'nowhere') }, env())).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  test('goes to the gateway of this machine unless another is named', () => {
    const at = (more: Record<string, string>) => gatewayUrl(loadSettings(more));
    expect(at({})).toBe('http://127.0.0.1:5000');
    expect(at({ GATEWAY_HOST: '0.0.0.0', GATEWAY_PORT: '5001' })).toBe('http://127.0.0.1:5001');
    expect(at({ GATEWAY_HOST: '::1', TLS_CERT_FILE: 'c', TLS_KEY_FILE: 'k' })).toBe('https://[::1]:5000');
  });
});

describe('config check', () => {
  test('shows what is set and where, and no secret', () => {
    const terminal = new RecordingTerminal();
    const env = { GATEWAY_PORT: '5001', DATABASE_URL: 'postgresql://user:very-secret@host/db' };
    expect(configCheck(terminal, { asJson: false, withDefaults: false }, env)).toBe(0);
    expect(terminal.stdout).toMatch(/GATEWAY_PORT +5001 +environment/);
    expect(terminal.stdout).not.toContain('RATE_LIMIT');
    expect(terminal.stdout).not.toContain('very-secret');
    const all = new RecordingTerminal();
    configCheck(all, { asJson: true, withDefaults: true }, env);
    expect(all.stdout).not.toContain('very-secret');
    expect((JSON.parse(all.stdout) as unknown[]).length).toBeGreaterThan(20);
  });

  test('tells all problems by variable', () => {
    const wrong = { GATEWAY_PORT: 'x', LOG_LEVEL: 'loud' };
    expect(() => configCheck(new RecordingTerminal(), { asJson: false, withDefaults: false }, wrong)).toThrow(
      /LOG_LEVEL: [^]*GATEWAY_PORT: /,
    );
  });
});
