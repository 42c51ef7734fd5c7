import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BlockTable, Op, textual } from '#schemas/block/index.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { FUZZ_TIMEOUT, fuzzRuns } from '#test/support/fuzz.ts';
import { read, write, type ModelCell, type ModelChange, type ModelRow } from '#test/unit/schemas/block-model.ts';
import { arbTransactions } from '#test/unit/schemas/history.ts';
import { definition, table } from './fixture.ts';

/*
 * A chain over rows in binary against the same chain over the same rows as text: what comes out is the same text, the same dead letters and the same counts,
 * whatever the mapping.
 */

const columns = ['id* int4', 'big int8', 'n numeric', 'm numeric', 'flag bool', 'day date', 'a text', 'b varchar'];
const names = columns.map((column) => column.split(/[* ]/)[0]!);
const isText = (column: number): boolean => column >= 6;

/** `numeric_send` of the text of a numeric, digit by digit. */
function numericBytes(text: string): Buffer {
  const head = (count: number, weight: number, sign: number, scale: number): Buffer => {
    const bytes = Buffer.alloc(8 + count * 2);
    bytes.writeUInt16BE(count, 0);
    bytes.writeInt16BE(weight, 2);
    bytes.writeUInt16BE(sign, 4);
    bytes.writeUInt16BE(scale, 6);
    return bytes;
  };
  if (text === 'NaN') return head(0, 0, 0xc000, 0);
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const groups = [
    ...(whole.padStart(Math.ceil(whole.length / 4) * 4, '0').match(/.{4}/g) ?? []),
    ...(fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0').match(/.{4}/g) ?? []),
  ].map(Number);
  let weight = Math.ceil(whole.length / 4) - 1;
  while (groups[0] === 0) {
    groups.shift();
    weight--;
  }
  while (groups.at(-1) === 0) groups.pop();
  if (groups.length === 0) weight = 0;
  const bytes = head(groups.length, weight, text.startsWith('-') ? 0x4000 : 0, fraction.length);
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(group, 8 + index * 2);
  return bytes;
}

/** Days since 2000. */
const days: Readonly<Record<string, number>> = { '2026-11-28': 9828, '1999-12-31': -1, infinity: 0x7fffffff };

function inBinary(column: number, text: string): Uint8Array {
  const bytes = Buffer.alloc(8);
  switch (names[column]) {
    case 'id':
      return bytes.subarray(0, bytes.writeInt32BE(Number(text)));
    case 'big':
      return bytes.subarray(0, bytes.writeBigInt64BE(BigInt(text)));
    case 'flag':
      return Buffer.from([text === 't' ? 1 : 0]);
    case 'day':
      return bytes.subarray(0, bytes.writeInt32BE(days[text]!));
    case 'n':
    case 'm':
      return numericBytes(text);
    default:
      return Buffer.from(text);
  }
}

const numerics = ['0', '1', '-1', '0.25', '-0.50', '100.00', '12345678.90', '0.0001', '10000', '9007199254740993'];
const more = ['NaN', '-123456789012345678901234567890.000001', '0.00000000000000000000', '99999999999.99'];
const numeric = fc.constantFrom(...numerics, ...more);
const texts: readonly fc.Arbitrary<string>[] = [
  fc.constantFrom('1', '2', '-3'),
  fc.constantFrom('0', '7', '-9223372036854775808', '9223372036854775807'),
  numeric,
  numeric,
  fc.constantFrom('t', 'f'),
  fc.constantFrom(...Object.keys(days)),
  fc.constantFrom('', 'x', 'R-9', 'ä€😀', 'long '.repeat(40)),
  fc.constantFrom('', 'p', 'KING & SONS'),
];

/** A target column: mapped in each way there is, to each form that it may take. */
const pool = [
  ...names.map((from) => ({ from })),
  { from: 'a', transforms: ['upper', { prefix: '>' }] },
  { from: 'n', transforms: [{ prefix: '$' }] },
  { from: 'day', transforms: ['trim'] },
  { concat: ['a', 'b', 'n'], separator: '-' },
  { compute: 'row.n + row.m' },
  { compute: 'row.n * row.n', type: 'numeric(40, 4)' },
  { compute: 'row.m == null ? null : row.m' },
  { compute: 'row.big + 1' },
  { compute: 'row.n > row.m' },
  { compute: 'row.a + row.b' },
  { compute: 'row.a + row.b', type: 'varchar(20)' },
  // As their texts, since the server alone knows whether they fit.
  { compute: 'row.id * 2', type: 'integer' },
  { compute: 'double(row.n)' },
  { from: 'id', type: 'bigint' },
  { from: 'b', type: 'text' },
] as const;

const filters = [
  'row.id > 0',
  'row.n > row.m',
  'row.flag',
  'row.a != "x" && row.big != 7',
  'row.day < "2000"',
  'row.n == null || row.n < 5',
];
const rules = [
  { name: 'positive', check: 'row.c0 != null' },
  { name: 'not the second', check: 'string(row.c0) != "2"', on_failure: 'warn' as const },
];

const arbScenario = fc.record({
  identity: fc.constantFrom('default' as const, 'full' as const),
  picked: fc.option(
    fc.shuffledSubarray([...pool.slice(1)], { maxLength: 6 }).map((list) => [pool[0], ...list]),
    { nil: undefined },
  ),
  exclude: fc.subarray(names.slice(1), { maxLength: 2 }),
  where: fc.option(fc.constantFrom(...filters), { nil: undefined }),
  rules: fc.subarray(rules),
});

const arbText = (column: number, holes: boolean): fc.Arbitrary<string | null | undefined> => {
  if (column === 0) return texts[0]!;
  const rest = [fc.constant(null), ...(holes ? [fc.constant(undefined)] : [])];
  return fc.oneof({ weight: 5, arbitrary: texts[column]! }, ...rest);
};
const arbRow = (holes: boolean) => fc.tuple(...columns.map((_, column) => arbText(column, holes)));

/** Rows as a source sends them for the identity; texts of whole rows also as bytes, which makes them rows in one piece. */
function arbChange(identity: 'default' | 'full'): fc.Arbitrary<Omit<ModelChange, 'ordinal'>> {
  const cells = (row: readonly (string | null | undefined)[], inOnePiece: boolean): ModelRow =>
    row.map((text, column): ModelCell => {
      if (text === null || text === undefined) return text;
      return isText(column) && !inOnePiece ? text : inBinary(column, text);
    });
  return fc
    .record({
      op: fc.constantFrom('insert', 'update', 'delete'),
      row: arbRow(false),
      sent: arbRow(true),
      old: arbRow(false),
      keyChanges: fc.boolean(),
      inOnePiece: fc.boolean(),
    })
    .map(({ op, row, sent, old, keyChanges, inOnePiece }) => {
      const before = {
        kind: identity === 'full' ? ('full' as const) : ('key' as const),
        cells: cells(identity === 'full' ? old : old.map((cell, column) => (column === 0 ? cell : null)), inOnePiece),
      };
      if (op === 'insert') return { table: 0, op: Op.insert, before: undefined, after: cells(row, inOnePiece) };
      if (op === 'delete') return { table: 0, op: Op.delete, before, after: undefined };
      const told = identity === 'full' || keyChanges;
      const after = cells(inOnePiece ? row : sent, inOnePiece);
      return { table: 0, op: Op.update, before: told ? before : undefined, after };
    });
}

const arbCase = arbScenario.chain((scenario) =>
  fc.record({ scenario: fc.constant(scenario), transactions: arbTransactions(arbChange(scenario.identity), 4) }),
);

const shapeOf = (identity: 'default' | 'full'): BlockTable => {
  const shape = table('s.t', columns, identity);
  return {
    ...shape,
    columns: shape.columns.map((column, index) => ({ ...column, format: isText(index) ? 'text' : 'binary' })),
  };
};

test(
  'any mapping gives the same of rows in binary as of their text (Promise 4)',
  () => {
    let stayed = 0;
    fc.assert(
      fc.property(arbCase, ({ scenario, transactions }) => {
        const { identity, picked, exclude, where } = scenario;
        const mapping =
          picked === undefined
            ? { exclude: [...exclude] }
            : {
                columns: Object.fromEntries(picked.map((input, index) => [`c${index}`, input])),
                rules: [...scenario.rules],
              };
        const pair = definition([
          { source: 's.t', target: 'u.v', ...(mapping as object), ...(where === undefined ? {} : { where }) },
        ]);
        const input = write({
          source: 's',
          generation: 1,
          after: { generation: 1, commitLsn: 0n, ordinal: 0 },
          inputOffset: -1n,
          tables: [shapeOf(identity)],
          transactions,
        });
        const expected = compilePair(pair).process(input, 9n);
        const made = compilePair(pair, { takesBinary: true }).process(input, 9n);
        if (read(made.bytes).tables.some((each) => each.columns.some(({ format }) => format === 'binary'))) stayed++;
        expect(read(textual(made.bytes))).toEqual(read(textual(expected.bytes)));
        expect(made.deadLetters).toEqual(expected.deadLetters);
        expect(made.counts).toEqual(expected.counts);
      }),
      { numRuns: fuzzRuns(500) },
    );
    // Otherwise text would have been compared with text.
    expect(stayed).toBeGreaterThan(fuzzRuns(500) / 4);
  },
  FUZZ_TIMEOUT,
);
