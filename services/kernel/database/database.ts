import pg from 'pg';
import { TerraFusionError } from '#schemas/errors.ts';
import { systemClock, type Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { reconnectPolicy, retry } from '../retry.ts';
import { connectionConfig, type DatabaseAddress } from './connection.ts';
import { sqlStateOf, translate } from './errors.ts';
import { listen, type Listener } from './listener.ts';
import { isStale, Statements } from './statements.ts';

/**
 * Where statements go. Values are `$1`, `$2` …; an object is sent as JSON, an array as a PostgreSQL array (a JSON array: as its text).
 * What comes back: int8 as bigint, numeric as text, timestamptz as Date, json parsed, bytea as Buffer.
 * All methods throw {@link TerraFusionError}: CONTROL_DATABASE_UNREACHABLE, CONTROL_DATABASE_LOGIN_FAILED, CONFLICTING_STATE for a
 * broken constraint (`isUniqueViolation` tells which), INTERNAL for a statement that is refused.
 */
export interface Queryable {
  /** All rows. */
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** The first row; undefined when there is none. */
  one<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row | undefined>;
  /** The number of rows that the statement touched. */
  run(sql: string, values?: readonly unknown[]): Promise<number>;
}

/** Access to the control database over a pool of connections. */
export interface Database extends Queryable, AsyncDisposable {
  /**
   * Runs `work` in a transaction: committed when it resolves, rolled back when it rejects. Repeated when it collides with another
   * one (deadlock, serialization), so it must not do anything outside that may not be done twice. After CONTROL_DATABASE_UNREACHABLE
   * nobody knows whether a commit has happened.
   */
  transaction<T>(work: (transaction: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Runs `work` on one connection, without a transaction: for session locks. */
  session<T>(work: (session: Queryable) => Promise<T>): Promise<T>;
  /** Listens on a channel until disposed, returning at once; see {@link Listener} for when it is called. */
  listen(channel: string, listener: Listener): AsyncDisposable;
}

export interface TransactionOptions {
  /** The server's default, read committed, when left out. */
  readonly isolation?: 'repeatable read' | 'serializable';
}

export interface DatabaseOptions {
  /** The process, as pg_stat_activity shows it. */
  readonly name: string;
  readonly log: Log;
  readonly clock?: Clock;
  /** Largest number of connections of the pool; listeners come on top. */
  readonly connections?: number;
  /** How long to wait at opening for a database that is not there yet, in ms; 0 when left out. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

const COLLISIONS = new Set(['40001', '40P01']);
const collisionPolicy = { firstMs: 20, maxMs: 500, attempts: 8 };

/**
 * Opens the control database; a login is tried before it is given back.
 * @throws {TerraFusionError} CONTROL_DATABASE_UNREACHABLE, CONTROL_DATABASE_LOGIN_FAILED
 */
export async function openDatabase(address: DatabaseAddress, options: DatabaseOptions): Promise<Database> {
  const { log, clock = systemClock, signal } = options;
  const database = new PooledDatabase(connectionConfig(address, options.name), options.connections ?? 10, log, clock);
  try {
    await retry(
      () => database.query('SELECT 1'),
      { ...reconnectPolicy, maxMs: 2000, withinMs: options.patienceMs ?? 0 },
      { clock, log, what: 'Connecting to the control database', ...(signal ? { signal } : {}) },
    );
    return database;
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

class PooledDatabase implements Database {
  readonly #config: pg.ClientConfig;
  readonly #pool: pg.Pool;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #statements = new Statements();

  constructor(config: pg.ClientConfig, connections: number, log: Log, clock: Clock) {
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    this.#pool = new pg.Pool({ ...config, max: connections, idleTimeoutMillis: 30_000 });
    // A connection that breaks while nobody uses it is replaced at the next statement.
    this.#pool.on('error', (error) => {
      log.debug({ error }, 'An idle connection to the control database broke.');
    });
  }

  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]> {
    return onClient(this.#pool, this.#statements).query(sql, values);
  }

  one<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row | undefined> {
    return onClient(this.#pool, this.#statements).one(sql, values);
  }

  run(sql: string, values?: readonly unknown[]): Promise<number> {
    return onClient(this.#pool, this.#statements).run(sql, values);
  }

  async transaction<T>(
    work: (transaction: Queryable) => Promise<T>,
    { isolation }: TransactionOptions = {},
  ): Promise<T> {
    const begin = isolation === undefined ? 'BEGIN' : `BEGIN ISOLATION LEVEL ${isolation}`;
    const { attempts } = collisionPolicy;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#withClient((client) => inTransaction(client, this.#statements, begin, work));
      } catch (error) {
        const again = COLLISIONS.has(sqlStateOf(error) ?? '') || isStale(error);
        if (!again || attempt === attempts) throw error;
        await this.#clock.sleep(
          Math.random() * Math.min(collisionPolicy.maxMs, collisionPolicy.firstMs * 2 ** attempt),
        );
      }
    }
  }

  async session<T>(work: (session: Queryable) => Promise<T>): Promise<T> {
    return await this.#withClient((client) => work(onClient(client, this.#statements)));
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw translate(error);
    }
    let broken: Error | undefined;
    const onError = (error: Error): void => {
      broken = error;
    };
    client.on('error', onError);
    try {
      return await work(client);
    } catch (error) {
      // A connection with a failed statement is as good as before, one that timed out or broke is not: it must not go back.
      if (error instanceof TerraFusionError && error.code === 'CONTROL_DATABASE_UNREACHABLE') broken ??= error;
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  listen(channel: string, listener: Listener): AsyncDisposable {
    return listen(this.#config, channel, listener, { log: this.#log, clock: this.#clock });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#pool.ended && !this.#pool.ending) await this.#pool.end();
  }
}

async function inTransaction<T>(
  client: pg.PoolClient,
  statements: Statements,
  begin: string,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  const transaction = onClient(client, statements, { repeatStale: false });
  await transaction.run(begin);
  let result: T;
  try {
    result = await work(transaction);
  } catch (error) {
    // The reason is what matters; should the roll-back fail too, the connection is broken and the server rolls back by itself.
    await transaction.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
  const { command } = await send(client, { text: 'COMMIT' });
  // What PostgreSQL answers when a statement has failed and `work` swallowed the error. (Promise 9)
  if (command !== 'COMMIT')
    throw new TerraFusionError('INTERNAL', 'A transaction with a failed statement cannot be committed');
  return result;
}

async function send<Row extends object>(
  client: pg.Pool | pg.PoolClient,
  query: { readonly text: string; readonly values?: readonly unknown[]; readonly name?: string },
): Promise<pg.QueryResult<Row>> {
  try {
    return await client.query<Row>(query as pg.QueryConfig);
  } catch (error) {
    throw translate(error);
  }
}

/** @param repeatStale false within a transaction: there it has to be begun anew */
function onClient(client: pg.Pool | pg.PoolClient, statements: Statements, { repeatStale = true } = {}): Queryable {
  const ask = async <Row extends object>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<pg.QueryResult<Row>> => {
    // Without values it may be several statements.
    const name = values.length === 0 ? undefined : statements.nameOf(text);
    if (name === undefined) return await send<Row>(client, { text, values });
    try {
      return await send<Row>(client, { text, values, name });
    } catch (error) {
      if (!isStale(error)) throw error;
      statements.forget(text, error);
      if (!repeatStale) throw error;
      return await send<Row>(client, { text, values });
    }
  };
  return {
    query: async <Row extends object>(sql: string, values?: readonly unknown[]) => (await ask<Row>(sql, values)).rows,
    one: async <Row extends object>(sql: string, values?: readonly unknown[]) => (await ask<Row>(sql, values)).rows[0],
    run: async (sql, values) => (await ask(sql, values)).rowCount ?? 0,
  };
}
