import { type ErrorCode, TerraFusionError } from '#schemas/errors.ts';
import { isPostgresError, type PostgresError, translateError } from '../errors.ts';
import { FENCED, ROWS_DIFFER } from './bookkeeping.ts';

/**
 * What a change that the target refuses is called, by SQLSTATE; undefined when it is not the change's fault. (CHECKLIST 32)
 *
 * TARGET_ROW_REJECTED: the value will be refused again (type, NOT NULL, CHECK, size, a trigger's RAISE).
 * TARGET_CONFLICT: it does not fit what the target holds (unique, foreign key, exclusion, a row that is not there).
 */
export function rowFailure(error: unknown): Extract<ErrorCode, 'TARGET_ROW_REJECTED' | 'TARGET_CONFLICT'> | undefined {
  if (!isPostgresError(error)) return undefined;
  const { code } = error;
  if (isUnknownName(error)) return 'TARGET_ROW_REJECTED';
  switch (code) {
    case ROWS_DIFFER:
    case '23001': // restrict
    case '23503': // foreign key
    case '23505': // unique
    case '23P01': // exclusion
      return 'TARGET_CONFLICT';
    case '42804': // of another type
    case '44000': // WITH CHECK OPTION of a view
    case 'P0001': // RAISE in a trigger
      return 'TARGET_ROW_REJECTED';
    default:
  }
  // Types that are printed and read by nobody (pg_node_tree).
  if (code === '0A000' && error.message.startsWith('cannot accept a value of type')) return 'TARGET_ROW_REJECTED';
  // 22: the value itself, bytes that the target's encoding cannot hold included. 23: constraints. 54: larger than an index entry may be.
  return /^(22|23|54)/.test(code) ? 'TARGET_ROW_REJECTED' : undefined;
}

/** Objects that are not there, by the SQLSTATEs of a regclass, regproc, regtype, regnamespace … that names one. */
const unknownNames: readonly string[] = ['42P01', '42883', '42704', '3F000', '42725', '42602'];

/**
 * Whether it is a value that names something unknown (regclass and the like), and not the statement: the server points into a query that
 * does not fit, and says where it was when a trigger's own statement failed or a COPY met such a value. Of a command that takes no
 * values (TRUNCATE, the begin of a COPY) it looks the same: who sends one has to know.
 */
export function isUnknownName(error: unknown): boolean {
  if (!isPostgresError(error) || !unknownNames.includes(error.code) || error.position !== undefined) return false;
  const { where = '' } = error;
  return where === '' || isWithinCopy(error);
}

/** Whether a COPY met the error in one of its lines. */
export function isWithinCopy({ where = '' }: PostgresError): boolean {
  return /^COPY [^\n]*, line \d+/.test(where);
}

/** The server's words for a dead letter, whose reader needs the values: "… (Key (id)=(1) already exists.)" */
export function reasonOf(error: PostgresError): string {
  return error.detail === undefined ? error.message : `${error.message} (${error.detail})`;
}

/** What leaves the connector when a batch has failed as a whole. */
export function batchFailure(error: unknown, pairId: string): TerraFusionError {
  const what = `Could not apply changes of pair ${pairId}`;
  if (isPostgresError(error, FENCED)) return new TerraFusionError('TARGET_FENCED', error.message, { cause: error });
  if (rowFailure(error) !== undefined) {
    const translated = translateError(error, 'target', what);
    return new TerraFusionError('TARGET_CONSTRAINT', translated.message, { cause: error, details: translated.details });
  }
  return translateError(error, 'target', what);
}
