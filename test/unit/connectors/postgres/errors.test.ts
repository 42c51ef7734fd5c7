import { describe, expect, test } from 'vitest';
import { isPostgresError, translateError } from '#connectors/postgres/errors.ts';
import { ServerError } from '#connectors/postgres/wire/backend.ts';
import { TerraFusionError } from '#schemas/errors.ts';

function serverSays(code: string, message = 'no', detail?: string): ServerError {
  return new ServerError(
    new Map([['C', code], ['M', message], ['S', 'ERROR'], ...(detail ? [['D', detail] as const] : [])]),
  );
}

function nodeSays(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('what the server says', () => {
  test.each([
    ['28P01', 'SOURCE_LOGIN_FAILED', 'TARGET_LOGIN_FAILED'],
    ['28000', 'SOURCE_LOGIN_FAILED', 'TARGET_LOGIN_FAILED'],
    ['3D000', 'SOURCE_DATABASE_MISSING', 'TARGET_DATABASE_MISSING'],
    ['42501', 'SOURCE_NO_PRIVILEGE', 'TARGET_NO_PRIVILEGE'],
    ['42P01', 'SOURCE_TABLE_MISSING', 'TARGET_TABLE_MISSING'],
    ['42703', 'SOURCE_COLUMN_MISSING', 'TARGET_COLUMN_MISSING'],
    ['53300', 'SOURCE_RESOURCES', 'TARGET_RESOURCES'],
    ['53100', 'SOURCE_RESOURCES', 'TARGET_RESOURCES'],
    ['53400', 'SOURCE_SLOTS_EXHAUSTED', 'TARGET_RESOURCES'],
    ['55006', 'SOURCE_SLOT_IN_USE', 'TARGET_BUSY'],
    ['55P03', 'SOURCE_BUSY', 'TARGET_BUSY'],
    ['55000', 'SOURCE_STATEMENT_FAILED', 'TARGET_STATEMENT_FAILED'],
    ['25006', 'SOURCE_STATEMENT_FAILED', 'TARGET_READ_ONLY'],
    ['40001', 'SOURCE_BUSY', 'TARGET_BUSY'],
    ['40P01', 'SOURCE_BUSY', 'TARGET_BUSY'],
    ['57P01', 'SOURCE_DISCONNECTED', 'TARGET_RESOURCES'],
    ['57P03', 'SOURCE_UNREACHABLE', 'TARGET_UNREACHABLE'],
    ['57014', 'SOURCE_DISCONNECTED', 'TARGET_BUSY'],
    ['08006', 'SOURCE_DISCONNECTED', 'TARGET_UNREACHABLE'],
    ['22P02', 'SOURCE_STATEMENT_FAILED', 'TARGET_ROW_REJECTED'],
    ['23502', 'SOURCE_STATEMENT_FAILED', 'TARGET_ROW_REJECTED'],
    ['23505', 'SOURCE_STATEMENT_FAILED', 'TARGET_CONSTRAINT'],
    ['23503', 'SOURCE_STATEMENT_FAILED', 'TARGET_CONSTRAINT'],
    ['XX000', 'SOURCE_STATEMENT_FAILED', 'TARGET_STATEMENT_FAILED'],
  ])('%s', (sqlstate, source, target) => {
    const cause = serverSays(sqlstate);
    expect(translateError(cause, 'source', 'Could not').code).toBe(source);
    const error = translateError(cause, 'target', 'Could not');
    expect(error).toMatchObject({ code: target, cause, details: { sqlstate } });
  });

  test.each([
    ['55000', 'logical decoding requires "wal_level" >= "logical"', 'SOURCE_WAL_LEVEL'],
    ['55000', 'can no longer get changes from replication slot "s"', 'SOURCE_HISTORY_LOST'],
    ['55000', 'can no longer access replication slot "s"', 'SOURCE_HISTORY_LOST'],
    ['58P01', 'requested WAL segment 000000010000000000000001 has already been removed', 'SOURCE_HISTORY_LOST'],
    ['42704', 'replication slot "s" does not exist', 'SOURCE_SLOT_MISSING'],
    ['42704', 'publication "p" does not exist', 'SOURCE_HISTORY_LOST'],
    [
      '53300',
      'number of requested standby connections exceeds "max_wal_senders" (currently 10)',
      'SOURCE_SLOTS_EXHAUSTED',
    ],
    ['08P01', 'unsupported startup parameter: options', 'SOURCE_UNREACHABLE'],
  ])('%s %s', (sqlstate, message, code) => {
    expect(translateError(serverSays(sqlstate, message), 'source', 'Could not').code).toBe(code);
  });

  test.each([
    ['0A000', 'cannot set transaction read-write mode during recovery', 'TARGET_READ_ONLY'],
    ['0A000', 'a thing is not supported', 'TARGET_STATEMENT_FAILED'],
    ['55000', 'database "cama" is not currently accepting connections', 'TARGET_UNREACHABLE'],
  ])('of the target: %s %s', (sqlstate, message, code) => {
    expect(translateError(serverSays(sqlstate, message), 'target', 'Could not').code).toBe(code);
  });

  test('its words and their detail are in ours, but never the values of a row', () => {
    expect(translateError(serverSays('55006', 'in use', 'by PID 7'), 'source', 'Could not do it').message).toBe(
      'Could not do it: in use (by PID 7)',
    );
    expect(
      translateError(serverSays('23505', 'duplicate key', 'Key (ssn)=(123) already exists.'), 'target', 'Could not')
        .message,
    ).toBe('Could not: duplicate key');
  });
});

describe('what the driver and Node say', () => {
  test.each([
    ['ECONNREFUSED', 'SOURCE_UNREACHABLE', 'TARGET_UNREACHABLE'],
    ['ENOTFOUND', 'SOURCE_UNREACHABLE', 'TARGET_UNREACHABLE'],
    ['EHOSTUNREACH', 'SOURCE_UNREACHABLE', 'TARGET_UNREACHABLE'],
    ['ETIMEDOUT', 'SOURCE_UNREACHABLE', 'TARGET_UNREACHABLE'],
    ['ECONNRESET', 'SOURCE_DISCONNECTED', 'TARGET_UNREACHABLE'],
    ['EPIPE', 'SOURCE_DISCONNECTED', 'TARGET_UNREACHABLE'],
    ['Query read timeout', 'SOURCE_DISCONNECTED', 'TARGET_UNREACHABLE'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SOURCE_LOGIN_FAILED', 'TARGET_LOGIN_FAILED'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'SOURCE_LOGIN_FAILED', 'TARGET_LOGIN_FAILED'],
    ['ERR_INVALID_ARG_TYPE', 'INTERNAL', 'INTERNAL'],
  ])('%s', (code, source, target) => {
    expect(translateError(nodeSays(code), 'source', 'Could not').code).toBe(source);
    expect(translateError(nodeSays(code), 'target', 'Could not').code).toBe(target);
  });

  test('several addresses of one name: all their reasons', () => {
    const error = translateError(
      new AggregateError([nodeSays('ECONNREFUSED'), nodeSays('EHOSTUNREACH')]),
      'source',
      'Could not',
    );
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(error.message).toBe('Could not: ECONNREFUSED; EHOSTUNREACH');
  });

  test.each([
    ['timeout expired', 'SOURCE_UNREACHABLE'],
    ['Connection terminated unexpectedly', 'SOURCE_DISCONNECTED'],
    ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string', 'SOURCE_LOGIN_FAILED'],
    ['The server does not support SSL connections', 'SOURCE_LOGIN_FAILED'],
    ['something else', 'INTERNAL'],
  ])('%s', (message, code) => {
    expect(translateError(new Error(message), 'source', 'Could not').code).toBe(code);
  });

  test('ours pass as they are, and what is no error is told as text', () => {
    const ours = new TerraFusionError('SOURCE_BUSY', 'x');
    expect(translateError(ours, 'source', 'Could not')).toBe(ours);
    expect(translateError('broken', 'source', 'Could not')).toMatchObject({
      code: 'INTERNAL',
      message: 'Could not: broken',
    });
  });
});

test("a SQLSTATE is told from Node's codes of five letters", () => {
  expect(isPostgresError(nodeSays('EPIPE'))).toBe(false);
  expect(isPostgresError(serverSays('23505'), '23')).toBe(true);
  expect(isPostgresError(serverSays('23505'), '23503')).toBe(false);
});
