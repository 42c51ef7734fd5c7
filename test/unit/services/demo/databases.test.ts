import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pairInput } from '#schemas/pairs.ts';
import { Secret } from '#schemas/secret.ts';
import { pickWork } from '#services/demo/clerk.ts';
import { accountsOf, pacsColumns } from '#services/demo/county.ts';
import { CAMA_DATABASE, demoRoles, ensureDemoDatabases, PACS_DATABASE } from '#services/demo/databases.ts';
import { demoPair } from '#services/demo/pair.ts';
import { SeededRandom } from '#services/demo/random.ts';
import { DemoTraffic } from '#services/demo/traffic.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { eventually } from '#test/support/eventually.ts';
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts';

const county = { seed: 3, parcels: 300 };
const passwords = { source: new Secret("s'1"), target: new Secret('t2'), clerk: new Secret('c3') };

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: false } });
}, 60_000);
afterAll(() => server.stop());

const ensure = (): Promise<void> =>
  ensureDemoDatabases({ adminUrl: (database) => server.url(database), passwords, county, log: silentLog });

async function connect(database: string, login?: { user: string; password: string }): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url(database, login) });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function value(database: string, text: string): Promise<unknown> {
  const client = await connect(database);
  try {
    const { rows } = await client.query<Record<string, unknown>>(text);
    return Object.values(rows[0]!)[0];
  } finally {
    await client.end();
  }
}

describe('the demo databases', () => {
  test('can be made by two launchers, or one that is cut short and begins again', async () => {
    // Cut short: roles are there, and a database without anything in it.
    const admin = await connect('postgres');
    await admin.query(`CREATE ROLE ${demoRoles.source}; `);
    await admin.query(`CREATE DATABASE ${PACS_DATABASE}`);
    await admin.end();
    await ensure();
    await ensure();
    expect(await value(PACS_DATABASE, 'SELECT count(*)::int FROM pacs.property')).toBe(county.parcels);
    expect(await value(PACS_DATABASE, 'SELECT count(*)::int FROM pacs.account')).toBe(accountsOf(county));
    expect(await value(CAMA_DATABASE, 'SELECT count(*)::int FROM cama.parcel')).toBe(0);
  });

  test('have the columns that are generated, in that order', async () => {
    for (const [table, columns] of Object.entries(pacsColumns)) {
      const found = await value(
        PACS_DATABASE,
        `SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'pacs.${table}'::regclass AND attnum > 0`,
      );
      expect(found, table).toEqual(columns);
    }
  });

  test('have all tables and columns that the pair maps', async () => {
    const pair = pairInput.parse(demoPair);
    for (const { source, target, columns } of pair.tables!) {
      if (columns === 'same') throw new Error('every table of the demo pair is mapped by column');
      const [pacs, cama] = await Promise.all([columnsOf(PACS_DATABASE, source), columnsOf(CAMA_DATABASE, target!)]);
      expect([...cama].sort(), target).toEqual(Object.keys(columns).sort());
      for (const column of Object.values(columns)) {
        const used = 'from' in column ? [column.from] : 'concat' in column ? column.concat : rowFields(column.compute);
        for (const name of used) expect(pacs, source).toContain(name);
      }
    }
  });

  test('know no superuser among the roles that log in', async () => {
    const list = Object.values(demoRoles).map((role) => `'${role}'`);
    expect(
      await value('postgres', `SELECT count(*)::int FROM pg_roles WHERE rolname IN (${list.join(',')}) AND rolsuper`),
    ).toBe(0);
  });

  test('let the source role publish and replicate, and nobody else', async () => {
    const source = await connect(PACS_DATABASE, { user: demoRoles.source, password: "s'1" });
    await source.query('CREATE PUBLICATION probe FOR TABLE pacs.property, pacs.sale');
    await source.query(`SELECT pg_create_logical_replication_slot('probe', 'pgoutput')`);
    await source.query(`SELECT pg_drop_replication_slot('probe')`);
    await source.query('DROP PUBLICATION probe');
    await source.end();
    const clerk = await connect(PACS_DATABASE, { user: demoRoles.clerk, password: 'c3' });
    await expect(clerk.query('DROP TABLE pacs.sale')).rejects.toThrow(/must be owner/);
    await expect(clerk.query(`SELECT pg_create_logical_replication_slot('x', 'pgoutput')`)).rejects.toThrow(
      /permission/,
    );
    await clerk.end();
  });

  test('let the target role write rows and make schemas, but not change the tables', async () => {
    const target = await connect(CAMA_DATABASE, { user: demoRoles.target, password: 't2' });
    await target.query('CREATE SCHEMA probe');
    await target.query('CREATE TABLE probe.made AS SELECT 1 AS n');
    const clerk = await connect(CAMA_DATABASE, { user: demoRoles.clerk, password: 'c3' });
    expect((await clerk.query('SELECT n FROM probe.made')).rows).toEqual([{ n: 1 }]);
    await clerk.end();
    await target.query('DROP SCHEMA probe CASCADE');
    await target.query(`INSERT INTO cama.situs VALUES (1, 1, 'x', 'y', 'z')`);
    await target.query('TRUNCATE cama.situs');
    await expect(target.query('ALTER TABLE cama.situs ADD COLUMN n int')).rejects.toThrow(/must be owner/);
    await target.end();
  });
});

describe('the traffic', () => {
  test('keeps the values in step in every transaction, whatever comes in', async () => {
    const clerk = await connect(PACS_DATABASE, { user: demoRoles.clerk, password: 'c3' });
    const random = new SeededRandom(5);
    for (let i = 0; i < 400; i++) {
      await clerk.query('BEGIN');
      await pickWork(random)(random, county, async (text, values) => {
        const result = await clerk.query<Record<string, unknown>>(text, [...values]);
        return result.rows;
      });
      await clerk.query('COMMIT');
    }
    const { rows } = await clerk.query(`
      SELECT v.prop_id FROM pacs.property_val v
      LEFT JOIN (SELECT prop_id, sum(mkt_val) AS land FROM pacs.land_detail GROUP BY prop_id) l USING (prop_id)
      WHERE v.prop_id NOT IN (13, 77)
        AND (appraised_val <> land_hstd_val + land_non_hstd_val + imprv_hstd_val + imprv_non_hstd_val
             OR assessed_val <> appraised_val - cap_loss
             OR coalesce(l.land, 0) <> land_hstd_val + land_non_hstd_val)`);
    expect(rows).toEqual([]);
    const merged = await clerk.query(
      'SELECT 1 FROM pacs.property_val v WHERE NOT EXISTS (SELECT FROM pacs.property p WHERE p.prop_id = v.prop_id)',
    );
    expect(merged.rows).toEqual([]);
    await clerk.end();
  });

  test('goes on by itself after its connection was cut, and stops when told', async () => {
    const stop = new AbortController();
    const traffic = new DemoTraffic({
      connect: () => connect(PACS_DATABASE, { user: demoRoles.clerk, password: 'c3' }),
      county,
      rate: 200,
      clock: systemClock,
      log: silentLog,
      signal: stop.signal,
    });
    const done = traffic.run();
    await eventually(() => traffic.counts.transactions > 5);
    const before = traffic.counts;
    await value(
      'postgres',
      `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '${demoRoles.clerk}'`,
    );
    await eventually(() => traffic.counts.transactions > before.transactions + 5);
    stop.abort();
    await done;
    expect(traffic.counts.rows).toBeGreaterThan(traffic.counts.transactions / 2);
  });
});

async function columnsOf(database: string, table: string): Promise<string[]> {
  return (await value(
    database,
    `SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0`,
  )) as string[];
}

function rowFields(expression: string): string[] {
  return [...expression.matchAll(/\brow\.([a-z_]+)/g)].map(([, name]) => name!);
}
