import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpressionMistake } from '#services/stream-processor/expressions/ast.ts';
import {
  compileExpression,
  type Expression,
  type ExpressionColumns,
} from '#services/stream-processor/expressions/expression.ts';
import { RowFailure } from '#services/stream-processor/row-failure.ts';
import { decodeText, encodeValue, type ValueKind } from '#services/stream-processor/values.ts';
import { FUZZ_TIMEOUT, fuzzRuns } from '#test/support/fuzz.ts';
import { hostileText } from '#test/support/json-schema.ts';

const kinds: Record<string, ValueKind> = {
  year: 'int',
  value: 'decimal',
  paid: 'money',
  ratio: 'double',
  active: 'bool',
  name: 'string',
  data: 'bytes',
};
const columns: ExpressionColumns = {
  describe: 'table pacs.property',
  names: Object.keys(kinds),
  kinds: Object.values(kinds),
};
/** What a cell of a kind may hold; NULL is one of them. */
const texts: Readonly<Record<ValueKind, readonly (string | null)[]>> = {
  int: ['0', '-9223372036854775808', '9223372036854775807', null],
  decimal: ['0', '100.50', `1${'0'.repeat(300)}`, 'NaN', null],
  money: ['$1,000.25', '-$0.01', null],
  double: ['0.5', '-0', 'NaN', 'Infinity', '1e308', null],
  bool: ['t', 'f', null],
  bytes: ['\\x', '\\x0aff', null],
  string: ['', 'MAIN ST', 'x'.repeat(2000), '😀', '\\', "'", null],
};
const row = fc.record(
  Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, fc.constantFrom(...texts[kind])])),
);

/** Slow machines included. In ms. */
const MOST_MS = 5000;

function inTime<T>(source: string, work: () => T): T {
  const began = performance.now();
  try {
    return work();
  } finally {
    const ms = performance.now() - began;
    if (ms > MOST_MS) throw new Error(`It took ${Math.round(ms)} ms: ${source}`);
  }
}

/** A mistake is shown to who wrote the expression, a row that fails becomes a dead letter; nothing else may come out. */
function tried(source: string, cells: Readonly<Record<string, string | null>>): 'mistake' | 'row fails' | 'value' {
  for (const wants of ['condition', 'value'] as const) {
    let expression: Expression;
    try {
      expression = inTime(source, () => compileExpression(source, columns, wants));
    } catch (error) {
      if (!(error instanceof ExpressionMistake)) throw error;
      if (wants === 'value') return 'mistake';
      continue;
    }
    try {
      const result = inTime(source, () =>
        expression.evaluate((index) => {
          const name = columns.names[index]!;
          const text = cells[name] ?? null;
          return text === null ? null : decodeText(text, columns.kinds[index]!, name);
        }),
      );
      encodeValue(result);
    } catch (error) {
      if (!(error instanceof RowFailure)) throw error;
      if (wants === 'value') return 'row fails';
    }
  }
  return 'value';
}

const atom = fc.oneof(
  fc.constantFrom(...columns.names.map((name) => `row.${name}`), 'row.nothing', 'row', 'x', 'null', 'true', 'false'),
  fc.constantFrom(
    '0',
    '1',
    '-1',
    '0x7fffffffffffffff',
    '9223372036854775808',
    '1.5',
    '1e999',
    '0u',
    'b"a"',
    '"a"',
    "'\\u0000'",
  ),
  fc.constantFrom(
    '[]',
    '[1, 2, 3]',
    '{}',
    '{"a": 1}',
    'duration("1h")',
    'timestamp("2024-01-01T00:00:00Z")',
    'decimal("1.10")',
  ),
);
const operator = fc.constantFrom('+', '-', '*', '/', '%', '==', '!=', '<', '>=', '&&', '||', 'in');
const call = fc.constantFrom(
  'size',
  'string',
  'int',
  'uint',
  'double',
  'decimal',
  'bool',
  'bytes',
  'type',
  'timestamp',
  'has',
  'dyn',
);
const method = fc.constantFrom(
  'size()',
  'contains("a")',
  'matches("a+")',
  'startsWith("")',
  'upperAscii()',
  'getFullYear()',
  'map(x, x)',
  'all(x, x > 0)',
  'exists(x, true)',
  'split("")',
);
/** Nearly CEL: most of it has types that do not fit. */
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    atom,
    fc.tuple(tie('expression'), operator, tie('expression')).map(([a, op, b]) => `${a} ${op} ${b}`),
    fc.tuple(call, tie('expression')).map(([name, a]) => `${name}(${a})`),
    fc.tuple(tie('expression'), method).map(([a, name]) => `(${a}).${name}`),
    fc.tuple(tie('expression'), tie('expression'), tie('expression')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a})[${b}]`),
    fc.tuple(fc.constantFrom('!', '-'), tie('expression')).map(([sign, a]) => `${sign}(${a})`),
  ),
}));

describe('whatever somebody writes as an expression', () => {
  test(
    'nearly CEL: a mistake that is shown, a row that fails, or a value; in time',
    () => {
      const seen = new Map<string, number>();
      fc.assert(
        fc.property(expression, row, (source, cells) => {
          const outcome = tried(source, cells);
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        }),
        { numRuns: fuzzRuns(1000) },
      );
      // All of them: what is tried gets beyond the parser.
      expect([...seen.keys()].sort()).toEqual(['mistake', 'row fails', 'value']);
    },
    FUZZ_TIMEOUT,
  );

  test(
    'texts of any kind',
    () => {
      fc.assert(
        fc.property(fc.oneof(hostileText, fc.string({ unit: 'binary', maxLength: 200 })), row, (source, cells) => {
          tried(source, cells);
        }),
        { numRuns: fuzzRuns(500) },
      );
    },
    FUZZ_TIMEOUT,
  );

  const hundred = `[${Array.from({ length: 100 }, (_, i) => i).join(', ')}]`;
  test.each([
    ['deep', '('.repeat(5000) + '1' + ')'.repeat(5000)],
    ['deep in calls', 'size('.repeat(2000) + '""' + ')'.repeat(2000)],
    ['long', Array.from({ length: 2000 }, () => 'row.year').join(' + ')],
    ['a chain of conditions', `${'true ? '.repeat(1500)}1${' : 2'.repeat(1500)}`],
    ['many signs', `${'-'.repeat(9000)}1`],
    ['lists in lists', '['.repeat(4000) + ']'.repeat(4000)],
    ['a loop in a loop', `${hundred}.all(a, ${hundred}.all(b, a + b >= 0))`],
    ['three loops', `${hundred}.all(a, ${hundred}.all(b, ${hundred}.all(c, a + b + c >= 0)))`],
  ])('one that is %s', (_, source) => {
    expect(['mistake', 'row fails', 'value']).toContain(tried(source, { year: '1' }));
  });
});
