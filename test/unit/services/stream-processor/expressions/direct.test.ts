import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prepare } from '#services/stream-processor/expressions/ast.ts';
import { Decimal } from '#services/stream-processor/expressions/decimal.ts';
import { compileDirect } from '#services/stream-processor/expressions/direct.ts';
import { strictEnvironment } from '#services/stream-processor/expressions/environment.ts';
import { compileExpression } from '#services/stream-processor/expressions/expression.ts';
import { RowFailure } from '#services/stream-processor/row-failure.ts';
import type { CelValue, ValueKind } from '#services/stream-processor/values.ts';

const names = ['n', 'm', 'land', 'fee', 'owner', 'zone', 'open', 'shut', 'rate'];
const kinds: ValueKind[] = ['int', 'int', 'decimal', 'money', 'string', 'string', 'bool', 'bool', 'double'];
const columns = { describe: 'table t', names, kinds };
const cel = ['int', 'int', 'decimal', 'decimal', 'string', 'string', 'bool', 'bool', 'double'];

/** What `compileExpression` hands over. */
function direct(source: string): ReturnType<typeof compileDirect> {
  const checked = strictEnvironment(Object.fromEntries(cel.map((type, index) => [`c${index}`, type]))).parse(source);
  prepare(checked.ast, source, (name) => names.indexOf(name), 'table t', new Set());
  expect(checked.check().valid, source).toBe(true);
  return compileDirect(checked.ast, kinds);
}

// ---- expressions of what is done directly, by type

type Make = (depth: number) => fc.Arbitrary<string>;
const either = (...all: fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.oneof(...all);
const joined = (ops: readonly string[], left: fc.Arbitrary<string>, right = left): fc.Arbitrary<string> =>
  fc.tuple(left, fc.constantFrom(...ops), right).map(([a, op, b]) => `(${a} ${op} ${b})`);
const chosen = (of: Make, depth: number): fc.Arbitrary<string> =>
  fc.tuple(bool(depth), of(depth), of(depth)).map(([test_, a, b]) => `(${test_} ? ${a} : ${b})`);

const int: Make = (depth) => {
  const plain = fc.constantFrom('row.n', 'row.m', '0', '7', '-3', '1900', 'row["n"]');
  return depth === 0 ? plain : either(plain, chosen(int, depth - 1));
};
const decimal: Make = (depth) => {
  const plain = fc.constantFrom('row.land', 'row.fee', 'row.land', 'row["fee"]');
  if (depth === 0) return plain;
  const [one, other] = [decimal(depth - 1), int(depth - 1)];
  return either(
    plain,
    joined(['+', '-', '*'], one),
    joined(['+', '-', '*'], one, other),
    joined(['+', '-', '*'], other, one),
    one.map((of) => `(-${of})`),
    chosen(decimal, depth - 1),
  );
};
const text: Make = () => fc.constantFrom('row.owner', 'row.zone', '""', '"R-1"', "'x y'");
const bool: Make = (depth) => {
  const plain = fc.constantFrom('row.open', 'row.shut', 'true', 'false');
  if (depth === 0) return plain;
  const next = depth - 1;
  const relations = ['==', '!=', '<', '<=', '>', '>='];
  return either(
    plain,
    joined(relations, int(next)),
    joined(relations, decimal(next)),
    joined(relations, decimal(next), int(next)),
    joined(['==', '!='], text(next)),
    joined(['==', '!='], bool(next)),
    joined(['&&', '||'], bool(next)),
    bool(next).map((of) => `!${of}`),
  );
};

const cent = fc.bigInt(-5n, 5n).map((units) => new Decimal(units, 2));
const number = fc.oneof(fc.bigInt(-3n, 8n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n));
const word = fc.constantFrom('', 'R-1', 'x y', 'ß');
/** A cell, or one that cannot be read. */
const cell = (of: fc.Arbitrary<CelValue>): fc.Arbitrary<CelValue | RowFailure> =>
  fc.oneof({ weight: 8, arbitrary: of }, { weight: 1, arbitrary: fc.constant(new RowFailure('cannot be read')) });
const rows = fc.tuple(
  ...[number, number, cent, cent, word, word, fc.boolean(), fc.boolean(), fc.double()].map((of) =>
    cell(of as fc.Arbitrary<CelValue>),
  ),
);

function outcome(evaluate: (read: (column: number) => CelValue) => unknown, row: readonly (CelValue | RowFailure)[]) {
  try {
    const value = evaluate((column) => {
      const held = row[column]!;
      if (held instanceof RowFailure) throw held;
      return held;
    });
    return value instanceof Decimal ? `decimal ${value.toString()}` : value;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('expressions that are done without the library', () => {
  test.each([
    ['conditions', 'condition', bool(3)],
    ['sums', 'value', decimal(3)],
  ] as const)('%s: the same as with it, what cannot be read included', (_, wants, expressions) => {
    fc.assert(
      fc.property(expressions, fc.array(rows, { minLength: 3, maxLength: 3 }), (source, all) => {
        const run = direct(source);
        expect(run, source).toBeDefined();
        const expression = compileExpression(source, columns, wants);
        for (const row of all) {
          // For a row in which NULL may be, the library is asked.
          const asked = outcome((read) => expression.evaluate(read, false), row);
          expect(
            outcome((read) => expression.evaluate(read, true), row),
            source,
          ).toEqual(asked);
          expect(outcome(run!, row), source).toEqual(asked);
        }
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    'row.n + row.m > 3', // may overflow
    'row.rate > 1.5', // NaN
    'row.owner < "b"', // by code points
    'row.owner.size() > 3',
    'row.n in [1, 2]',
    'row.land / decimal("3") > decimal("1")',
    'row.open && row.owner.startsWith("x")',
    '[1, 2].exists(n, n == row.n)',
    '-row.n < 3',
  ])('what has other rules is left to it: %s', (source) => {
    expect(direct(source)).toBeUndefined();
    expect(() => compileExpression(source, columns, 'condition')).not.toThrow();
  });

  test('a literal beside a decimal is a decimal', () => {
    const expression = compileExpression('row.land * 1.1 >= 0.33 && row.owner != ""', columns, 'condition');
    const read = (land: Decimal) => (column: number) => (column === 2 ? land : 'Ann');
    expect(expression.evaluate(read(Decimal.parse('0.3')), true)).toBe(true);
    expect(expression.evaluate(read(Decimal.parse('0.29')), true)).toBe(false);
  });
});
