import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { TerraFusionError } from '#schemas/errors.ts';
import { pairConfigPatch } from '#schemas/http/pairs.ts';
import { pairConfig, tableInput } from '#schemas/pairs.ts';
import { toOurs } from '#services/gateway/errors.ts';
import { fieldProblems, formatPath, invalidFields, unstorableTexts } from '#services/gateway/fields.ts';
import { hostOf, isLoopback } from '#services/gateway/loopback.ts';

const told = (schema: z.ZodType, value: unknown) =>
  Object.fromEntries(fieldProblems(schema.safeParse(value).error!.issues).map(({ path, message }) => [path, message]));

describe('paths', () => {
  test('are written as one would write them', () => {
    expect(formatPath(['tables', 0, 'columns', 'tax_year', 'compute'])).toBe('tables[0].columns.tax_year.compute');
    expect(formatPath(['columns', 'My "Column"'])).toBe(String.raw`columns["My \"Column\""]`);
    expect(formatPath([])).toBe('');
  });
});

describe('what zod found', () => {
  test('of a union is only the branch that was meant', () => {
    expect(told(tableInput, { source: 'a.b', columns: { x: { from: 'y', transforms: ['trimm'] } } })).toEqual({
      'columns.x.transforms[0]': expect.stringContaining('"trim"') as string,
    });
    expect(
      told(tableInput, { source: 'a.b', columns: { x: { from: 'y', transforms: [{ pad_left: { length: 0 } }] } } }),
    ).toEqual({
      'columns.x.transforms[0].pad_left.length': expect.any(String) as string,
    });
    expect(told(tableInput, { source: 'a.b', columns: { x: { form: 'y' } } })).toHaveProperty(['columns.x']);
    expect(told(tableInput, { source: 'a.b', columns: 'all' })).toEqual({ columns: 'must be "same", or an object' });
  });

  test('is told for every field, and too many are counted', () => {
    const problems = fieldProblems(z.array(z.int()).safeParse(['a', 'b', 'c', 'd', 'e', 'f', 'g']).error!.issues);
    expect(invalidFields(problems).message).toContain('; and 2 more');
    expect(told(z.strictObject({ a: z.string() }), { b: 1, c: 2 })).toEqual({
      a: 'is missing (expected string)',
      b: 'there is no field of this name here',
      c: 'there is no field of this name here',
    });
  });

  test('never throws, whatever was sent', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const parsed = tableInput.safeParse(value);
        if (!parsed.success) expect(invalidFields(fieldProblems(parsed.error.issues)).code).toBe('REQUEST_INVALID');
      }),
    );
  });

  test('keeps its code when all problems have the same one', () => {
    const problem = (code: 'SOURCE_TABLE_MISSING' | 'PAIR_INVALID') => ({ path: 'x', code, message: 'm', fix: 'f' });
    expect(invalidFields([problem('SOURCE_TABLE_MISSING')], 'pair', 'PAIR_INVALID').code).toBe('SOURCE_TABLE_MISSING');
    expect(invalidFields([problem('SOURCE_TABLE_MISSING'), problem('PAIR_INVALID')], 'pair', 'PAIR_INVALID').code).toBe(
      'PAIR_INVALID',
    );
  });
});

test('a patch of the config knows every setting, and leaves out what is not given', () => {
  expect(Object.keys(pairConfigPatch.shape)).toEqual(Object.keys(pairConfig.shape));
  expect(pairConfigPatch.parse({})).toEqual({});
  expect(pairConfigPatch.parse({ on_invalid: 'halt' })).toEqual({ on_invalid: 'halt' });
});

test('foreign errors are translated, and what is not known is a defect', () => {
  expect(toOurs(new TerraFusionError('NOT_FOUND', 'x')).code).toBe('NOT_FOUND');
  expect(toOurs(Object.assign(new Error('x'), { code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 })).code).toBe(
    'REQUEST_TOO_LARGE',
  );
  expect(toOurs(Object.assign(new SyntaxError('x'), { statusCode: 400 })).code).toBe('REQUEST_NOT_JSON');
  expect(toOurs(Object.assign(new Error('x'), { statusCode: 418 })).code).toBe('REQUEST_INVALID');
  expect(toOurs(new TypeError('x')).code).toBe('INTERNAL');
  expect(toOurs('x').code).toBe('INTERNAL');
});

test('loopback is this machine and nothing else', () => {
  for (const here of ['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1'])
    expect(isLoopback(here), here).toBe(true);
  for (const there of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '::ffff:10.0.0.1',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '',
  ]) {
    expect(isLoopback(there), there).toBe(false);
  }
  expect(['localhost:5000', '[::1]:5000', '127.0.0.1'].map(hostOf)).toEqual(['localhost', '[::1]', '127.0.0.1']);
});

test('texts that PostgreSQL cannot hold are told by their field, names of fields included (CHECKLIST 40)', () => {
  const told = (value: unknown): string[] => unstorableTexts(value).map(({ path }) => path);
  expect(told({ name: 'Ann', tables: [{ source: 'a.b' }], note: '\u{1f600}', none: null, many: 3 })).toEqual([]);
  expect(told({ name: 'a\0b', tables: [{ source: 'a.b' }, { source: '\ud800' }] })).toEqual([
    'name',
    'tables[1].source',
  ]);
  expect(told({ ['a\0']: 1 })).toHaveLength(1);
});
