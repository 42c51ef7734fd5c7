import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RowFailure } from '#services/stream-processor/row-failure.ts';
import {
  builtInNamed,
  decodeBytes,
  decodeText,
  encodeValue,
  headerType,
  isOfKind,
  kindOf,
  readText,
  type ValueKind,
} from '#services/stream-processor/values.ts';

const kinds: readonly ValueKind[] = ['int', 'decimal', 'money', 'double', 'bool', 'bytes', 'string'];

const attempt = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(RowFailure);
    return (error as RowFailure).message;
  }
};

const arbNumberText = fc.oneof(
  fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
  fc
    .tuple(fc.constantFrom('', '-'), fc.nat(), fc.stringMatching(/^[0-9]{0,12}$/))
    .map(([sign, whole, rest]) => `${sign}${whole}.${rest}`),
  fc.constantFrom(
    '',
    '-',
    '.',
    '-.',
    '.5',
    '5.',
    '--1',
    '1-',
    '1.2.3',
    '+1',
    ' 1',
    '0x1',
    '1e3',
    'NaN',
    '-0',
    '00012',
    '0.0',
  ),
);

describe('a cell', () => {
  test('whose bytes are no text fails its row, and never goes on as another text', () => {
    const bytes = Buffer.from([0x61, 0xe9, 0x62]);
    expect(() => decodeBytes(bytes, 0, 3, 'string', 'c')).toThrow(RowFailure);
    expect(() => readText(bytes, 1, 2)).toThrow('no text in UTF-8');
    expect(readText(bytes, 2, 3)).toBe('b');
    // The character itself is one like any other.
    expect(readText(Buffer.from('\ufffd'), 0, 3)).toBe('\ufffd');
  });

  test('is read the same from bytes as from text, whatever it holds', () => {
    fc.assert(
      fc.property(fc.oneof(arbNumberText, fc.string({ unit: 'grapheme' })), fc.constantFrom(...kinds), (text, kind) => {
        const bytes = Buffer.from(`<${text}>`);
        const fromBytes = attempt(() => decodeBytes(bytes, 1, bytes.length - 1, kind, 'c'));
        expect(fromBytes).toEqual(attempt(() => decodeText(text, kind, 'c')));
      }),
      { numRuns: 2000 },
    );
  });

  test.each<[ValueKind, string]>([
    ['int', '-9223372036854775808'],
    ['int', '0'],
    ['decimal', '-0.00'],
    ['decimal', '12345678901234567890.0123456789'],
    ['double', 'NaN'],
    ['double', '-Infinity'],
    ['double', '1e-07'],
    ['bool', 't'],
    ['bool', 'f'],
    ['bytes', '\\x00ff'],
    ['string', '😀 text'],
  ])('of kind %s goes through %s without a loss', (kind, text) => {
    const value = decodeText(text, kind, 'c');
    expect(isOfKind(value, kind)).toBe(true);
    const again = encodeValue(value)!;
    expect(decodeText(again, kind, 'c')).toEqual(value);
    if (kind !== 'double' && text !== '-0.00') expect(again).toBe(text);
  });

  test('that cannot be read names its column', () => {
    expect(() => decodeText('abc', 'int', 'year')).toThrow('year holds "abc", which is no whole number');
    expect(() => decodeText('maybe', 'bool', 'active')).toThrow('active');
    expect(() => decodeText('', 'double', 'ratio')).toThrow('ratio');
    expect(() => decodeText('xyz', 'bytes', 'data')).toThrow('data');
    expect(() => decodeText('x'.repeat(100), 'decimal', 'value')).toThrow(/value: "x{60}…"/);
  });
});

describe('a type', () => {
  test.each([
    ['numeric(14,2)', 'numeric'],
    ['INT', 'integer'],
    ['int8', 'bigint'],
    ['double   precision', 'double precision'],
    ['character varying(20)', 'character varying'],
    ['varchar', 'character varying'],
    ['timestamp(3) with time zone', 'timestamp with time zone'],
    ['pg_catalog.bool', 'boolean'],
    ['geometry(MultiPolygon,2927)', undefined],
    ['integer[]', undefined],
    ['constructor', undefined],
  ])('%s is the built-in %s', (words, name) => {
    expect(builtInNamed(words)).toBe(name);
  });

  test('of another kind of database object is text to expressions', () => {
    expect(kindOf({ typeOid: 16_999 })).toBe('string');
    expect(kindOf({ typeOid: 1007 })).toBe('string');
    expect(kindOf(headerType('numeric'))).toBe('decimal');
  });
});
