import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { checkServerIdentity } from 'node:tls';
import pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { type Role, translateError } from './errors.ts';
import { readingSocket } from './wire/reading-socket.ts';
import { type Address, type PostgresSettings, resolveAddress } from './settings.ts';

export interface ConnectOptions {
  readonly role: Role;
  /** A walsender session of the database: replication commands and simple queries only. */
  readonly replication?: boolean;
  /** Longest wait for a lock, in milliseconds; 0, the default, waits for ever. */
  readonly lockTimeoutMs?: number;
  /** After this long without its answer a statement is given up, in milliseconds: for short ones, over a way that may swallow answers. */
  readonly answerWithinMs?: number;
  /** Further session settings, in SQL's names. */
  readonly session?: Readonly<Record<string, string>>;
  /** Said after the application name in pg_stat_activity: "reader", "writer <pair>". */
  readonly purpose?: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** For {@link ConnectOptions.answerWithinMs}: what reads a few rows of a catalog has its answer by then, or never. */
export const SHORT_ANSWER_MS = 60_000;
/** How long a goodbye may take before the socket is closed: over a way that swallows it, nobody would ever answer. */
const GOODBYE_MS = 3000;
/** After this silence the kernel probes the peer: a half-open connection ends by itself. */
const KEEP_ALIVE_MS = 15_000;

/**
 * Settings that decide how values are printed and read. Whatever a database's or role's defaults are, texts are the same at
 * both ends. (Promise 4, CHECKLIST 7) They travel as start-up options, which win over ALTER DATABASE … SET and ALTER ROLE … SET.
 */
const canonicalSession: Readonly<Record<string, string>> = {
  DateStyle: 'ISO,MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  // money is printed in this locale; C is on every machine.
  lc_monetary: 'C',
  xmloption: 'content',
  // Off, the NULL in {1,NULL} would be read as a text.
  array_nulls: 'on',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
  // Names in regclass, regtype and the like are printed with their schema, so that they mean the same elsewhere.
  search_path: 'pg_catalog',
  client_encoding: 'UTF8',
  client_min_messages: 'warning',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
};

/** A text that row-level security would have filtered is an error, not a silent gap. (CHECKLIST 9) */
const sourceSession: Readonly<Record<string, string>> = { row_security: 'off' };

/**
 * Opens a session with canonical settings. The caller ends it.
 * @throws {TerraFusionError} …_UNREACHABLE, …_LOGIN_FAILED, …_DATABASE_MISSING and the like; the signal's reason when aborted
 */
export async function connect(
  settings: PostgresSettings,
  context: Pick<ConnectorContext, 'signal'>,
  options: ConnectOptions,
): Promise<pg.Client> {
  const { signal } = context;
  signal.throwIfAborted();
  const address = resolveAddress(settings);
  const what = `Could not connect to the ${options.role} ${describeAddress(address)}`;
  try {
    const password = await findPassword(settings, address, options.role);
    const ssl = await sslOptions(address, options.role);
    try {
      return await open(clientConfig(address, password, ssl, options), signal);
    } catch (error) {
      if (address.sslMode !== 'prefer' || !isSslRefusal(error)) throw error;
      return await open(clientConfig(address, password, false, options), signal);
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw translateError(cause, options.role, what);
  }
}

/**
 * Runs `work` on a session of its own and ends it. Foreign errors leave translated; an abort cancels what runs at the server.
 * @param what as for `translateError`
 */
export async function withClient<T>(
  settings: PostgresSettings,
  context: Pick<ConnectorContext, 'signal'>,
  options: ConnectOptions & { readonly what: string },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connect(settings, context, options);
  const { signal } = context;
  // The server would go on with the statement until it has something to send; nobody may be left waiting for it.
  const cancel = (): void =>
    void cancelBackend(settings, client, options.role).finally(() => {
      destroy(client);
    });
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await work(client);
  } catch (cause) {
    signal.throwIfAborted();
    throw translateError(cause, options.role, options.what);
  } finally {
    signal.removeEventListener('abort', cancel);
    await endClient(client);
  }
}

/** Ends a session; one that is broken already is no error. */
export async function endClient(client: pg.Client): Promise<void> {
  const tooLong = setTimeout(() => {
    destroy(client);
  }, GOODBYE_MS);
  await client.end().catch(() => undefined);
  clearTimeout(tooLong);
}

/** Cancels what the session runs at the server, through a session of its own. Never throws: it is a courtesy. */
export async function cancelBackend(settings: PostgresSettings, client: pg.Client, role: Role): Promise<void> {
  const { processID } = client as pg.Client & { readonly processID: number | null };
  if (processID === null) return;
  try {
    const other = await connect(
      settings,
      { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) },
      { role, purpose: 'cancel' },
    );
    try {
      await other.query('SELECT pg_cancel_backend($1)', [processID]);
    } finally {
      await endClient(other);
    }
  } catch {
    // The connection is closed next, which the server notices as soon as it sends.
  }
}

/** "user@host:port/database": for messages; never the password. */
export function describeAddress({ user, host, port, database }: Address): string {
  return `${user}@${host}:${port}/${database}`;
}

/** What a session for this purpose is called in pg_stat_activity. */
export function sessionName({ applicationName }: Address, purpose: string | undefined): string {
  return cutTo63Bytes(purpose === undefined ? applicationName : `${applicationName} ${purpose}`);
}

function clientConfig(
  address: Address,
  password: Secret | undefined,
  ssl: ConnectionOptions | false,
  options: ConnectOptions,
): pg.ClientConfig {
  const session = {
    ...canonicalSession,
    ...(options.role === 'source' ? sourceSession : {}),
    lock_timeout: String(options.lockTimeoutMs ?? 0),
    ...options.session,
  };
  const config: pg.ClientConfig & { readonly replication?: string } = {
    host: address.host,
    port: address.port,
    user: address.user,
    database: address.database,
    // A function, so that the driver never looks for a .pgpass of its own.
    password: () => password?.reveal() ?? '',
    ssl,
    // TLS reads from its socket in a way of its own.
    ...(ssl === false ? { stream: readingSocket } : {}),
    application_name: sessionName(address, options.purpose),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(options.answerWithinMs === undefined ? {} : { query_timeout: options.answerWithinMs }),
    options: Object.entries(session)
      .map(([setting, value]) => `-c ${setting}=${value.replace(/[\\\s]/g, String.raw`\$&`)}`)
      .join(' '),
    ...(options.replication === true ? { replication: 'database' } : {}),
  };
  return config;
}

async function open(config: pg.ClientConfig, signal: AbortSignal): Promise<pg.Client> {
  const client = new pg.Client(config);
  // Without a listener an error between two queries would end the process. The next query tells it.
  client.on('error', () => undefined);
  const abort = (): void => {
    destroy(client);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    return client;
  } catch (error) {
    destroy(client);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Closes the socket without a word. */
export function destroy(client: pg.Client): void {
  (client as pg.Client & { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream.destroy();
}

async function findPassword(settings: PostgresSettings, address: Address, role: Role): Promise<Secret | undefined> {
  if (settings.password !== undefined) return new Secret(settings.password);
  if (settings.password_file !== undefined) {
    const text = await readSettingsFile(settings.password_file, 'password_file', role);
    return new Secret(text.replace(/\r?\n$/, ''));
  }
  return address.password === undefined ? undefined : new Secret(address.password);
}

async function sslOptions(address: Address, role: Role): Promise<ConnectionOptions | false> {
  const { sslMode } = address;
  if (sslMode === 'disable') return false;
  const [ca, cert, key] = await Promise.all([
    address.caFile === undefined ? undefined : readSettingsFile(address.caFile, 'ssl_ca_file', role),
    address.certFile === undefined ? undefined : readSettingsFile(address.certFile, 'ssl_cert_file', role),
    address.keyFile === undefined ? undefined : readSettingsFile(address.keyFile, 'ssl_key_file', role),
  ]);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: sslMode === 'verify-ca' || sslMode === 'verify-full',
    checkServerIdentity: sslMode === 'verify-full' ? checkServerIdentity : () => undefined,
  };
}

async function readSettingsFile(path: string, field: string, role: Role): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = role === 'source' ? 'SOURCE_LOGIN_FAILED' : 'TARGET_LOGIN_FAILED';
    throw new TerraFusionError(code, `${field} cannot be read: ${reason}`, { cause });
  }
}

function isSslRefusal(error: unknown): boolean {
  return error instanceof Error && error.message.includes('does not support SSL');
}

/** PostgreSQL cuts longer names itself, with a warning in its log. */
function cutTo63Bytes(name: string): string {
  let cut = name;
  while (Buffer.byteLength(cut) > 63) cut = cut.slice(0, -1);
  return cut;
}
