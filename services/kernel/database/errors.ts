import pg from 'pg';
import { TerraFusionError } from '#schemas/errors.ts';
import { maskText } from '../masking.ts';

/** SQLSTATEs of sessions that cannot be had or were ended: connection, resources, shutdown. */
const unreachable = /^(08|53|57P0)/;
/** Wrong user, password or database. */
const refused = /^(28|3D000)/;
/** What the driver says, without a code, about a connection that is none (any more). */
const driverSays =
  /^(Connection terminated|timeout e|Query read timeout|Client (has|was)|The server does not support SSL|There was an error establishing|Cannot use a pool after)/i;
const tlsCodes = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH)/;

/** The SQLSTATE in an error or in its cause. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof pg.DatabaseError) return error.code;
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : undefined;
}

/** Whether the statement would have broken the named unique constraint or index, or any if none is named. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof pg.DatabaseError)
    return error.code === '23505' && (constraint === undefined || error.constraint === constraint);
  return isUniqueViolation(error.cause, constraint);
}

/** An error of the driver in our words. (STYLE: foreign errors are translated at the edge, with their cause kept.) */
export function translate(cause: unknown): TerraFusionError {
  if (cause instanceof TerraFusionError) return cause;
  if (cause instanceof pg.DatabaseError) return translateSqlState(cause);
  const { message, code } = connectionError(cause);
  if (code !== undefined || driverSays.test(message)) {
    return new TerraFusionError(
      'CONTROL_DATABASE_UNREACHABLE',
      `The control database cannot be reached: ${maskText(message)}`,
      { cause },
    );
  }
  return new TerraFusionError('INTERNAL', `The control database could not be asked: ${maskText(message)}`, { cause });
}

function translateSqlState(cause: pg.DatabaseError): TerraFusionError {
  const state = cause.code ?? '';
  const message = maskText(cause.message);
  const details = { sqlstate: state, ...(cause.constraint === undefined ? {} : { constraint: cause.constraint }) };
  if (refused.test(state)) {
    return new TerraFusionError('CONTROL_DATABASE_LOGIN_FAILED', `The control database lets us not in: ${message}`, {
      cause,
      details,
    });
  }
  if (unreachable.test(state)) {
    return new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', `The control database does not serve us: ${message}`, {
      cause,
      details,
    });
  }
  if (state.startsWith('23')) {
    return new TerraFusionError(
      'CONFLICTING_STATE',
      `The control database holds something that stands against it: ${message}`,
      { cause, details },
    );
  }
  return new TerraFusionError('INTERNAL', `The control database refused a statement: ${message}`, { cause, details });
}

/** Message and system code; several addresses of one host come as one error without a message of its own. */
function connectionError(error: unknown): { message: string; code: string | undefined } {
  if (error instanceof AggregateError && error.errors.length > 0) return connectionError(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error), code: undefined };
  const { code, syscall } = error as NodeJS.ErrnoException;
  return {
    message: error.message,
    code: syscall !== undefined || (code !== undefined && tlsCodes.test(code)) ? (code ?? '') : undefined,
  };
}
