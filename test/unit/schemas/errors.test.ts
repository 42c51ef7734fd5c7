import { describe, expect, test } from 'vitest';
import { asTerraFusionError, errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';

const codes = Object.keys(errorKinds) as ErrorCode[];

describe('the table of errors', () => {
  test.each(codes)('%s says what to do, in a sentence', (code) => {
    const { fix, status, heals } = errorKinds[code];
    expect(fix).toMatch(/^[A-Z`].*\.$/s);
    expect(fix.length).toBeGreaterThanOrEqual(20);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(typeof heals).toBe('boolean');
  });

  test('codes are words in capitals', () => {
    expect(codes.filter((code) => !/^[A-Z]+(_[A-Z]+)*$/.test(code))).toEqual([]);
  });
});

describe('an error', () => {
  test('carries its row of the table, its facts and its cause', () => {
    const cause = new Error('socket closed');
    const error = new TerraFusionError('SOURCE_DISCONNECTED', 'The connection broke', { cause, details: { port: 1 } });
    expect(error).toMatchObject({
      name: 'TerraFusionError',
      code: 'SOURCE_DISCONNECTED',
      heals: true,
      fix: errorKinds.SOURCE_DISCONNECTED.fix,
      details: { port: 1 },
      cause,
    });
    expect(new TerraFusionError('NOT_FOUND', 'no').details).toEqual({});
    expect('cause' in new TerraFusionError('NOT_FOUND', 'no')).toBe(false);
  });

  test('of our own stays as it is, any other becomes INTERNAL with its cause', () => {
    const own = new TerraFusionError('NOT_FOUND', 'no such pair');
    expect(asTerraFusionError(own)).toBe(own);
    const foreign = new TypeError('x is not a function');
    expect(asTerraFusionError(foreign)).toMatchObject({ code: 'INTERNAL', message: foreign.message, cause: foreign });
    expect(asTerraFusionError('text')).toMatchObject({ code: 'INTERNAL', message: 'text', cause: 'text' });
  });
});
