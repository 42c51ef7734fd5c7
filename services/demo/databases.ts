import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Log } from '#services/kernel/log.ts';
import type { Secret } from '#schemas/secret.ts';
import { copyChunks } from './copy-text.ts';
import { accountsOf, generateAccount, generateParcel, pacsColumns, pacsTables, type CountyOptions } from './county.ts';

export const PACS_DATABASE = 'county_pacs';
export const CAMA_DATABASE = 'county_cama';

/** Who may do what in the demo county. None of them is a superuser. */
export const demoRoles = {
  /** Reads the changes of PACS: replication, and the rights of the tables' owner, which a publication of them needs. */
  source: 'terrafusion_source',
  /** Writes into CAMA: rows of its tables, and schemas of its own for positions and tables that a pair creates. */
  target: 'terrafusion_target',
  /** The county's clerk: the traffic, and whoever looks in with psql. Changes PACS, reads CAMA. */
  clerk: 'county_clerk',
} as const;
export type DemoRole = keyof typeof demoRoles;

/** Own the tables; nobody logs in as them. */
const owners = { pacs: 'pacs_admin', cama: 'cama_admin' } as const;

export interface DemoDatabasesOptions {
  /** URL of a database of the cluster as its superuser; `database` replaces the one in it. */
  readonly adminUrl: (database: string) => string;
  readonly passwords: Readonly<Record<DemoRole, Secret>>;
  readonly county: CountyOptions;
  readonly log: Log;
}

/**
 * Makes the county's two databases with their roles, tables and rows. Each step is whole or not there, and calling again does what is
 * left to do: killed in the middle it goes on. Rows that exist are never touched.
 */
export async function ensureDemoDatabases(options: DemoDatabasesOptions): Promise<void> {
  const { adminUrl, passwords, log } = options;
  await connected(adminUrl('postgres'), async (client) => {
    await ensureRoles(client, passwords);
    await ensureDatabase(client, PACS_DATABASE);
    await ensureDatabase(client, CAMA_DATABASE);
  });
  await Promise.all([
    connected(adminUrl(PACS_DATABASE), async (client) => {
      const rows = await ensurePacs(client, options.county);
      if (rows > 0) log.info({ database: PACS_DATABASE, rows }, 'The demo county was generated.');
    }),
    connected(adminUrl(CAMA_DATABASE), ensureCama),
  ]);
}

async function ensureRoles(client: pg.Client, passwords: DemoDatabasesOptions['passwords']): Promise<void> {
  for (const name of [...Object.values(owners), ...Object.values(demoRoles)]) {
    const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE ROLE ${name}`);
  }
  for (const [role, name] of Object.entries(demoRoles)) {
    const password = client.escapeLiteral(passwords[role as DemoRole].reveal());
    await client.query(`ALTER ROLE ${name} LOGIN PASSWORD ${password}`);
  }
  await client.query(`ALTER ROLE ${demoRoles.source} REPLICATION`);
  await client.query(`GRANT ${owners.pacs} TO ${demoRoles.source}`);
}

async function ensureDatabase(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
}

/** @returns how many rows were generated; 0 when they were there */
async function ensurePacs(client: pg.Client, county: CountyOptions): Promise<number> {
  return inTransaction(client, async () => {
    await client.query(`GRANT CREATE ON DATABASE ${PACS_DATABASE} TO ${demoRoles.source}`);
    if (await exists(client, 'pacs')) return 0;
    await client.query(await definition('pacs.sql'));
    const rows = await fill(client, county);
    await client.query(`
      CREATE SEQUENCE pacs.property_number START ${county.parcels + 1};
      CREATE SEQUENCE pacs.sale_number START ${county.parcels + 1};
      GRANT USAGE ON SCHEMA pacs TO ${demoRoles.clerk};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pacs TO ${demoRoles.clerk};
      GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA pacs TO ${demoRoles.clerk};
    `);
    await handOver(client, 'pacs', owners.pacs);
    return rows;
  });
}

async function ensureCama(client: pg.Client): Promise<void> {
  await inTransaction(client, async () => {
    await client.query(`GRANT CREATE ON DATABASE ${CAMA_DATABASE} TO ${demoRoles.target}`);
    // What pairs create here the clerk may read as well.
    await client.query(`
      ALTER DEFAULT PRIVILEGES FOR ROLE ${demoRoles.target} GRANT USAGE ON SCHEMAS TO ${demoRoles.clerk};
      ALTER DEFAULT PRIVILEGES FOR ROLE ${demoRoles.target} GRANT SELECT ON TABLES TO ${demoRoles.clerk};
    `);
    if (await exists(client, 'cama')) return;
    await client.query(await definition('cama.sql'));
    await client.query(`
      GRANT USAGE ON SCHEMA cama TO ${demoRoles.target}, ${demoRoles.clerk};
      GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA cama TO ${demoRoles.target};
      GRANT SELECT ON ALL TABLES IN SCHEMA cama TO ${demoRoles.clerk};
    `);
    await handOver(client, 'cama', owners.cama);
  });
}

/** COPY, table by table; 200,000 rows take about two seconds. */
async function fill(client: pg.Client, county: CountyOptions): Promise<number> {
  const parts = function* () {
    for (let acctId = 1; acctId <= accountsOf(county); acctId++) yield generateAccount(county, acctId);
    for (let propId = 1; propId <= county.parcels; propId++) yield generateParcel(county, propId);
  };
  const chunks = copyChunks(pacsTables, parts());
  let rows = 0;
  for (const table of pacsTables) {
    const copy = client.query(copyFrom(`COPY pacs.${table} (${pacsColumns[table].join(', ')}) FROM STDIN`));
    await pipeline(Readable.from(chunks[table]), copy);
    rows += copy.rowCount;
    await client.query(`ANALYZE pacs.${table}`);
  }
  return rows;
}

async function exists(client: pg.Client, schema: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  return rowCount !== 0;
}

/** Last of all: the schema and all in it get their owner. */
async function handOver(client: pg.Client, schema: string, owner: string): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(
    `SELECT format('ALTER %s %I.%I OWNER TO %I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, $1::text, relname, $2::text) AS statement
     FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'S')`,
    [schema, owner],
  );
  for (const { statement } of rows) await client.query(statement);
  await client.query(`ALTER SCHEMA ${schema} OWNER TO ${owner}`);
}

function definition(file: string): Promise<string> {
  return readFile(new URL(file, import.meta.url), 'utf8');
}

async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  const result = await work();
  await client.query('COMMIT');
  return result;
}

/** Whatever is open when the work fails ends with the connection. */
async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'terrafusion demo' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
