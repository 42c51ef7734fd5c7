import pg from 'pg';
import type { Secret } from '#schemas/secret.ts';

/** Where the control database is: an URL, or its parts. */
export type DatabaseAddress =
  | { readonly url: Secret }
  | {
      readonly host: string;
      readonly port: number;
      readonly user?: string | undefined;
      readonly password?: Secret | undefined;
      readonly database?: string | undefined;
    };

/** A lost answer is noticed after this long, in ms. */
const STATEMENT_TIMEOUT = 60_000;
const CONNECT_TIMEOUT = 10_000;
const INT8: number = pg.types.builtins.INT8;

/** How we connect, whoever connects. `name` shows in pg_stat_activity. */
export function connectionConfig(address: DatabaseAddress, name: string): pg.ClientConfig {
  const where =
    'url' in address
      ? { connectionString: address.url.reveal() }
      : {
          host: address.host,
          port: address.port,
          ...(address.user === undefined ? {} : { user: address.user }),
          ...(address.password === undefined ? {} : { password: address.password.reveal() }),
          ...(address.database === undefined ? {} : { database: address.database }),
        };
  return {
    ...where,
    application_name: `terrafusion ${name}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    statement_timeout: STATEMENT_TIMEOUT,
    // The server ends a statement first; this is for the network that swallows its answer.
    query_timeout: STATEMENT_TIMEOUT + 10_000,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT,
    types: { getTypeParser },
  };
}

/**
 * int8 comes as bigint: exact, and it cannot be mixed with numbers by accident (`count(*)::int` where a number will do).
 * numeric comes as text, timestamptz as Date, bytea as Buffer, json parsed.
 */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: string): unknown =>
  oid === INT8 && format !== 'binary' ? BigInt : (pg.types.getTypeParser as Parsers)(oid, format);
type Parsers = (oid: number, format?: string) => unknown;
