import { z } from 'zod';

export const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** What an operator writes as `connection` of a PostgreSQL system. */
export const postgresSettings = z
  .strictObject({
    url: z
      .string()
      .describe('postgresql://user@host:port/database: the server itself, not a connection pooler in front of it.'),
    password: z.string().min(1).optional().describe('Kept encrypted, never shown again.'),
    password_file: z
      .string()
      .min(1)
      .optional()
      .describe('File that holds the password; read at every connect, so a rotated password needs no change here.'),
    ssl_mode: z
      .enum(SSL_MODES)
      .optional()
      .describe(
        'disable; prefer: encrypted where the server can (default); require: encrypted; verify-ca: and the certificate checked; verify-full: and its host name too.',
      ),
    ssl_ca_file: z.string().min(1).optional().describe('Certificate authority (PEM), if the system does not know it.'),
    ssl_cert_file: z.string().min(1).optional().describe('Client certificate (PEM).'),
    ssl_key_file: z.string().min(1).optional().describe('Private key of the client certificate (PEM).'),
    application_name: z
      .string()
      .max(63)
      .optional()
      .describe('How our sessions call themselves in pg_stat_activity; "terrafusion" unless told.'),
    slot_wait_s: z
      .int()
      .min(1)
      .max(3600)
      .optional()
      .describe(
        'As a source: seconds to wait for running transactions to end when a slot is made; 60 unless told. Longer waits out longer work, shorter tells sooner who is in the way.',
      ),
    failover_slot: z
      .boolean()
      .optional()
      .describe(
        'As a source (17+): whether standbys keep a copy of our slot, so that it outlives a failover; true unless told. Where synchronized_standby_slots is set, changes then come once those standbys have them.',
      ),
    binary: z
      .boolean()
      .optional()
      .describe(
        'As a source (14+): whether values may be sent in binary where every pair takes rows as they are; true unless told. It costs both servers less; what arrives is the same.',
      ),
  })
  .superRefine((settings, context) => {
    try {
      resolveAddress(settings);
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['url'], message: (error as Error).message });
    }
    if (settings.password !== undefined && settings.password_file !== undefined)
      context.addIssue({ code: 'custom', path: ['password_file'], message: 'set password or password_file, not both' });
  });

export type PostgresSettings = z.output<typeof postgresSettings>;

/** Where and as whom to connect, everything resolved but the files. */
export interface Address {
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** The URL's own password. */
  readonly password: string | undefined;
  readonly sslMode: SslMode;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly applicationName: string;
}

const parameters = new Set([
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'application_name',
  'host',
  'port',
  'user',
  'password',
  'dbname',
]);

/**
 * Reads the URL, with libpq's parameters; a field of the settings wins over the URL's parameter.
 * @throws {RangeError} telling what is wrong with the URL, never the URL itself: it may hold a password (Promise 8)
 */
export function resolveAddress(settings: {
  readonly url: string;
  readonly ssl_mode?: SslMode | undefined;
  readonly ssl_ca_file?: string | undefined;
  readonly ssl_cert_file?: string | undefined;
  readonly ssl_key_file?: string | undefined;
  readonly application_name?: string | undefined;
}): Address {
  const url = parseUrl(settings.url);
  const query = url.searchParams;
  for (const name of query.keys()) {
    if (!parameters.has(name))
      throw new RangeError(`the parameter "${name}" is not known here; known: ${[...parameters].join(', ')}`);
  }
  const given = (name: string): string | undefined => query.get(name) ?? undefined;
  const host = given('host') ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw new RangeError('the URL names no host');
  const port = Number(given('port') ?? (url.port === '' ? '5432' : url.port));
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new RangeError('the port is not a number from 1 to 65535');
  const user = given('user') ?? decodeURIComponent(url.username);
  if (user === '') throw new RangeError('the URL names no user: postgresql://user@host:port/database');
  const path = decodeURIComponent(url.pathname.slice(1));
  const sslMode = settings.ssl_mode ?? parseSslMode(given('sslmode'));
  return {
    host,
    port,
    user,
    database: given('dbname') ?? (path === '' ? user : path),
    password: given('password') ?? (url.password === '' ? undefined : decodeURIComponent(url.password)),
    sslMode: host.startsWith('/') ? 'disable' : sslMode,
    caFile: settings.ssl_ca_file ?? given('sslrootcert'),
    certFile: settings.ssl_cert_file ?? given('sslcert'),
    keyFile: settings.ssl_key_file ?? given('sslkey'),
    applicationName: settings.application_name ?? given('application_name') ?? 'terrafusion',
  };
}

/** The database and the user, in one spelling, without the password. */
export function placeOf(settings: PostgresSettings): string {
  const { host, port, user, database } = resolveAddress(settings);
  // Names of hosts have no case; databases and users have.
  return `postgresql://${encodeURIComponent(user)}@${encodeURIComponent(host.toLowerCase())}:${port}/${encodeURIComponent(database)}`;
}

/** The settings as they may be stored: the URL's password in its own field, where it is encrypted. (Promise 8) */
export function normaliseSettings(settings: PostgresSettings): PostgresSettings {
  const { password } = resolveAddress(settings);
  if (password === undefined) return settings;
  const url = parseUrl(settings.url);
  url.password = '';
  url.searchParams.delete('password');
  const text = url.toString();
  // A password of its own or in a file was given on purpose beside the URL's; that one is used, so that one stays.
  if (settings.password !== undefined || settings.password_file !== undefined) return { ...settings, url: text };
  return { ...settings, url: text, password };
}

function parseSslMode(text: string | undefined): SslMode {
  if (text === undefined || text === 'allow') return 'prefer';
  const mode = SSL_MODES.find((known) => known === text);
  if (mode === undefined) throw new RangeError(`sslmode must be one of ${SSL_MODES.join(', ')}`);
  return mode;
}

function parseUrl(text: string): URL {
  if (!/^postgres(ql)?:\/\//.test(text)) throw new RangeError('the URL must begin with postgresql://');
  // libpq takes an empty host with ?host=/folder; the URL standard wants a name there.
  const withHost = text.replace(/^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)(?=[:/?#]|$)/, '$1unnamed');
  const filled = withHost !== text;
  let url: URL;
  try {
    url = new URL(filled ? withHost : text);
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
  } catch {
    // The URL class puts the whole text into its error, password included.
    throw new RangeError('the URL cannot be read; write special characters of user and password as %XX');
  }
  if (filled && !url.searchParams.has('host')) throw new RangeError('the URL names no host');
  return url;
}
