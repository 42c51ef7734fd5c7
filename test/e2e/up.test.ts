import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import type { PairView } from '#schemas/http/pairs.ts';
import type { StatusView } from '#schemas/http/status.ts';
import { defaultCounty, flawedRows } from '#services/demo/county.ts';
import { createDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { isAlive, Product } from './product.ts';

interface Page<T> {
  readonly items: T[];
}

/** The whole story of an installation, in order: each test goes on where the one before has left it. */
describe('terrafusion up', () => {
  let product: Product;
  let firstKey: string;

  beforeAll(async () => {
    product = await Product.create();
    product.start();
    firstKey = (await product.event('ready'))['adminKey'] as string;
  });
  afterAll(() => product[Symbol.asyncDispose]());

  const pairOf = async (name: string): Promise<PairView> =>
    (await product.ask<PairView>('GET', `/api/sync-pairs/${name}`)).body;
  /** Everything committed at the source before the call is at the target. Asked again while a killed part comes back. */
  const fence = async (name: string): Promise<void> => {
    await eventually(
      async () => {
        const { status, body } = await product.ask('POST', `/api/sync-pairs/${name}/fence?timeout_s=60`);
        if (status !== 200) throw new Error(JSON.stringify(body));
        return true;
      },
      { within: 60_000, every: 100, what: `the fence of ${name}` },
    );
  };

  /** Both ends of a table that the demo maps one to one, compared after a fence while the traffic goes on. */
  async function expectSame(): Promise<void> {
    await eventually(
      async () => {
        await fence('pacs-to-cama');
        const [pacs, cama] = await Promise.all([
          product.query<{ sum: string }>(
            'county_pacs',
            `SELECT md5(string_agg(concat_ws('|', prop_id, owner_tax_yr, sup_num, owner_id, pct_ownership), ',' ORDER BY prop_id, owner_id)) AS sum FROM pacs.owner`,
          ),
          product.query<{ sum: string }>(
            'county_cama',
            `SELECT md5(string_agg(concat_ws('|', prop_id, tax_year, supplement, account_no, percent), ',' ORDER BY prop_id, account_no)) AS sum FROM cama.parcel_owner`,
          ),
        ]);
        // A sale between the two looks is no difference: then they are looked at again.
        return pacs[0]!.sum === cama[0]!.sum;
      },
      { within: 60_000, every: 100, what: 'owners to be the same at both ends' },
    );
  }

  test('has the demo pair streaming within 60 seconds of its start', async () => {
    const streaming = await product.event('streaming');
    expect(streaming['seconds']).toBeLessThan(60);
    expect((await pairOf('pacs-to-cama')).state).toBe('streaming');
  });

  test('has everything that runs in its status', async () => {
    const { status, body } = await product.ask<StatusView>('GET', '/api/status');
    expect(status).toBe(200);
    expect(body.state).not.toBe('down');
    for (const name of ['gateway', 'sync-service', 'control-database', 'bus'])
      expect(body.components.find((component) => component.name === name)).toMatchObject({ state: 'up' });
  });

  test('has dead letters for the rows that break a rule, and for no other', async () => {
    const { body } = await product.ask<Page<DeadLetterView>>('GET', '/api/dead-letters?limit=1000');
    const rules = Object.groupBy(body.items, ({ rule }) => rule ?? 'none');
    expect(Object.fromEntries(Object.entries(rules).map(([rule, letters]) => [rule, letters!.length]))).toEqual({
      'land value is not negative': 7,
      'market value = land + improvements': 5,
      'pin has 12 digits': 4,
      'a valid sale has a price': 4,
    });
    expect(body.items).toHaveLength(flawedRows(defaultCounty));
  });

  test('copies the county and keeps it in step with what the clerk does', async () => {
    const [parcels] = await product.query<{ n: number }>('county_cama', 'SELECT count(*)::int AS n FROM cama.parcel');
    expect(parcels!.n).toBeGreaterThan(18_000);
    const before = (await pairOf('pacs-to-cama')).changes_applied;
    await eventually(async () => (await pairOf('pacs-to-cama')).changes_applied > before + 20);
    await expectSame();
  });

  test('brings a person a row that he mends', async () => {
    expect(await product.query('county_cama', 'SELECT 1 FROM cama.valuation WHERE prop_id = 13')).toEqual([]);
    await product.query(
      'county_pacs',
      `UPDATE pacs.property_val SET land_hstd_val = 50000, land_non_hstd_val = 0,
         appraised_val = 50000 + imprv_hstd_val + imprv_non_hstd_val,
         assessed_val = 50000 + imprv_hstd_val + imprv_non_hstd_val - cap_loss WHERE prop_id = 13`,
    );
    await fence('pacs-to-cama');
    expect(
      await product.query(
        'county_cama',
        'SELECT land_value, market_value - improvement_value AS land FROM cama.valuation WHERE prop_id = 13',
      ),
    ).toEqual([{ land_value: '50000', land: '50000' }]);
  });

  test('makes a second pair over REST, and its fence answers 200', async () => {
    const made = await product.ask('POST', '/api/sync-pairs', {
      name: 'owners',
      source: 'county-pacs',
      target: 'county-cama',
      tables: [
        { source: 'pacs.address', target: 'mailing.address' },
        {
          source: 'pacs.account',
          target: 'mailing.account',
          columns: {
            acct_id: { from: 'acct_id' },
            name: { from: 'file_as_name', transforms: ['trim', 'upper'] },
            email: { from: 'email' },
          },
          where: 'row.confidential_flag != "T"',
          rules: [{ name: 'has a name', check: 'row.name != ""' }],
        },
      ],
      start: true,
    });
    expect(made, JSON.stringify(made.body)).toMatchObject({ status: 201 });
    await fence('owners');
    const [source] = await product.query<{ n: number }>(
      'county_pacs',
      `SELECT count(*)::int AS n FROM pacs.account WHERE confidential_flag <> 'T'`,
    );
    expect(await product.query('county_cama', 'SELECT count(*)::int AS n FROM mailing.account')).toEqual([source]);
    await product.query(
      'county_pacs',
      `UPDATE pacs.account SET file_as_name = 'cedar 1 holdings llc' WHERE acct_id = 1`,
    );
    await fence('owners');
    expect(await product.query('county_cama', 'SELECT name FROM mailing.account WHERE acct_id = 1')).toEqual([
      { name: 'CEDAR 1 HOLDINGS LLC' },
    ]);
  });

  test('serves the dashboard, whose files all load', async () => {
    const page = await fetch(`${product.url}/dashboard`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    for (const [, path] of (await page.text()).matchAll(/(?:src|href)="(\/dashboard\/[^"]+)"/g)) {
      expect((await fetch(new URL(path!, product.url))).status, path).toBe(200);
    }
  });

  test('keeps secrets to itself: none in a log, files for their owner only', async () => {
    for (const name of ['admin-key', 'master.key', 'postgres-password', 'demo/clerk-password', 'demo/pgpass'])
      expect((await stat(join(product.data, name))).mode & 0o077, name).toBe(0);
    const secrets = await Promise.all(
      ['admin-key', 'master.key', 'postgres-password', 'demo/source-password', 'demo/target-password'].map(
        async (name) => (await readFile(join(product.data, name), 'utf8')).trim().replace(/^tfk_[^_]+_/, ''),
      ),
    );
    const logs = join(product.data, 'logs');
    for (const file of await readdir(logs)) {
      const text = await readFile(join(logs, file), 'utf8');
      for (const secret of secrets) expect(text.includes(secret), file).toBe(false);
    }
  });

  test('killed as a whole, goes on at the next start: same key, same county, nothing lost', async () => {
    await product.killAll();
    product.start();
    const ready = await product.event('ready');
    expect(ready['adminKey']).toBeUndefined();
    expect(await product.key()).toBe(firstKey);
    await product.event('streaming');
    await expectSame();
    await fence('owners');
    const { body } = await product.ask<Page<DeadLetterView>>('GET', '/api/dead-letters?limit=1000');
    expect(body.items).toHaveLength(flawedRows(defaultCounty));
  });

  test('brings a killed sync-service and a killed PostgreSQL back by itself', async () => {
    const first = await product.syncServicePid();
    process.kill(first, 'SIGKILL');
    await eventually(async () => (await product.syncServicePid()) !== first, { within: 60_000 });
    await expectSame();
    const server = await product.postgresPid();
    process.kill(server, 'SIGKILL');
    await eventually(async () => (await product.postgresPid()) !== server, { within: 60_000 });
    await expectSame();
  });

  test('started a second time on the same folder, says who has it', async () => {
    const second = await Product.create({ TERRAFUSION_DATA: product.data });
    second.start();
    expect(await second.ended()).toBe(1);
    expect(second.events.at(-1)).toMatchObject({ event: 'failed', code: 'DATA_FOLDER_UNUSABLE' });
    expect(second.events.at(-1)!['message']).toMatch(/is in use by process \d+/);
    await second[Symbol.asyncDispose]();
  });

  test('replaces a sync-service that a killed launcher has left', async () => {
    const [orphan, server] = [await product.syncServicePid(), await product.postgresPid()];
    // It cannot notice that it was left: it is frozen.
    process.kill(orphan, 'SIGSTOP');
    product.signal('SIGKILL');
    await product.ended();
    product.start();
    await product.event('streaming', 90_000);
    expect(await product.syncServicePid()).not.toBe(orphan);
    expect(await isAlive(orphan)).toBe(false);
    expect(await product.postgresPid()).toBe(server);
    await expectSame();
  });

  test('drains at Ctrl-C and ends with 0; nothing of it is left running', async () => {
    const pids = [await product.syncServicePid(), await product.postgresPid()];
    product.signal('SIGINT');
    expect(await product.ended()).toBe(0);
    expect(product.events.map(({ event }) => event).filter((event) => event.startsWith('stop'))).toEqual([
      'stopping',
      'stopped',
    ]);
    for (const pid of pids) expect(await isAlive(pid)).toBe(false);
  });
});

describe('a first start that is killed', () => {
  test('at any moment is gone on with, and ends with the same county', async () => {
    await using product = await Product.create();
    const exists = (...path: string[]) => stat(join(product.data, ...path)).then(() => true);
    const moments: [string, () => Promise<unknown>][] = [
      ['the database cluster is being made', () => exists('postgres')],
      ['the passwords of the demo are there', () => exists('demo', 'clerk-password')],
      ['the database server runs and holds no county yet', () => exists('demo', 'clerk-password')],
      ['the databases of the demo are there', () => exists('demo', 'pgpass')],
      ['the demo is registered', () => exists('demo', 'ready')],
      ['everything runs', () => product.event('ready')],
    ];
    for (const [what, moment] of moments) {
      product.start();
      await eventually(moment, { within: 60_000, every: 5, what });
      await product.killAll();
    }
    product.start();
    await product.event('streaming');
    const { body } = await product.ask<Page<DeadLetterView>>('GET', '/api/dead-letters?limit=1000');
    expect(body.items).toHaveLength(flawedRows(defaultCounty));
    expect(
      await product.query('county_pacs', 'SELECT count(*)::int AS n FROM pacs.property WHERE prop_id <= 20000'),
    ).toEqual([{ n: defaultCounty.parcels }]);
    expect((await product.ask<Page<unknown>>('GET', '/api/systems')).body.items).toHaveLength(2);
  });
});

describe('with a control database of its own', () => {
  test('the demo county streams all the same', async () => {
    const control = await createDatabase(inject('targetServer'), 'control');
    {
      await using product = await Product.create({ DATABASE_URL: control.url });
      product.start();
      await product.event('streaming');
      expect((await product.event('ready'))['controlDatabase']).toContain('DATABASE_URL');
      expect(await control.value('SELECT count(*)::int FROM terrafusion.sync_pairs')).toBe(1);
      expect(product.told()).not.toContain(new URL(control.url).password);
    }
    await control.drop();
  });

  test('and without the demo there is no PostgreSQL of ours', async () => {
    const control = await createDatabase(inject('targetServer'), 'control');
    {
      await using product = await Product.create({ DATABASE_URL: control.url });
      product.start('--no-demo');
      await product.event('ready');
      expect((await product.ask<Page<unknown>>('GET', '/api/sync-pairs')).body.items).toEqual([]);
      expect(await readdir(product.data)).not.toContain('postgres');
    }
    await control.drop();
  });
});

describe('terrafusion up says in one line what is wrong', () => {
  async function failure(env: Record<string, string>): Promise<{ code: unknown; exit: unknown; told: string }> {
    await using product = await Product.create(env);
    product.start('--no-demo');
    const exit = await product.ended();
    const { code, message, fix } = product.events.at(-1)!;
    expect(product.stderr).not.toMatch(/^\s+at /m);
    expect(fix).toEqual(expect.any(String));
    return { code, exit, told: String(message) };
  }

  test('a port that is in use, with the variable to change', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const port = (holder.address() as { port: number }).port;
    for (const variable of ['GATEWAY_PORT', 'SYNC_SERVICE_PORT']) {
      expect(await failure({ [variable]: String(port) })).toEqual({
        code: 'PORT_IN_USE',
        exit: 1,
        told: `Port ${port} on 127.0.0.1 (${variable}) is in use`,
      });
    }
    await new Promise((resolve) => holder.close(resolve));
  });

  test('a data folder that is a file', async () => {
    await using product = await Product.create();
    const file = join(product.dataFolder, 'file');
    await writeFile(file, '');
    expect(await failure({ TERRAFUSION_DATA: file })).toMatchObject({ code: 'DATA_FOLDER_UNUSABLE', exit: 1 });
  });

  test('a data folder whose database cluster is broken', async () => {
    await using product = await Product.create();
    const cluster = join(product.data, 'postgres', 'cluster');
    await mkdir(cluster, { recursive: true });
    await writeFile(join(cluster, 'PG_VERSION'), 'nonsense\n');
    expect(await failure({ TERRAFUSION_DATA: product.data })).toMatchObject({ code: 'DATA_FOLDER_UNUSABLE', exit: 1 });
  });

  test('a control database that does not answer, without its password', async () => {
    const { code, exit, told } = await failure({ DATABASE_URL: 'postgresql://user:top-secret-word@127.0.0.1:1/none' });
    expect({ code, exit }).toEqual({ code: 'CONTROL_DATABASE_UNREACHABLE', exit: 1 });
    expect(told).toContain('127.0.0.1:1');
    expect(told).not.toContain('top-secret-word');
  });

  test('settings that make no sense, all at once', async () => {
    const { code, exit, told } = await failure({ GATEWAY_PORT: 'x', LOG_LEVEL: 'loud' });
    expect({ code, exit }).toEqual({ code: 'CONFIG_INVALID', exit: 78 });
    expect(told).toMatch(/LOG_LEVEL: [^]*GATEWAY_PORT: /);
  });
});
