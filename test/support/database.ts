import { randomBytes } from 'node:crypto';
import pg from 'pg';

export type Row = Record<string, unknown>;

/** A database of a test's own. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** Runs statements (several when there are no values) and returns the rows of the last one. */
  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** The first column of the only row. */
  value<T = string>(text: string, values?: readonly unknown[]): Promise<T>;
  /** A connection for this test alone, for transactions that stay open. Ended with the database at the latest. */
  connect(): Promise<pg.Client>;
  /** Drops it, together with its slots and subscriptions. Calling again changes nothing. */
  drop(): Promise<void>;
}

/** Makes a database with a name nobody else has. @param encoding UTF8 when left out */
export async function createDatabase(serverUrl: string, prefix: string, encoding?: string): Promise<TestDatabase> {
  const name = `${prefix}_${randomBytes(4).toString('hex')}`;
  await onServer(serverUrl, async (client) => {
    const { rows } = await client.query<{ provider: boolean }>(
      `SELECT current_setting('server_version_num')::int >= 150000 AS provider`,
    );
    // Locale C goes with every encoding.
    const locale = `ENCODING '${encoding ?? ''}' LC_COLLATE 'C' LC_CTYPE 'C' ${rows[0]!.provider ? 'LOCALE_PROVIDER libc' : ''}`;
    await client.query(`CREATE DATABASE "${name}" TEMPLATE template0 ${encoding === undefined ? '' : locale}`);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return new Database(name, url.href, serverUrl);
}

/** A database that is there: another server's copy, for one. Let go of, it stays. */
export function databaseAt(url: string): TestDatabase {
  return new Database(decodeURIComponent(new URL(url).pathname.slice(1)), url, undefined);
}

class Database implements TestDatabase {
  readonly name: string;
  readonly url: string;
  /** undefined: it is not ours to drop. */
  readonly #serverUrl: string | undefined;
  readonly #pool: pg.Pool;
  readonly #clients: pg.Client[] = [];
  #dropping: Promise<void> | undefined;

  constructor(name: string, url: string, serverUrl: string | undefined) {
    this.name = name;
    this.url = url;
    this.#serverUrl = serverUrl;
    this.#pool = new pg.Pool({ connectionString: url, max: 8, allowExitOnIdle: true });
    // Tests restart and kill servers: an idle connection that breaks is opened again at the next query.
    this.#pool.on('error', () => undefined);
  }

  async query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<R[]> {
    const result = await this.#pool.query<R>(text, values === undefined ? undefined : [...values]);
    const last = Array.isArray(result) ? (result as pg.QueryResult<R>[]).at(-1)! : result;
    return last.rows;
  }

  async value<T = string>(text: string, values?: readonly unknown[]): Promise<T> {
    const rows = await this.query(text, values);
    if (rows.length !== 1) throw new Error(`${rows.length} rows instead of one: ${text}`);
    return Object.values(rows[0]!)[0] as T;
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  drop(): Promise<void> {
    this.#dropping ??= this.#drop();
    return this.#dropping;
  }

  async #drop(): Promise<void> {
    const serverUrl = this.#serverUrl;
    if (serverUrl !== undefined) await this.#dropSubscriptions();
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
    await this.#pool.end();
    if (serverUrl === undefined) return;
    await onServer(serverUrl, async (client) => {
      // No new connections from here on, so that whoever still holds a slot of ours cannot take it again.
      await client.query(`ALTER DATABASE "${this.name}" ALLOW_CONNECTIONS false`);
      await client.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1', [
        this.name,
      ]);
      await client.query(
        'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1 AND NOT active',
        [this.name],
      );
      await client.query(`DROP DATABASE "${this.name}" WITH (FORCE)`);
    });
  }

  async #dropSubscriptions(): Promise<void> {
    const subscriptions = await this.query<{ name: string }>(
      `SELECT quote_ident(subname) AS name FROM pg_subscription
       WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    for (const { name } of subscriptions) {
      await this.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
      await this.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
      await this.query(`DROP SUBSCRIPTION ${name}`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drop();
  }
}

async function onServer<T>(serverUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
