import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { Product } from './product.ts';

const bin = fileURLToPath(new URL('../../services/cli/bin.js', import.meta.url));

/** A secret of this run, by the way on which it enters: in what comes out its name tells where the leak is. */
const secrets: Record<string, string> = {};
function secret(way: string): string {
  return (secrets[way] = `S3c-${way}-${randomBytes(9).toString('hex')}`);
}

let product: Product;
let issuer: Issuer;
const adminKey = `tfk_marker_${secret('admin-key-of-the-environment')}${'x'.repeat(8)}`;
/** What was written by commands, by command line. */
const outputs: Record<string, string> = {};

beforeAll(async () => {
  issuer = await Issuer.create();
  product = await Product.create({
    ...issuer.settings,
    LOG_LEVEL: 'debug',
    TERRAFUSION_ADMIN_KEY: adminKey,
    TERRAFUSION_MASTER_KEY: secret('master-key'),
    SYNCSERVICE_API_KEY: secret('sync-service-key'),
  });
  product.start();
  await product.event('ready', 120_000);
}, 180_000);
afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

/** An identity provider. What opens of its tokens is the signature: its words stand in each token for everybody to read. */
class Issuer {
  readonly settings: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #keys: readonly CryptoKey[];

  static async create(): Promise<Issuer> {
    const [own, stranger] = await Promise.all([generateKeyPair('EdDSA'), generateKeyPair('EdDSA')]);
    const folder = await mkdtemp(join(tmpdir(), 'terrafusion-issuer-'));
    const file = join(folder, 'jwks.json');
    const jwk = { ...(await exportJWK(own.publicKey)), kid: 'one', alg: 'EdDSA' };
    await writeFile(file, JSON.stringify({ keys: [jwk] }));
    return new Issuer(folder, file, [own.privateKey, stranger.privateKey]);
  }

  private constructor(folder: string, file: string, keys: readonly CryptoKey[]) {
    this.#folder = folder;
    this.#keys = keys;
    this.settings = { JWT_ISSUER: 'https://login.county.example', JWT_AUDIENCE: 'terrafusion', JWT_JWKS_FILE: file };
  }

  async token(way: string, { expired = false, forged = false } = {}): Promise<string> {
    const text = await new SignJWT({ name: 'Clerk Seven', role: 'operator' })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'one' })
      .setIssuer(this.settings['JWT_ISSUER']!)
      .setAudience(this.settings['JWT_AUDIENCE']!)
      .setSubject('clerk-7')
      .setExpirationTime(expired ? '-10 minutes' : '10 minutes')
      .sign(this.#keys[forged ? 1 : 0]!);
    secrets[`token-${way}`] = text.split('.')[2]!;
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface Sent {
  readonly status: number;
  readonly text: string;
}
const replies = new Map<string, string>();

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Sent> {
  const reply = await fetch(new URL(path, product.url), {
    method,
    headers: {
      'x-api-key': adminKey,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await reply.text();
  replies.set(`${method} ${path} ${replies.size}`, text);
  return { status: reply.status, text };
}

/** A command against this product; what it writes is kept. */
async function command(args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<number> {
  const label = args.slice(0, 3).join(' ');
  return await new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bin, ...args],
      {
        env: {
          PATH: process.env['PATH'],
          ...product.env,
          TERRAFUSION_URL: product.url,
          TERRAFUSION_API_KEY: adminKey,
          ...env,
        },
        timeout: 60_000,
      },
      (error, stdout, stderr) => {
        outputs[`${label} ${Object.keys(outputs).length}`] = `${stdout}\n${stderr}`;
        resolve(typeof error?.code === 'number' ? error.code : error ? -1 : 0);
      },
    );
    child.stdin?.end(input);
  });
}

/** A process that cannot start: until it has said why, or that it tries again; then it is told to stop. */
async function cutShort(name: string, env: Record<string, string>): Promise<void> {
  const child = spawn(process.execPath, [bin, name], {
    env: { PATH: process.env['PATH'], ...product.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  try {
    await eventually(() => text.includes('127.0.0.1') || child.exitCode !== null, {
      within: 60_000,
      what: `${name} to say something`,
    });
    child.kill('SIGTERM');
    child.kill('SIGTERM');
    await ended;
  } finally {
    // One that says nothing stays nobody's.
    child.kill('SIGKILL');
  }
  outputs[name] = text;
}

/** The demo's own databases, whose passwords are secrets too. */
async function pgpass(): Promise<{ host: string; port: string; user: string; password: string }> {
  const [line] = (await readFile(join(product.data, 'demo', 'pgpass'), 'utf8')).split('\n');
  const [host, port, , user, password] = line!.split(':') as [string, string, string, string, string];
  return { host, port, user, password };
}

test('no secret comes out anywhere, wherever it went in (promise 8)', { timeout: 240_000 }, async () => {
  const { host, port, user, password } = await pgpass();
  secrets['demo-database-password'] = password;
  const place = `${host}:${port}/county_pacs`;
  const passwordFile = join(product.dataFolder, 'password');
  await writeFile(passwordFile, secret('password-file'));

  // Systems: in the URL, in its query, in a field, in a file; right ones too, so that they are used.
  const system = (name: string, connection: object) => send('POST', '/api/systems', { name, connection });
  expect((await system('by-url', { url: `postgresql://${user}:${secret('connection-url')}@${place}` })).status).toBe(
    201,
  );
  expect(
    (await system('by-query', { url: `postgresql://${user}@${place}?password=${secret('url-query')}` })).status,
  ).toBe(201);
  expect(
    (await system('by-field', { url: `postgresql://${user}@${place}`, password: secret('password-field') })).status,
  ).toBe(201);
  expect((await system('by-file', { url: `postgresql://${user}@${place}`, password_file: passwordFile })).status).toBe(
    201,
  );
  expect((await system('right', { url: `postgresql://${user}:${password}@${place}` })).status).toBe(201);
  expect(
    (await system('away', { url: `postgresql://${user}:${secret('unreachable-url')}@127.0.0.1:1/x` })).status,
  ).toBe(201);
  for (const name of ['by-url', 'by-query', 'by-field', 'by-file', 'right', 'away']) {
    await send('GET', `/api/systems/${name}`);
    await send('POST', `/api/systems/${name}/check`, {});
  }
  await send('PATCH', '/api/systems/by-field', {
    connection: { url: `postgresql://${user}@${place}`, password: secret('changed-password') },
  });

  // What is refused: forms that are wrong around a secret, with and without being JSON.
  expect((await system('wrong', { url: `mysql://u:${secret('wrong-scheme')}@h/d` })).status).toBe(400);
  expect((await system('wrong', { url: `postgresql://u:${secret('wrong-port')}@h:99999/d` })).status).toBe(400);
  expect((await system('wrong', { url: `postgresql://u:${secret('wrong-escape')}%zz@h/d` })).status).toBe(400);
  expect((await system('wrong', { url: 'postgresql://u@h/d', password: { deep: secret('wrong-form') } })).status).toBe(
    400,
  );
  expect((await system('wrong', { url: 'postgresql://u@h/d', passwort: secret('unknown-field') })).status).toBe(400);
  expect(
    (await send('POST', '/api/systems', `{"name": "wrong", "connection": {"password": "${secret('broken-json')}", `))
      .status,
  ).toBe(400);
  expect((await send('POST', '/api/systems', `{"name": "wrong", "password": ${secret('bare-word')}}`)).status).toBe(
    400,
  );
  expect((await send('POST', '/api/systems', `{"password": "${secret('more-after')}"x}`)).status).toBe(400);
  const inline = (key: string) => ({
    connector: 'postgres',
    connection: { url: `postgresql://u:${secret(key)}@127.0.0.1:1/x` },
  });
  expect(
    (
      await send('POST', '/api/sync-pairs', {
        name: 'inline-pair',
        source: inline('inline-source'),
        target: inline('inline-target'),
      })
    ).status,
  ).toBeGreaterThanOrEqual(400);
  await send('POST', '/api/sync-pairs/check', { name: 'checked', source: inline('checked-source'), target: 'right' });
  const url = (key: string) => `postgresql://u:${secret(key)}@127.0.0.1:1/x`;
  await send('POST', '/api/sync/full', { source_connection: url('job-source'), target_connection: url('job-target') });

  // Pairs that run on wrong passwords: workers retry, fail, and tell.
  const pair = {
    name: 'secret-pair',
    source: 'county-pacs',
    target: 'county-cama',
    tables: [{ source: 'pacs.address', target: 'secret.address' }],
    start: true,
  };
  const pairMade = await send('POST', '/api/sync-pairs', pair);
  expect(pairMade.status, pairMade.text).toBe(201);
  for (const name of ['county-pacs', 'county-cama']) {
    const { connection } = JSON.parse((await send('GET', `/api/systems/${name}`)).text) as {
      connection: { url: string };
    };
    const changed = { connection: { url: connection.url, password: secret(`gone-bad-${name}`) } };
    expect((await send('PATCH', `/api/systems/${name}`, changed)).status).toBe(200);
  }
  await send('POST', '/api/sync-pairs/secret-pair/pause');
  await send('POST', '/api/sync-pairs/secret-pair/resume');
  await eventually(
    async () => /"code":"(SOURCE|TARGET)_LOGIN_FAILED"/.test((await send('GET', '/api/sync-pairs/secret-pair')).text),
    { within: 60_000, what: 'the pair to be refused' },
  );

  // Keys: made ones, wrong ones, in every place where one can stand.
  const made = JSON.parse((await send('POST', '/api/keys', { name: 'made', role: 'viewer' })).text) as { key: string };
  secrets['made-key'] = made.key.replace(/^tfk_[^_]+_/, '');
  // It is shown in the reply that makes it, and nowhere else.
  for (const label of replies.keys()) if (label.startsWith('POST /api/keys ')) replies.delete(label);
  await send('GET', '/api/status', undefined, { 'x-api-key': made.key });
  await send('POST', '/api/keys', { name: 'x', role: 'viewer' }, { 'x-api-key': made.key });
  expect(
    (await send('GET', '/api/status', undefined, { 'x-api-key': `tfk_nobody_${secret('wrong-key')}` })).status,
  ).toBe(401);
  // Tokens of the identity provider, in the place of a key: a good one, one that is too old, one that somebody else has signed.
  const bearing = (token: string) => ({ authorization: `Bearer ${token}`, 'x-api-key': '' });
  const good = await issuer.token('good');
  const list = await send('GET', '/api/systems', undefined, bearing(good));
  expect([list.status, list.text]).toEqual([200, expect.stringContaining('by-url') as string]);
  expect((await send('POST', '/api/sync-pairs/none/pause', undefined, bearing(good))).status).toBe(404);
  expect((await send('POST', '/api/keys', { name: 'x', role: 'viewer' }, bearing(good))).status).toBe(403);
  for (const token of [await issuer.token('old', { expired: true }), await issuer.token('forged', { forged: true })])
    expect((await send('POST', '/api/sync-pairs/secret-pair/pause', undefined, bearing(token))).status).toBe(401);
  await command(['status', '--json'], { TERRAFUSION_API_KEY: good });
  const bearer = { authorization: `Bearer ${secret('bearer')}`, 'x-api-key': '' };
  expect((await send('POST', '/api/sync-pairs/secret-pair/pause', undefined, bearer)).status).toBe(401);
  await send('GET', '/api/status', undefined, {
    authorization: `Basic ${Buffer.from(`u:${secret('basic')}`).toString('base64')}`,
  });
  await send('GET', `/api/systems?api_key=${secret('key-in-query')}`);
  await send(
    'POST',
    '/api/systems',
    { name: 'idem', connection: { url: url('idempotent') } },
    { 'idempotency-key': 'once' },
  );
  // A browser's session: its cookie opens what the key opens.
  expect((await send('POST', '/api/session', { key: `tfk_nobody_${secret('session-key')}` })).status).toBe(401);
  const login = await fetch(new URL('/api/session', product.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ key: adminKey }),
  });
  expect(login.status).toBe(201);
  const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
  secrets['session-cookie'] = cookie.slice(cookie.indexOf('=') + 1);
  await send('GET', '/api/session', undefined, { cookie, 'x-api-key': '' });
  await send('POST', '/api/sync-pairs/secret-pair/pause', undefined, {
    cookie,
    'x-api-key': '',
    'x-csrf-token': secret('csrf'),
  });
  await send('GET', '/', undefined, { cookie: `session=${secret('cookie')}` });

  // The command line: arguments, files, variables, the standard input, what it does not know.
  await command(['systems', 'add', 'by-argument', url('argument-url')]);
  await command(
    ['systems', 'add', 'by-stdin', `postgresql://${user}@${place}`, '--password-stdin'],
    {},
    `${secret('stdin')}\n`,
  );
  await command(['systems', 'add', 'by-set', `postgresql://${user}@${place}`, '--set', `password=${secret('set')}`]);
  await command(['systems', 'add', 'lost', '--password', secret('unknown-option')]);
  await command(['status', `--api-key=${secret('unknown-option-value')}`]);
  await command(['status', '--url', `http://u:${secret('url-of-the-gateway')}@127.0.0.1:1`]);
  await command(['status'], { TERRAFUSION_API_KEY: `tfk_nobody_${secret('variable-key')}` });
  const county = join(product.dataFolder, 'county.yaml');
  await writeFile(
    county,
    `systems: [{ name: applied, connection: { url: "postgresql://u@127.0.0.1:1/x", password: "\${APPLIED}" } }]\n`,
  );
  await command(['apply', county, '--auto-approve'], { APPLIED: secret('applied') });
  await command(['apply', county, '--auto-approve', '--secrets', '--json'], { APPLIED: secret('applied-anew') });
  await writeFile(county, `systems: [{ name: broken, connection: { password: ${secret('broken-yaml')}, url: [ }`);
  await command(['apply', county, '--dry-run']);
  for (const args of [
    ['export'],
    ['systems'],
    ['systems', 'show', 'by-field', '--json'],
    ['pairs', 'show', 'secret-pair'],
    ['audit', '--limit', '500', '--json'],
    ['logs', '--since', '1h'],
    ['keys'],
    ['status', '--json'],
    ['config', 'check', '--all', '--json'],
  ])
    await command(args);
  await command(['config', 'check', '--all'], {
    KAFKA_BROKERS: '127.0.0.1:1',
    KAFKA_SASL_USERNAME: 'u',
    KAFKA_SASL_PASSWORD: secret('sasl'),
    DATABASE_URL: `postgresql://u:${secret('control-database')}@127.0.0.1:1/x`,
  });
  await command(['config', 'check'], {
    TERRAFUSION_MASTER_KEY: secret('short').slice(0, 9),
    RATE_LIMIT_PER_MINUTE: 'x',
  });
  // Processes that cannot start: what they say, and the log files they leave.
  const logs = (name: string) => ({ LOG_FOLDER: join(product.data, 'logs', name), LOG_LEVEL: 'debug' });
  await cutShort('sync-service', {
    DATABASE_URL: `postgresql://u:${secret('database-of-a-process')}@127.0.0.1:1/x`,
    SYNC_SERVICE_PORT: '0',
    ...logs('alone'),
  });
  const control = (await readFile(join(product.data, 'postgres-password'), 'utf8')).trim();
  secrets['control-database-password'] = control;
  await cutShort('reader', {
    DATABASE_URL: `postgresql://terrafusion:${control}@${host}:${port}/terrafusion`,
    KAFKA_BROKERS: '127.0.0.1:1',
    KAFKA_SASL_USERNAME: 'u',
    KAFKA_SASL_PASSWORD: secret('sasl-of-a-process'),
    STAGE_PORT: '0',
    ...logs('reader'),
  });

  // Everything that comes out.
  const found: string[] = [];
  const forms = Object.entries(secrets).flatMap(([way, text]) => [
    [way, text] as const,
    // A piece of one is too much already: errors of parsers show what stands around.
    ...[...text.matchAll(/[0-9a-f]{9}/g)].map(([piece]) => [`a piece of ${way}`, piece] as const),
    [`${way} (base64)`, Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -2)] as const,
    [`${way} (in an URL)`, encodeURIComponent(text)] as const,
  ]);
  const search = (where: string, text: string): void => {
    for (const [way, form] of forms) if (text.includes(form)) found.push(`${way} in ${where}`);
  };
  for (const [where, text] of [...replies, ...Object.entries(outputs)]) search(where, text);
  search('events and stderr of up', `${JSON.stringify(product.events)}\n${product.stderr}`);
  for (const path of await everyPath()) search(`GET ${path}`, (await send('GET', path)).text);
  search('the event stream', await someEvents());
  search(
    'metrics of the sync-service',
    await (await fetch(`http://127.0.0.1:${product.env['SYNC_SERVICE_PORT']!}/metrics`)).text(),
  );
  search(
    'health of the sync-service',
    await (await fetch(`http://127.0.0.1:${product.env['SYNC_SERVICE_PORT']!}/health`)).text(),
  );
  for (const [file, text] of await logFiles()) search(file, text);
  await searchControlDatabase(search);
  expect([...new Set(found)]).toEqual([]);

  // It was looked in the right places: what is no secret is there.
  const logged = (await logFiles()).map(([, text]) => text).join('');
  expect(logged).toContain('LOGIN_FAILED');
  expect(outputs[Object.keys(outputs).find((label) => label.startsWith('export'))!]).toContain('by-field');
});

/** Every GET of the API's own document, with ids of what there is. */
async function everyPath(): Promise<string[]> {
  const document = JSON.parse((await send('GET', '/openapi.json')).text) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const ids = async (list: string): Promise<string[]> => {
    const { items = [] } = JSON.parse((await send('GET', list)).text) as { items?: { id: string; seq?: string }[] };
    return items.slice(0, 12).map(({ id }) => id);
  };
  const lists: Record<string, string> = {
    '/api/systems/{id}': '/api/systems',
    '/api/sync-pairs/{id}': '/api/sync-pairs',
    '/api/sync-operations/{id}': '/api/sync-operations',
    '/api/dead-letters/{id}': '/api/dead-letters',
  };
  const paths: string[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    if (!('get' in methods) || path === '/api/events') continue;
    const list = Object.entries(lists).find(([prefix]) => path.startsWith(prefix));
    if (list) for (const id of await ids(list[1])) paths.push(path.replace('{id}', id));
    else if (path.includes('{job_id}'))
      for (const id of await ids('/api/sync-operations')) paths.push(path.replace('{job_id}', id));
    else if (!path.includes('{')) paths.push(path);
  }
  expect(paths.length).toBeGreaterThan(20);
  return [...paths, '/api/audit?limit=1000', '/docs/json'];
}

/** What a browser is sent in its first moments. */
async function someEvents(): Promise<string> {
  const stop = new AbortController();
  const reply = await fetch(new URL('/api/events', product.url), {
    headers: { 'x-api-key': adminKey },
    signal: stop.signal,
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of reply.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.includes('secret-pair')) break;
  }
  stop.abort();
  return text;
}

async function logFiles(): Promise<(readonly [string, string])[]> {
  const folder = join(product.data, 'logs');
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.log'));
  expect(names.length).toBeGreaterThanOrEqual(2);
  return await Promise.all(
    names.map(
      async (name) => [relative(product.data, join(folder, name)), await readFile(join(folder, name), 'utf8')] as const,
    ),
  );
}

/** Every row of every table of the control database, as text. */
async function searchControlDatabase(search: (where: string, text: string) => void): Promise<void> {
  const { host, port } = await pgpass();
  const password = (await readFile(join(product.data, 'postgres-password'), 'utf8')).trim();
  const client = new pg.Client({ host, port: Number(port), user: 'terrafusion', password, database: 'terrafusion' });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    expect(tables.rows.length).toBeGreaterThan(10);
    for (const { name } of tables.rows) {
      const rows = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
      for (const { row } of rows.rows) search(`the table ${name}`, row);
    }
    const activity = await client.query<{ row: string }>(
      'SELECT a::text AS row FROM pg_stat_activity a WHERE pid <> pg_backend_pid()',
    );
    for (const { row } of activity.rows) search('pg_stat_activity', row);
  } finally {
    await client.end();
  }
}
