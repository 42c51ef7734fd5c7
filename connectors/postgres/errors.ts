import { type ErrorCode, TerraFusionError } from '#schemas/errors.ts';

/** Which end the connection belongs to: decides between SOURCE_… and TARGET_…. */
export type Role = 'source' | 'target';

/** An error as the server tells it; `pg`'s DatabaseError and our own `ServerError` (wire/backend.ts) both have this shape. */
export interface PostgresError extends Error {
  /** SQLSTATE. */
  readonly code: string;
  readonly severity: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** Place in the statement, of errors that are the statement's own. */
  readonly position?: string | undefined;
  /** What the server was doing: "COPY t, line 1, column v", "PL/pgSQL function f() line 3 at RAISE". */
  readonly where?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
}

/** Whether the server said it, and if given, with this SQLSTATE (five characters) or class (two). */
export function isPostgresError(error: unknown, sqlstate?: string): error is PostgresError {
  return (
    error instanceof Error &&
    'severity' in error &&
    'code' in error &&
    typeof error.code === 'string' &&
    (sqlstate === undefined || error.code.startsWith(sqlstate))
  );
}

/**
 * A foreign error in our words, with the foreign one as its cause; ours are returned as they are.
 * @param what was tried, as a sentence without its full stop: "Could not read the catalog of the source"
 */
export function translateError(error: unknown, role: Role, what: string): TerraFusionError {
  if (error instanceof TerraFusionError) return error;
  const postgres = isPostgresError(error);
  const name = postgres ? serverKind(error, role) : clientKind(error, role);
  return new TerraFusionError(name, `${what}: ${reason(error)}`, {
    cause: error,
    ...(postgres ? { details: facts(error) } : {}),
  });
}

/** The server's words, its detail included where it names what is in the way. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    // "localhost" has several addresses, and none answered.
    return error.errors.map(reason).join('; ');
  }
  if (!(error instanceof Error)) return String(error);
  const text = error.message === '' ? error.name : error.message;
  return isPostgresError(error) && error.detail !== undefined && !isRowFailure(error.code)
    ? `${text} (${error.detail})`
    : text;
}

/** The detail of these shows a row's values: it belongs into the dead letter, not into a message. */
function isRowFailure(code: string): boolean {
  return code.startsWith('22') || code.startsWith('23');
}

function facts(error: PostgresError): Record<string, string> {
  const { code: sqlstate, schema, table, column, constraint } = error;
  return Object.fromEntries(
    Object.entries({ sqlstate, schema, table, column, constraint }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
    ),
  );
}

/** What Node and the driver throw without the server having said a word. */
function clientKind(error: unknown, role: Role): ErrorCode {
  const lost: ErrorCode = role === 'source' ? 'SOURCE_DISCONNECTED' : 'TARGET_UNREACHABLE';
  const unreachable: ErrorCode = role === 'source' ? 'SOURCE_UNREACHABLE' : 'TARGET_UNREACHABLE';
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error)) return 'INTERNAL';
  const code = 'code' in first && typeof first.code === 'string' ? first.code : '';
  if (/^(ECONNRESET|EPIPE|ERR_STREAM_DESTROYED|ERR_STREAM_WRITE_AFTER_END|ERR_STREAM_PREMATURE_CLOSE)$/.test(code))
    return lost;
  // Certificates: nobody gets in before somebody has put that right.
  if (/CERT|ERR_TLS|ERR_SSL|UNABLE_TO/.test(code))
    return role === 'source' ? 'SOURCE_LOGIN_FAILED' : 'TARGET_LOGIN_FAILED';
  if (/^E[A-Z_]+$/.test(code) && !code.startsWith('ERR_')) return unreachable;
  const { message } = first;
  if (/SASL|password must be|SSL/i.test(message))
    return role === 'source' ? 'SOURCE_LOGIN_FAILED' : 'TARGET_LOGIN_FAILED';
  if (/timeout expired/.test(message)) return unreachable;
  if (
    /Query read timeout|Connection terminated|not queryable|has encountered a connection error|Client was closed/.test(
      message,
    )
  )
    return lost;
  return 'INTERNAL';
}

function serverKind(error: PostgresError, role: Role): ErrorCode {
  return role === 'source' ? sourceKind(error) : targetKind(error);
}

function sourceKind({ code, message }: PostgresError): ErrorCode {
  switch (code) {
    case '28000':
    case '28P01':
      return 'SOURCE_LOGIN_FAILED';
    case '3D000':
      return 'SOURCE_DATABASE_MISSING';
    case '42501':
      return 'SOURCE_NO_PRIVILEGE';
    case '42P01':
    case '3F000':
      return 'SOURCE_TABLE_MISSING';
    case '42703':
      return 'SOURCE_COLUMN_MISSING';
    case '22P05':
      return 'SOURCE_ENCODING';
    case '42704':
      if (message.includes('replication slot')) return 'SOURCE_SLOT_MISSING';
      // Told while decoding: what was written without the publication cannot be decoded any more.
      return message.includes('publication') ? 'SOURCE_HISTORY_LOST' : 'SOURCE_STATEMENT_FAILED';
    case '53400':
      return 'SOURCE_SLOTS_EXHAUSTED';
    case '53300':
      return message.includes('max_wal_senders') ? 'SOURCE_SLOTS_EXHAUSTED' : 'SOURCE_RESOURCES';
    case '55006':
      return 'SOURCE_SLOT_IN_USE';
    case '55000':
      if (message.includes('wal_level')) return 'SOURCE_WAL_LEVEL';
      return /can no longer|invalidated|cannot read from/.test(message)
        ? 'SOURCE_HISTORY_LOST'
        : 'SOURCE_STATEMENT_FAILED';
    case '58P01':
      return message.includes('WAL segment') ? 'SOURCE_HISTORY_LOST' : 'SOURCE_RESOURCES';
    case '55P03':
    case '40001':
    case '40P01':
      return 'SOURCE_BUSY';
    case '57P03':
      return 'SOURCE_UNREACHABLE';
    default:
  }
  switch (code.slice(0, 2)) {
    case '08':
      if (code !== '08P01') return 'SOURCE_DISCONNECTED';
      // PgBouncer's answer to session settings and replication. (CHECKLIST 8)
      return message.includes('startup parameter') ? 'SOURCE_UNREACHABLE' : 'SOURCE_PROTOCOL';
    case '57':
      return 'SOURCE_DISCONNECTED';
    case '53':
    case '58':
      return 'SOURCE_RESOURCES';
    default:
      return 'SOURCE_STATEMENT_FAILED';
  }
}

function targetKind({ code, message }: PostgresError): ErrorCode {
  switch (code) {
    // A server that has become a standby takes writes again once it, or another one behind the same address, is primary.
    case '25006':
      return 'TARGET_READ_ONLY';
    // What it says to a transaction that asks to write from the first: "cannot set transaction read-write mode during recovery".
    case '0A000':
      return message.includes('during recovery') ? 'TARGET_READ_ONLY' : 'TARGET_STATEMENT_FAILED';
    // Somebody has shut the database (ALTER DATABASE … ALLOW_CONNECTIONS false), and will open it again.
    case '55000':
      return /accepting connections/.test(message) ? 'TARGET_UNREACHABLE' : 'TARGET_STATEMENT_FAILED';
    case '28000':
    case '28P01':
      return 'TARGET_LOGIN_FAILED';
    case '3D000':
      return 'TARGET_DATABASE_MISSING';
    case '42501':
      return 'TARGET_NO_PRIVILEGE';
    case '42P01':
    case '3F000':
      return 'TARGET_TABLE_MISSING';
    case '42703':
      return 'TARGET_COLUMN_MISSING';
    case '42704':
      return 'TARGET_TYPE_MISSING';
    // Of a row it is known before this is asked: here it is a name that the database cannot hold.
    case '22P05':
      return 'TARGET_ENCODING';
    // A value that the column's type, NOT NULL or CHECK refuses will be refused again.
    case '23502':
    case '23514':
    case '42804':
      return 'TARGET_ROW_REJECTED';
    case '55006':
    case '55P03':
    case '57014':
      return 'TARGET_BUSY';
    case '57P03':
      return 'TARGET_UNREACHABLE';
    default:
  }
  switch (code.slice(0, 2)) {
    case '08':
      return 'TARGET_UNREACHABLE';
    case '22':
      return 'TARGET_ROW_REJECTED';
    case '23':
      return 'TARGET_CONSTRAINT';
    case '40':
      return 'TARGET_BUSY';
    case '53':
    case '57':
    case '58':
      return 'TARGET_RESOURCES';
    default:
      return 'TARGET_STATEMENT_FAILED';
  }
}
