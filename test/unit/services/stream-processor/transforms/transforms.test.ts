import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { transformInput, type TransformInput } from '#schemas/pairs.ts';
import { RowFailure } from '#services/stream-processor/row-failure.ts';
import { compileTransform } from '#services/stream-processor/transforms/index.ts';
import { codePoints } from '#services/stream-processor/transforms/text.ts';
import type { z } from 'zod';

const apply = (input: z.input<typeof transformInput>, text: string | null) =>
  compileTransform(transformInput.parse(input))(text);

describe('a transform', () => {
  test.each<[z.input<typeof transformInput>, string | null, string | null]>([
    ['trim', '  a b ', 'a b'],
    ['upper', 'straße', 'STRASSE'],
    ['lower', 'ÄB', 'äb'],
    ['collapse_spaces', ' a \t\n b ', 'a b'],
    ['digits_only', '12-34 A5', '12345'],
    ['null_if_empty', '', null],
    ['null_if_empty', ' ', ' '],
    [{ pad_left: { length: 5 } }, '42', '00042'],
    [{ pad_left: { length: 2 } }, '12345', '12345'],
    [{ pad_left: { length: 3, with: '-' } }, '😀', '--😀'],
    [{ pad_right: { length: 4 } }, 'ab', 'ab  '],
    [{ replace: { find: '-', with: '' } }, '1-2-3', '123'],
    [{ replace: { find: '.', with: '$&' } }, 'a.b', 'a$&b'],
    [{ replace_pattern: { pattern: String.raw`(\w+) (\w+)`, with: '$2 $1' } }, 'SMITH JOHN', 'JOHN SMITH'],
    [{ replace_pattern: { pattern: '[^0-9]', with: '' } }, 'a1b2', '12'],
    [{ lookup: { values: { R: 'Real', MH: null } } }, 'R', 'Real'],
    [{ lookup: { values: { R: 'Real', MH: null } } }, 'MH', null],
    [{ lookup: { values: { R: 'Real' } } }, 'X', 'X'],
    [{ lookup: { values: { R: 'Real' }, otherwise: 'null' } }, 'X', null],
    [{ lookup: { values: { R: 'Real' } } }, null, null],
    [{ lookup: { values: {} } }, 'constructor', 'constructor'],
    [{ default: 'none' }, null, 'none'],
    [{ default: 'none' }, '', ''],
    [{ prefix: '053-' }, '1', '053-1'],
    [{ suffix: '!' }, '1', '1!'],
    [{ mask: {} }, '123456789', '*****6789'],
    [{ mask: { keep_last: 4 } }, '123', '***'],
    [{ mask: { keep_last: 0, with: '#' } }, 'a😀', '##'],
    [{ hash: { salt: 'pepper' } }, 'x', '34ddbc6e3a8b1ad7d17a3ba4dd1a1b30b1bc0e3ed19f5bfcd48a1dc8e67c4a31'],
    [{ truncate: { length: 2 } }, 'a😀b', 'a😀'],
    [{ truncate: { length: 0 } }, 'abc', ''],
  ])('%j turns %j into %j', (input, text, result) => {
    if (typeof input === 'object' && 'hash' in input) {
      expect(apply(input, text)).toMatch(/^[0-9a-f]{64}$/);
      expect(apply(input, text)).not.toBe(apply({ hash: {} }, text));
      return;
    }
    expect(apply(input, text)).toBe(result);
  });

  const all: TransformInput[] = [
    'trim',
    'upper',
    'lower',
    'collapse_spaces',
    'digits_only',
    'null_if_empty',
    { pad_left: { length: 5, with: '0' } },
    { pad_right: { length: 5, with: ' ' } },
    { replace: { find: 'a', with: 'b' } },
    { replace_pattern: { pattern: 'a', with: 'b' } },
    { lookup: { values: { a: 'b' }, otherwise: 'keep' } },
    { prefix: 'p' },
    { suffix: 's' },
    { mask: { keep_last: 2, with: '*' } },
    { hash: { algorithm: 'sha256', salt: '' } },
    { truncate: { length: 3 } },
  ];

  test('leaves NULL alone, unless it is made for it', () => {
    for (const input of all) expect(compileTransform(input)(null)).toBeNull();
  });

  test('gives the same again, and well-formed text for well-formed text', () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.string({ unit: 'grapheme' }), (input, text) => {
        const result = compileTransform(input)(text);
        expect(compileTransform(input)(text)).toBe(result);
        if (result !== null) expect(result.isWellFormed()).toBe(true);
      }),
    );
  });

  test('pads and cuts by characters, not by UTF-16 units', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 20 }), (text, length) => {
        expect(codePoints(text)).toBe(Array.from(text).length);
        expect(codePoints(apply({ pad_left: { length } }, text)!)).toBe(Math.max(length, codePoints(text)));
        expect(codePoints(apply({ truncate: { length } }, text)!)).toBe(Math.min(length, codePoints(text)));
      }),
    );
  });

  test('refuses what is not in its list, NULL included, when told to', () => {
    const lookup = { lookup: { values: { R: 'Real' }, otherwise: 'reject' } } as const;
    expect(apply(lookup, 'R')).toBe('Real');
    expect(() => apply(lookup, 'X')).toThrow(RowFailure);
    expect(() => apply(lookup, 'X')).toThrow('"X" is not in the lookup');
    expect(() => apply(lookup, null)).toThrow('NULL is not in');
  });

  test('with a pattern refuses a value that is too long for it', () => {
    const input = { replace_pattern: { pattern: String.raw`\s+$`, with: '' } };
    expect(apply(input, `x${' '.repeat(100)}`)).toBe('x');
    expect(() => apply(input, ' '.repeat(20_000))).toThrow(/too long for replace_pattern: at most \d+/);
  });

  test('with a pattern that cannot be bounded is not made', () => {
    expect(() => apply({ replace_pattern: { pattern: '(a+)+', with: '' } }, 'a')).toThrow(RangeError);
  });
});
