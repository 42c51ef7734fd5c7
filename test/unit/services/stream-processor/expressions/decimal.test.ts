import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decimal } from '#services/stream-processor/expressions/decimal.ts';

const d = (text: string) => Decimal.parse(text);

/** A decimal as an integer and a scale, for reckoning by bigint beside it. */
const arbParts = fc.record({
  // Small ones are kept as numbers: on either side of where those end, and of nought, too.
  units: fc.oneof(
    fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
    fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }),
    fc.bigInt({ min: -3n, max: 3n }),
    fc
      .tuple(fc.constantFrom(-1n, 1n), fc.bigInt({ min: -3n, max: 3n }))
      .map(([sign, beside]) => sign * (2n ** 53n + beside)),
  ),
  scale: fc.integer({ min: 0, max: 20 }),
});
type Parts = typeof arbParts extends fc.Arbitrary<infer T> ? T : never;

function textOf({ units, scale }: Parts): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return units < 0n ? `-${text}` : text;
}

const at = ({ units, scale }: Parts, wanted: number) => units * 10n ** BigInt(wanted - scale);

describe('a decimal', () => {
  test('prints what it was read from, trailing zeros included', () => {
    fc.assert(
      fc.property(arbParts, (parts) => {
        expect(d(textOf(parts)).toString()).toBe(textOf(parts));
      }),
    );
  });

  test('tells apart what is the same to a double (Promise 4)', () => {
    const [more, less] = [Decimal.parse('9007199254740993'), Decimal.parse('9007199254740992')];
    expect([more.compare(less), less.compare(more), more.compare(more)].map(Math.sign)).toEqual([1, -1, 0]);
  });

  test('adds, subtracts, multiplies and compares exactly', () => {
    fc.assert(
      fc.property(arbParts, arbParts, (a, b) => {
        const scale = Math.max(a.scale, b.scale);
        const [x, y] = [d(textOf(a)), d(textOf(b))];
        expect(x.plus(y).toString()).toBe(textOf({ units: at(a, scale) + at(b, scale), scale }));
        expect(x.minus(y).toString()).toBe(textOf({ units: at(a, scale) - at(b, scale), scale }));
        expect(x.times(y).toString()).toBe(textOf({ units: a.units * b.units, scale: a.scale + b.scale }));
        const [left, right] = [at(a, scale), at(b, scale)];
        expect(Math.sign(x.compare(y))).toBe(left < right ? -1 : left > right ? 1 : 0);
      }),
    );
  });

  test('is never a double', () => {
    expect(d('0.1').plus(d('0.2')).toString()).toBe('0.3');
    expect(d('9007199254740993').plus(d('0')).toString()).toBe('9007199254740993');
    expect(d('1234567890123456789012345678.0123456789').times(d('1')).toString()).toBe(
      '1234567890123456789012345678.0123456789',
    );
    expect(d('100.00').plus(d('1.5')).toString()).toBe('101.50');
  });

  // What PostgreSQL 18 prints for the same numeric expressions.
  test.each([
    ['1', '3', '0.33333333333333333333'],
    ['2', '3', '0.66666666666666666667'],
    ['10.0', '3', '3.3333333333333333'],
    ['10', '3', '3.3333333333333333'],
    ['100', '3', '33.3333333333333333'],
    ['10000', '3', '3333.3333333333333333'],
    ['100000000', '3', '33333333.333333333333'],
    ['1', '1000000', '0.000001000000000000000000'],
    ['1.50', '3', '0.50000000000000000000'],
    ['-1', '3', '-0.33333333333333333333'],
    ['0', '3', '0.00000000000000000000'],
    ['1', '0.00000000000000000000000001', '100000000000000000000000000.00000000000000000000000000'],
    ['12345678901234567890', '7', '1763668414462081127'],
    ['9999', '10000', '0.99990000000000000000'],
    ['10000', '9999', '1.0001000100010001'],
    ['0.00001', '3', '0.000003333333333333333333'],
  ])('divides %s by %s as PostgreSQL does', (a, b, quotient) => {
    expect(d(a).dividedBy(d(b)).toString()).toBe(quotient);
  });

  test.each([
    ['7', '3', '1'],
    ['-7', '3', '-1'],
    ['7.5', '-2', '1.5'],
  ])('takes %s modulo %s with the sign of the dividend', (a, b, rest) => {
    expect(d(a).modulo(d(b)).toString()).toBe(rest);
  });

  test.each([
    ['2.5', 0, '3'],
    ['-2.5', 0, '-3'],
    ['2.345', 2, '2.35'],
    ['1.5', 3, '1.500'],
    ['-0.4', 0, '0'],
  ])('rounds %s to %d digits away from zero', (text, digits, rounded) => {
    expect(d(text).round(digits).toString()).toBe(rounded);
  });

  test('has a floor, a ceiling, an absolute value and an opposite', () => {
    expect(d('-2.5').floor().toString()).toBe('-3');
    expect(d('2.5').floor().toString()).toBe('2');
    expect(d('2.1').ceil().toString()).toBe('3');
    expect(d('-2.1').ceil().toString()).toBe('-2');
    expect(d('-2.10').abs().toString()).toBe('2.10');
    expect(d('2.10').negate().toString()).toBe('-2.10');
  });

  test('becomes an int by cutting, within 64 bits', () => {
    expect(d('-7.9').toInt()).toBe(-7n);
    expect(d('9223372036854775807').toInt()).toBe(9223372036854775807n);
    expect(() => d('9223372036854775808').toInt()).toThrow('does not fit an int');
  });

  test('is read in any notation that PostgreSQL or CEL may give it', () => {
    expect(d('1e3').toString()).toBe('1000');
    expect(d('1.5e-3').toString()).toBe('0.0015');
    expect(d('.5').toString()).toBe('0.5');
    expect(d('5.').toString()).toBe('5');
    expect(d('+5').toString()).toBe('5');
    expect(Decimal.fromDouble(0.1).toString()).toBe('0.1');
    expect(Decimal.fromDouble(1e21).toString()).toBe('1000000000000000000000');
  });

  test.each(['', 'NaN', 'Infinity', '-Infinity', '0x10', '1 2', '--1', '1e99999', 'abc'])('is not %j', (text) => {
    expect(() => d(text)).toThrow(RangeError);
  });

  test('refuses what has no result', () => {
    expect(() => d('1').dividedBy(d('0.00'))).toThrow('division by zero');
    expect(() => d('1').modulo(d('0'))).toThrow('division by zero');
    expect(() => d('1').round(-1)).toThrow(RangeError);
    expect(() => Decimal.fromDouble(NaN)).toThrow(RangeError);
  });
});

describe('money', () => {
  test.each([
    ['$1,234.56', '1234.56'],
    ['-$1,234,567.80', '-1234567.80'],
    ['$0.00', '0.00'],
    ['12', '12'],
  ])('%s is read as an exact decimal', (text, amount) => {
    expect(Decimal.parseMoney(text).toString()).toBe(amount);
  });

  test.each(['1.234,56 €', '($5.00)', '£5.00', '$1,23'])('%s, of another locale, is not guessed at', (text) => {
    expect(() => Decimal.parseMoney(text)).toThrow('lc_monetary');
  });
});
