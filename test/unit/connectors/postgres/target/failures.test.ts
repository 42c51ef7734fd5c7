import { describe, expect, test } from 'vitest';
import { batchFailure, rowFailure } from '#connectors/postgres/target/failures.ts';
import { ServerError } from '#connectors/postgres/wire/backend.ts';
import { TerraFusionError } from '#schemas/errors.ts';

const error = (code: string, detail?: string, fields: Readonly<Record<string, string>> = {}) =>
  new ServerError(
    new Map([
      ['M', 'words'],
      ['V', 'ERROR'],
      ['C', code],
      ...(detail === undefined ? [] : [['D', detail] as const]),
      ...Object.entries(fields),
    ]),
  );

describe('what a failure means, by SQLSTATE (CHECKLIST 32)', () => {
  test.each([
    ['22001', 'TARGET_ROW_REJECTED'],
    ['22P02', 'TARGET_ROW_REJECTED'],
    ['22021', 'TARGET_ROW_REJECTED'],
    ['22P05', 'TARGET_ROW_REJECTED'],
    ['23502', 'TARGET_ROW_REJECTED'],
    ['23514', 'TARGET_ROW_REJECTED'],
    ['42804', 'TARGET_ROW_REJECTED'],
    ['54000', 'TARGET_ROW_REJECTED'],
    ['P0001', 'TARGET_ROW_REJECTED'],
    ['23503', 'TARGET_CONFLICT'],
    ['23505', 'TARGET_CONFLICT'],
    ['23P01', 'TARGET_CONFLICT'],
    ['23001', 'TARGET_CONFLICT'],
    ['TF002', 'TARGET_CONFLICT'],
  ])('%s is the fault of a row: %s; a batch is repeated change by change', (code, kind) => {
    expect(rowFailure(error(code))).toBe(kind);
    expect(batchFailure(error(code), 'p')).toMatchObject({ code: 'TARGET_CONSTRAINT' });
  });

  test.each([
    ['TF001', 'TARGET_FENCED', true],
    ['40001', 'TARGET_BUSY', true],
    ['40P01', 'TARGET_BUSY', true],
    ['55P03', 'TARGET_BUSY', true],
    ['57014', 'TARGET_BUSY', true],
    ['08006', 'TARGET_UNREACHABLE', true],
    ['53100', 'TARGET_RESOURCES', true],
    ['57P01', 'TARGET_RESOURCES', true],
    ['25006', 'TARGET_READ_ONLY', true],
    ['42501', 'TARGET_NO_PRIVILEGE', false],
    ['42P01', 'TARGET_TABLE_MISSING', false],
    ['42703', 'TARGET_COLUMN_MISSING', false],
    ['0A000', 'TARGET_STATEMENT_FAILED', false],
  ] as const)('%s is not: %s', (code, kind, heals) => {
    // Where it is the statement that does not fit, the server points into it.
    const told = error(code, undefined, { P: '12' });
    expect(rowFailure(told)).toBeUndefined();
    const failure = batchFailure(told, 'p');
    expect([failure.code, failure.heals]).toEqual([kind, heals]);
    expect(failure.cause).toBeInstanceOf(ServerError);
  });

  test.each(['42P01', '42883', '42704', '3F000', '42725', '42602'])(
    '%s without a place in the statement is a regclass or the like that names something unknown: the fault of a row',
    (code) => {
      expect(rowFailure(error(code))).toBe('TARGET_ROW_REJECTED');
      expect(rowFailure(error(code, undefined, { W: 'COPY t, line 3, column v: "x"' }))).toBe('TARGET_ROW_REJECTED');
      expect(
        rowFailure(error(code, undefined, { W: 'PL/pgSQL function f() line 3 at SQL statement' })),
      ).toBeUndefined();
    },
  );

  test('a type whose values nobody can read', () => {
    const refused = error('0A000', undefined, { M: 'cannot accept a value of type pg_node_tree' });
    expect(rowFailure(refused)).toBe('TARGET_ROW_REJECTED');
  });

  test("a row's values stay out of the message (Promise 8)", () => {
    expect(batchFailure(error('23505', 'Key (ssn)=(123) already exists.'), 'p').message).not.toContain('123');
  });

  test('ours pass as they are', () => {
    const ours = new TerraFusionError('BLOCK_CORRUPT', 'x');
    expect(batchFailure(ours, 'p')).toBe(ours);
  });
});
