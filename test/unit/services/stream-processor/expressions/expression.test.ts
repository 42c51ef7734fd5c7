import { describe, expect, test } from 'vitest';
import { ExpressionMistake } from '#services/stream-processor/expressions/ast.ts';
import { compileExpression, type ExpressionColumns } from '#services/stream-processor/expressions/expression.ts';
import { RowFailure } from '#services/stream-processor/row-failure.ts';
import { decodeText, encodeValue, type ValueKind } from '#services/stream-processor/values.ts';

const kinds: Omit<Record<string, ValueKind>, 'constructor'> & { constructor: ValueKind } = {
  year: 'int',
  value: 'decimal',
  paid: 'money',
  ratio: 'double',
  active: 'bool',
  name: 'string',
  at: 'string',
  data: 'bytes',
  'Land Value': 'decimal',
  constructor: 'string',
  in: 'int',
};
const columns: ExpressionColumns = {
  describe: 'table pacs.property',
  names: Object.keys(kinds),
  kinds: Object.values(kinds),
};
const row: Record<string, string | null> = {
  year: '2024',
  value: '100.50',
  paid: '$1,000.25',
  ratio: '0.5',
  active: 't',
  name: 'MAIN ST',
  at: '2024-01-02 03:04:05.123456+00',
  data: '\\x0aff',
  'Land Value': '9007199254740993',
  constructor: 'c',
  in: '1',
};

function evaluate(source: string, cells: Record<string, string | null> = {}, looked: string[] = []): string | null {
  const all = { ...row, ...cells };
  const result = compileExpression(source, columns, 'value').evaluate((index) => {
    const name = columns.names[index]!;
    looked.push(name);
    const text = all[name] ?? null;
    return text === null ? null : decodeText(text, columns.kinds[index]!, name);
  });
  return encodeValue(result);
}

const mistake = (source: string, wants: 'condition' | 'value' = 'value'): string => {
  try {
    compileExpression(source, columns, wants);
  } catch (error) {
    expect(error).toBeInstanceOf(ExpressionMistake);
    return (error as ExpressionMistake).message;
  }
  return 'no mistake';
};

describe('an expression gives, as PostgreSQL reads it,', () => {
  test.each([
    ['row.year', '2024'],
    ['row.year + 1', '2025'],
    ['row.year / 5', '404'],
    ['row.active', 't'],
    ['!row.active', 'f'],
    ['row.name + " " + string(row.year)', 'MAIN ST 2024'],
    ['row.ratio * 3.0', '1.5'],
    ['row["Land Value"]', '9007199254740993'],
    ['row["Land Value"] + row.value', '9007199254741093.50'],
    ['row.constructor', 'c'],
    ['row["in"] + 1', '2'],
    ['row.data', '\\x0aff'],
    ['row.data.size()', '2'],
    ['row.paid + 1', '1001.25'],
    ['decimal("0.1") + decimal("0.2")', '0.3'],
    ['row.value * 2 - row.year', '-1823.00'],
    ['row.value + 0x10', '116.50'],
    ['row.value / 3', '33.5000000000000000'],
    ['row.value % 3', '1.50'],
    ['-row.value', '-100.50'],
    ['round(row.value / 3, 2)', '33.50'],
    ['round(row.value)', '101'],
    ['floor(row.value) + ceil(row.value) + abs(-row.value)', '301.50'],
    ['int(row.value)', '100'],
    ['double(row.value)', '100.5'],
    ['string(row.value)', '100.50'],
    ['decimal(row.ratio) + row.value', '101.00'],
    ['decimal(row.year)', '2024'],
    ['decimal(" 1.50 ")', '1.50'],
    ['abs(-3)', '3'],
    ['timestamp(row.at).getFullYear()', '2024'],
    ['timestamp(row.at) + duration("1h")', '2024-01-02 04:04:05.123456+00'],
    ['timestamp(row.at) - duration("1s")', '2024-01-02 03:04:04.123456+00'],
    ['timestamp(row.at) - timestamp("2024-01-02")', '11045 seconds 123456 microseconds'],
    ['timestamp(0)', '1970-01-01 00:00:00+00'],
    ['string(timestamp(row.at))', '2024-01-02 03:04:05.123456+00'],
    ['row.active ? null : row.name', null],
    ['row.active ? row.value : null', '100.50'],
    ['row.year > 2020 ? "new" : "old"', 'new'],
    ['null', null],
    ['row.name.matches("^MAIN") ? 1 : 0', '1'],
    ['[row.name, "x"].join("-")', 'MAIN ST-x'],
  ])('%s → %s', (source, text) => {
    expect(evaluate(source)).toBe(text);
  });

  test.each(['NaN', 'Infinity', '-Infinity', '0.1', '1e+300', '-0'])('the double %s as it came', (ratio) => {
    expect(evaluate('row.ratio', { ratio })).toBe(ratio);
  });
});

describe('a condition', () => {
  test.each([
    ['row.value > 100', true],
    ['row.value > 100.49', true],
    ['row.value == 100.5', true],
    ['100.50 == row.value', true],
    ['row.value != 100', true],
    ['row.value in [1.0, 100.5]', true],
    ['row.value in [1, 2]', false],
    ['row.year in [2023, 2024]', true],
    ['row.value - -0.5 == 101', true],
    ['row.value + 0.1 + 0.2 == 100.8', true],
    ['0.1 + 0.2 < row.value', true],
    ['(row.active ? row.value : 0.5) > 1', true],
    ['row.value <= row["Land Value"] && 5 < row.value && row.value >= 5', true],
    ['decimal("9007199254740993") == row["Land Value"]', true],
    ['row["Land Value"] == 9007199254740992', false],
    ['row.name == null', false],
    ['null != row.name', true],
    ['row.year > 2020.5', true],
    ['timestamp(row.at) > timestamp("2024-01-02 03:04:05.123455+00")', true],
    ['timestamp(row.at) == timestamp("2024-01-02T03:04:05.123456Z")', true],
    ['["R", "MH"].exists(x, x == row.name)', false],
    ['row.year == 2024 || row.name == "never"', true],
  ])('%s is %s', (source, holds) => {
    expect(evaluate(source)).toBe(holds ? 't' : 'f');
  });

  test.each([
    ['row.name == null', 'name'],
    ['null == row.value', 'value'],
    ['row.year != null ? false : true', 'year'],
    ['row.name != "x"', 'name'],
    ['row.value == null || row.value > 1', 'value'],
  ])('%s knows that %s is NULL', (source, name) => {
    expect(evaluate(source, { [name]: null })).toBe('t');
  });
});

describe('a row fails in an expression, with the reason,', () => {
  test.each([
    ['row.year + 1', { year: null }, /row\.year is NULL/],
    ['row.value > 1 && row.active', { value: null }, /row\.value is NULL/],
    ['row.value + 1', { value: 'NaN' }, /value: "NaN" is not a decimal that can be computed with/],
    ['row.value + 1', { value: 'Infinity' }, /Infinity/],
    ['row.paid + 1', { paid: '1.234,56 €' }, /lc_monetary/],
    ['row.year / 0', {}, /division by zero/],
    ['row.value / 0', {}, /division by zero/],
    ['row.year * 9223372036854775807', {}, /overflow/],
    ['int(row.name)', {}, /cannot convert to int/],
    ['timestamp(row.at)', { at: 'infinity' }, /"infinity" is not a date/],
    ['row.name.substring(9)', {}, /out of range/],
    ['row.name.substring(0, 1)', { name: '😀' }, /middle of a character/],
    ['row.name.matches("a*b")', { name: 'a'.repeat(20_000) }, /too long for the pattern/],
    ['dyn([row.year])', {}, /single value/],
  ])('%s with %j', (source, cells, reason) => {
    expect(() => evaluate(source, cells)).toThrow(RowFailure);
    expect(() => evaluate(source, cells)).toThrow(reason);
  });

  test('but not where the result does not depend on it', () => {
    expect(evaluate('row.year > 1 || row.active', { year: null })).toBe('t');
    expect(evaluate('row.active ? 1 : row.year', { year: null })).toBe('1');
  });
});

describe('a mistake is found before any row, and shown in its place:', () => {
  test.each<[string, RegExp]>([
    ['row.yaer + 1', /^table pacs\.property has no column "yaer"\n\n> {4}1 \| row\.yaer \+ 1\n {13}\^$/],
    ['row["nope"]', /has no column "nope"/],
    ['row', /name a column of it/],
    ['row[row.name]', /must be written out/],
    ['[1].exists(row, true)', /name a column of it/],
    ['row.year + row.name', /no such overload: int \+ string/],
    ['row.year == "2024"', /no such overload: int == string/],
    ['row.year in ["2024"]', /no such overload/],
    ['row.value > row.ratio', /decimals are exact and do not mix with doubles/],
    ['row.name.startsWith(1)', /no matching overload/],
    ['row.name.shout()', /no matching overload/],
    ['unknown + 1', /Unknown variable: unknown/],
    ['timestamp(true)', /'timestamp\(bool\)'/],
    ['row.year +', /Unexpected token/],
    ['row.year + 1)', /Unexpected/],
    ['', /Unexpected token/],
    ['[row.year]', /gives list<int>; a column holds a single value/],
    ['row.name.matches(row.at)', /must be written out/],
    ['row.name.matches("(a+)+")', /its time could grow without end/],
    ['[1].map(a, [2].map(b, [3].map(c, c)))', /nested more than 2 deep/],
    [`${'!'.repeat(9000)}row.active`, /nested too deep|Exceeded/],
    [`${'('.repeat(200)}1${')'.repeat(200)}`, /Exceeded maxDepth/],
    [Array.from({ length: 3000 }, () => '1').join('+'), /Exceeded maxAstNodes/],
  ])('%s', (source, message) => {
    expect(mistake(source)).toMatch(message);
  });

  test('a line of several', () => {
    expect(mistake('row.year > 1 &&\n  row.yaer < 2')).toContain('>    2 |   row.yaer < 2\n               ^');
  });

  test('a condition that is none', () => {
    expect(mistake('row.year', 'condition')).toContain('must be true or false, but gives int');
    expect(mistake('row.active', 'condition')).toBe('no mistake');
  });
});

describe('an expression', () => {
  test('names its columns, and looks only at those that evaluation comes to', () => {
    expect(compileExpression('row.active || row.year > 1', columns, 'value').inputs).toEqual([
      columns.names.indexOf('year'),
      columns.names.indexOf('active'),
    ]);
    const looked: string[] = [];
    evaluate('row.active || row.year > 1', {}, looked);
    expect(looked).toEqual(['active']);
  });

  test.each([
    ['row.year', 'bigint'],
    ['row.value', 'numeric'],
    ['row.paid', 'numeric'],
    ['row.ratio', 'double precision'],
    ['row.active', 'boolean'],
    ['row.name', 'text'],
    ['row.data', 'bytea'],
    ['timestamp(row.at)', 'timestamp with time zone'],
    ['duration("1h")', 'interval'],
    ['row.active ? null : row.year', 'bigint'],
    ['row.active ? row.value : 1.5', 'numeric'],
    ['row.active ? dyn(row.year) : dyn(row.name)', undefined],
  ])('%s suits a column of type %s', (source, type) => {
    expect(compileExpression(source, columns, 'value').type).toBe(type);
  });
});
