import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockReader, Op, type BlockTable } from '#schemas/block/index.ts';
import type { pairConfig, tableInput } from '#schemas/pairs.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import {
  read,
  write,
  writeWithAvro,
  type ModelBlock,
  type ModelCell,
  type ModelChange,
  type ModelRow,
} from '#test/unit/schemas/block-model.ts';
import { arbTransactions } from '#test/unit/schemas/history.ts';
import { definition, table } from './fixture.ts';
import type { z } from 'zod';

/**
 * The processor against a naive model: the same mapping, filter and rule written down row by row, on plain values. The model knows
 * nothing of bytes, laziness, shortcuts or shared state.
 */
type Row = Record<string, ModelCell>;
const names = ['id', 'a', 'b', 'n'] as const;
const types = { id: 'id* int4', a: 'a text', b: 'b text', n: 'n numeric' };

/** A target column: how it is written in a pair, and what it gives for a row; undefined is "unchanged", "?" that it cannot be told. */
interface ModelColumn {
  readonly input: object;
  readonly cell: (row: Row) => ModelCell;
}

const copyOf = (from: string): ModelColumn => ({ input: { from }, cell: (row) => row[from] });
const textOf = (cell: ModelCell): string | null | undefined => cell as string | null | undefined;

const columnPool: readonly ModelColumn[] = [
  copyOf('id'),
  copyOf('a'),
  copyOf('b'),
  copyOf('n'),
  {
    input: { from: 'a', transforms: ['upper', { prefix: '>' }] },
    cell: ({ a }) => (typeof a === 'string' ? `>${a.toUpperCase()}` : a),
  },
  {
    input: { concat: ['a', 'b'], separator: '-' },
    cell: ({ a, b }) => {
      if (a === undefined && b === undefined) return undefined;
      if (a === undefined || b === undefined) return '?';
      return [a, b].filter((part) => part !== null && part !== '').join('-');
    },
  },
  {
    input: { compute: 'row.n == null ? null : row.n * 2' },
    cell: ({ n }) => {
      const text = textOf(n);
      if (text === undefined || text === null) return text;
      return text === 'NaN' ? '?' : String(Number(text) * 2);
    },
  },
];

interface ModelFilter {
  readonly where: string;
  readonly holds: (row: Row) => boolean | '?';
}

const filterPool: readonly (ModelFilter | undefined)[] = [
  undefined,
  { where: 'row.a == "x"', holds: ({ a }) => (a === undefined ? '?' : a === 'x') },
  { where: 'row.b != null', holds: ({ b }) => (b === undefined ? '?' : b !== null) },
  {
    where: 'row.n != null && row.n > 1',
    holds: ({ n }) => {
      const text = textOf(n);
      if (text === undefined || text === 'NaN') return '?';
      return text !== null && Number(text) > 1;
    },
  },
];

interface Scenario {
  readonly identity: 'default' | 'full';
  /** Source columns, in order. */
  readonly shape: readonly (typeof names)[number][];
  /** undefined: columns "same". */
  readonly columns: readonly ModelColumn[] | undefined;
  readonly exclude: string | undefined;
  readonly filter: ModelFilter | undefined;
  /** Whether rows with a value longer than 2 in column a are refused; only with columns "same". */
  readonly rule: boolean;
}

const arbScenario: fc.Arbitrary<Scenario> = fc.record({
  identity: fc.constantFrom('default' as const, 'full' as const),
  shape: fc.shuffledSubarray([...names], { minLength: names.length }),
  columns: fc.option(
    fc.shuffledSubarray([...columnPool.slice(1)], { maxLength: 4 }).map((list) => [columnPool[0]!, ...list]),
    { nil: undefined },
  ),
  exclude: fc.option(fc.constantFrom('a', 'b', 'n'), { nil: undefined }),
  filter: fc.constantFrom(...filterPool),
  rule: fc.boolean(),
});

const arbValue = {
  a: ['x', 'y', '', 'long', null, undefined],
  b: ['p', '', null, undefined],
  n: ['0', '1', '2', 'NaN', null, undefined],
};
const arbFullRow = fc.record({
  id: fc.constantFrom('1', '2', '3'),
  a: fc.constantFrom(...arbValue.a),
  b: fc.constantFrom(...arbValue.b),
  n: fc.constantFrom(...arbValue.n),
});
const whole = (row: Row): Row => Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, cell ?? null]));

/** Changes as PostgreSQL sends them for the identity. */
function arbChange({ identity, shape }: Scenario): fc.Arbitrary<Omit<ModelChange, 'ordinal'>> {
  const cells = (row: Row): ModelRow => shape.map((name) => row[name]);
  const keyOnly = (row: Row): Row => Object.fromEntries(names.map((name) => [name, name === 'id' ? row['id'] : null]));
  return fc
    .record({
      op: fc.constantFrom('insert', 'update', 'delete', 'message'),
      row: arbFullRow,
      old: arbFullRow,
      keyChanges: fc.boolean(),
    })
    .map(({ op, row, old, keyChanges }) => {
      const before =
        identity === 'full'
          ? { kind: 'full' as const, cells: cells(whole(old)) }
          : { kind: 'key' as const, cells: cells(keyOnly(old)) };
      switch (op) {
        case 'insert':
          return { table: 0, op: Op.insert, before: undefined, after: cells(whole(row)) };
        case 'update': {
          const sent = identity === 'full' || (keyChanges && old.id !== row.id);
          return { table: 0, op: Op.update, before: sent ? before : undefined, after: cells(row) };
        }
        case 'delete':
          return { table: 0, op: Op.delete, before, after: undefined };
        default:
          return { table: -1, op: Op.message, before: undefined, after: ['p', 'c'] };
      }
    });
}

const tableOf = ({ identity, shape }: Scenario): BlockTable =>
  table(
    's.t',
    shape.map((name) => types[name]),
    identity,
  );

function pairOf({ columns, exclude, filter, rule }: Scenario, config: z.input<typeof pairConfig> = {}) {
  const input: z.input<typeof tableInput> = {
    source: 's.t',
    target: 'u.v',
    ...(columns === undefined
      ? {
          exclude: exclude === undefined ? [] : [exclude],
          rules: rule && exclude !== 'a' ? [{ name: 'short', check: 'row.a == null || row.a.size() <= 2' }] : [],
        }
      : { columns: Object.fromEntries(columns.map((column, index) => [`c${index}`, column.input])) as never }),
    ...(filter ? { where: filter.where } : {}),
  };
  return definition([input], config);
}

/** What must come out of one change. */
type Expected = 'filtered' | 'rejected' | Omit<ModelChange, 'ordinal'>;

class NaiveModel {
  readonly #scenario: Scenario;
  readonly #columns: readonly ModelColumn[];
  /** Target columns by which rows are found. */
  readonly #isKey: readonly boolean[];

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const same = scenario.shape.filter((name) => name !== scenario.exclude).map(copyOf);
    this.#columns = scenario.columns ?? same;
    this.#isKey = this.#columns.map(
      ({ input }) => scenario.identity === 'full' || (input as { from?: string }).from === 'id',
    );
  }

  expect(change: Omit<ModelChange, 'ordinal'>): Expected {
    const { identity, filter } = this.#scenario;
    if (change.op === Op.message) return change;
    const old = change.before && this.#row(change.before.cells);
    let row = change.after && this.#row(change.after);
    if (identity === 'full' && row && old) {
      row = Object.fromEntries(names.map((name) => [name, row![name] === undefined ? old[name] : row![name]]));
    }
    const wasIn = filter && identity === 'full' && old ? filter.holds(old) : '?';
    if (!row) {
      if (wasIn === false) return 'filtered';
      return this.#delete(old!, identity);
    }
    const isIn = filter ? filter.holds(row) : true;
    if (isIn === '?') return 'rejected';
    if (change.op === Op.insert) return isIn ? this.#write(Op.insert, row, undefined) : 'filtered';
    if (!isIn) {
      if (wasIn === false) return 'filtered';
      return this.#delete(old ?? row, identity);
    }
    const oldCells = old && this.#columns.map(({ cell }) => cell(old));
    if (wasIn === false || (identity === 'full' && oldCells!.includes('?')))
      return this.#write(Op.insert, row, undefined);
    if (identity === 'full') return this.#write(Op.update, row, { kind: 'full', cells: oldCells as ModelRow });
    return this.#write(Op.update, row, old && { kind: 'key', cells: this.#keyOf(old) });
  }

  #row(cells: ModelRow): Row {
    return Object.fromEntries(this.#scenario.shape.map((name, index) => [name, cells[index]]));
  }

  #keyOf(row: Row): ModelRow {
    return this.#columns.map(({ cell }, index) => (this.#isKey[index]! ? cell(row) : null));
  }

  #delete(row: Row, identity: 'default' | 'full'): Expected {
    if (identity === 'default') {
      return { table: 0, op: Op.delete, before: { kind: 'key', cells: this.#keyOf(row) }, after: undefined };
    }
    const cells = this.#columns.map(({ cell }) => cell(row));
    if (cells.includes('?')) return 'rejected';
    return { table: 0, op: Op.delete, before: { kind: 'full', cells: cells }, after: undefined };
  }

  #write(op: Op, row: Row, before: ModelChange['before']): Expected {
    const cells = this.#columns.map(({ cell }) => cell(row));
    if (cells.includes('?')) return 'rejected';
    const { columns, exclude, rule } = this.#scenario;
    if (rule && columns === undefined && exclude !== 'a') {
      const { a } = row;
      if (a === undefined || (typeof a === 'string' && a.length > 2)) return 'rejected';
    }
    return { table: 0, op, before, after: cells };
  }
}

const arbCase = arbScenario.chain((scenario) =>
  fc.record({ scenario: fc.constant(scenario), transactions: arbTransactions(arbChange(scenario), 4) }),
);

function blockOf(scenario: Scenario, transactions: ModelBlock['transactions']): ModelBlock {
  return {
    source: 's',
    generation: 1,
    after: { generation: 1, commitLsn: 0n, ordinal: 0 },
    inputOffset: -1n,
    tables: [tableOf(scenario)],
    transactions,
  };
}

describe('any mapping', () => {
  test('gives what a naive model gives, row by row', () => {
    fc.assert(
      fc.property(arbCase, ({ scenario, transactions }) => {
        const input = blockOf(scenario, transactions);
        const model = new NaiveModel(scenario);
        const result = compilePair(pairOf(scenario)).process(write(input), 9n);
        const output = read(result.bytes);
        const rejected: string[] = [];
        const expected = transactions.map((transaction) => ({
          ...transaction,
          changes: transaction.changes.flatMap(({ ordinal, ...change }) => {
            const fate = model.expect(change);
            if (fate === 'rejected')
              rejected.push(`1:0/${transaction.commitLsn.toString(16).toUpperCase()}:${ordinal}`);
            return typeof fate === 'string' ? [] : [{ ...fate, ordinal }];
          }),
        }));
        const tolerant = output.tables[0]?.tolerant === true;
        // A tolerant update carries what is known of the row; otherwise cells stay as the source sent them.
        expect(relax(output.transactions, tolerant)).toEqual(relax(expected, tolerant));
        expect(result.deadLetters.map(({ position }) => position)).toEqual(rejected);
        const { counts } = result;
        expect(counts.in).toBe(counts.out + counts.filtered + counts.rejected);
        expect(BlockReader.summary(result.bytes).last).toEqual(BlockReader.summary(write(input)).last);
        expect(output).toMatchObject({ source: 's', generation: 1, after: input.after });
      }),
      { numRuns: 1500 },
    );
  });

  test('gives the same again, from the same processor and a new one, and from arrays of many items', () => {
    fc.assert(
      fc.property(arbCase, ({ scenario, transactions }) => {
        const input = blockOf(scenario, transactions);
        const processor = compilePair(pairOf(scenario));
        const first = processor.process(write(input), 9n);
        for (const [again, bytes] of [
          [processor, write(input)],
          [compilePair(pairOf(scenario)), write(input)],
          [processor, writeWithAvro(input)],
        ] as const) {
          const second = again.process(bytes, 9n);
          expect(read(second.bytes).transactions).toEqual(read(first.bytes).transactions);
          expect(second.deadLetters).toEqual(first.deadLetters);
          expect(second.counts).toEqual(first.counts);
        }
      }),
    );
  });

  test('gives the same however the changes are cut into blocks', () => {
    fc.assert(
      fc.property(arbCase, ({ scenario, transactions }) => {
        const processor = compilePair(pairOf(scenario));
        const together = processor.process(write(blockOf(scenario, transactions)), 0n);
        const apart = transactions.flatMap((transaction) =>
          transaction.changes.map((change) =>
            processor.process(
              write(
                blockOf(scenario, [
                  { ...transaction, changes: [change], complete: false, lastOrdinal: change.ordinal },
                ]),
              ),
              0n,
            ),
          ),
        );
        const changesOf = (bytes: Buffer) => read(bytes).transactions.flatMap(({ changes }) => changes);
        expect(apart.flatMap(({ bytes }) => changesOf(bytes))).toEqual(changesOf(together.bytes));
        expect(apart.flatMap(({ deadLetters }) => deadLetters)).toEqual(together.deadLetters);
      }),
    );
  });
});

/** Cells that the source did not send may be filled from the row before or not, unless the row may be new to the target. */
function relax(transactions: ModelBlock['transactions'], tolerant: boolean): unknown {
  if (tolerant) return transactions;
  return transactions.map((transaction) => ({
    ...transaction,
    changes: transaction.changes.map((change) =>
      change.op === Op.update && change.before?.kind === 'full' && change.after
        ? {
            ...change,
            after: change.after.map((cell, index) => (cell === undefined ? change.before!.cells[index] : cell)),
          }
        : change,
    ),
  }));
}
