import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rows } from '#connectors/postgres/target/rows.ts';
import { type Expectation, State, TableChanges } from '#connectors/postgres/target/table-changes.ts';
import { Before, readRow } from '#schemas/block/index.ts';
import { FUZZ_TIMEOUT, fuzzRuns } from '#test/support/fuzz.ts';
import { type Cells, planOf, RowBytes } from './support.ts';

/** A target table by key, as the statements would leave it. */
type Table = Map<string, Cells>;

interface Change {
  readonly op: 'insert' | 'update' | 'delete';
  /** The key before; with an update that keeps it, not sent. */
  readonly key: string;
  readonly after: Cells;
}

/** What the source did, one change after the other. */
function replay(table: Table, changes: readonly Change[]): void {
  for (const { op, key, after } of changes) {
    const old = table.get(key);
    if (op === 'insert') table.set(key, after);
    else if (op === 'delete') table.delete(key);
    else {
      const whole = !after.includes(undefined);
      if (!whole && !old) continue; // What is not whole makes no row.
      table.delete(key);
      table.set(
        after[0]!,
        after.map((cell, i) => (cell === undefined ? old![i] : cell)),
      );
    }
  }
}

/** Applies changes through the reduction, counting how often it had to stop in between. */
class Reduced {
  readonly table: Table;
  flushes = 0;
  /** Inserts alone met a row that is there: the target would have refused them. */
  refused = 0;
  readonly #expectation: Expectation;
  readonly #hopeful: boolean;
  #rows = new Rows();
  #changes: TableChanges;

  constructor(table: Table, expectation: Expectation, hopeful = false) {
    this.table = table;
    this.#expectation = expectation;
    this.#hopeful = hopeful;
    this.#changes = new TableChanges(planOf(), expectation, this.#rows, hopeful);
  }

  take({ op, key, after }: Change): void {
    for (;;) {
      const keyOnly = [key, null, null];
      const { bytes, at } = new RowBytes([keyOnly, after]);
      const source = this.#rows.add(bytes);
      const moved = op === 'update' && after[0] !== key;
      const taken =
        op === 'insert'
          ? this.#changes.insert(source, at[1]!)
          : op === 'delete'
            ? this.#changes.delete(source, at[0]!)
            : this.#changes.update({
                source,
                before: moved ? Before.key : Before.absent,
                beforeAt: moved ? at[0]! : -1,
                afterAt: at[1]!,
              });
      if (taken === 'done') return;
      this.flush();
      if (taken === 'flush') continue;
      replay(this.table, [{ op, key, after }]);
      return;
    }
  }

  /** Deletes, updates, inserts: each checked as the target would. */
  flush(): void {
    this.flushes++;
    const changes = this.#changes;
    const rowAt = (source: number, at: number): Cells => readRow(this.#rows.buffer(source), at);
    const strict = this.#expectation === 'strict';
    if (changes.onlyInserts && this.#hopeful && !strict) {
      const collected = changes.source.map((source, i) => rowAt(source, changes.at[i]!));
      // Refused as a whole, and repeated one after the other.
      if (
        collected.some(([key]) => this.table.has(key!)) ||
        new Set(collected.map(([key]) => key)).size < collected.length
      )
        this.refused++;
      for (const row of collected) this.table.set(row[0]!, row);
    } else if (changes.onlyInserts) {
      for (let i = 0; i < changes.size; i++) this.#insert(rowAt(changes.source[i]!, changes.at[i]!));
    } else {
      const row = (i: number): Cells => rowAt(changes.source[i]!, changes.at[i]!);
      for (const i of changes.entries(State.delete, State.replace)) {
        const met = this.table.delete(rowAt(changes.keySource[i]!, changes.keyAt[i]!)[0]!);
        if (strict) expect(met).toBe(true);
      }
      for (const i of changes.entries(State.update)) {
        const after = row(i);
        const old = this.table.get(after[0]!);
        if (strict) expect(old).toBeDefined();
        if (old)
          this.table.set(
            after[0]!,
            after.map((cell, c) => (cell === undefined ? old[c] : cell)),
          );
      }
      for (const i of changes.entries(State.insert, State.replace)) this.#insert(row(i));
      for (const i of changes.entries(State.put)) {
        expect(row(i)).not.toContain(undefined);
        this.table.set(row(i)[0]!, row(i));
      }
    }
    this.#rows = new Rows();
    this.#changes = new TableChanges(planOf(), this.#expectation, this.#rows, this.#hopeful);
  }

  #insert(row: Cells): void {
    expect(row).not.toContain(undefined);
    expect(this.table.has(row[0]!)).toBe(false);
    this.table.set(row[0]!, row);
  }
}

const keys = ['1', '2', '3', '4', '10'];
const value = fc.constantFrom('x', 'y', '', null, 'a longer value that is copied natively, not byte by byte');
const unsent = fc.option(value, { nil: undefined, freq: 2 });
const intent = fc.record({
  key: fc.constantFrom(...keys),
  to: fc.constantFrom(...keys),
  kind: fc.constantFrom('write', 'write', 'move', 'delete'),
  values: fc.tuple(unsent, unsent),
  fresh: fc.tuple(value, value),
});

type Intent = typeof intent extends fc.Arbitrary<infer T> ? T : never;

/** Only what a source can do: no insert of a row that is there, no change of one that is not. */
function possible(table: Table, intents: readonly Intent[]): Change[] {
  const there = new Map(table);
  return intents.flatMap(({ key, to, kind, values, fresh }): Change[] => {
    let change: Change;
    if (!there.has(key)) change = { op: 'insert', key, after: [key, ...fresh] };
    else if (kind === 'delete') change = { op: 'delete', key, after: [key, null, null] };
    else if (kind === 'move' && !there.has(to)) change = { op: 'update', key, after: [to, ...values] };
    else change = { op: 'update', key, after: [key, ...values] };
    replay(there, [change]);
    return [change];
  });
}

const start = fc
  .uniqueArray(fc.constantFrom(...keys))
  .map((held): Table => new Map(held.map((key) => [key, [key, `${key}a`, null]])));

describe('reduced by key', () => {
  test(
    'strict: the same as one change after the other, and every statement meets the rows it expects',
    () => {
      fc.assert(
        fc.property(start, fc.array(intent, { maxLength: 40 }), (table, intents) => {
          const changes = possible(table, intents);
          const expected = new Map(table);
          replay(expected, changes);
          const reduced = new Reduced(new Map(table), 'strict');
          for (const change of changes) reduced.take(change);
          reduced.flush();
          expect(reduced.table).toEqual(expected);
        }),
        { numRuns: fuzzRuns(1000) },
      );
    },
    FUZZ_TIMEOUT,
  );

  test(
    'behind a filter: the same, whichever rows the filter has let in',
    () => {
      fc.assert(
        fc.property(
          start,
          fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
          fc.array(intent, { maxLength: 40 }),
          (source, letIn, intents) => {
            const target = new Map([...source].filter((_, i) => letIn[i]));
            const expected = new Map(target);
            const reduced = new Reduced(new Map(target), 'tolerant');
            for (const change of possible(source, intents)) {
              // What is not whole must find its older self: only a row that is there is changed like that.
              if (change.op === 'update' && change.after.includes(undefined) && !expected.has(change.key)) continue;
              replay(expected, [change]);
              reduced.take(change);
            }
            reduced.flush();
            expect(reduced.table).toEqual(expected);
          },
        ),
        { numRuns: fuzzRuns(500) },
      );
    },
    FUZZ_TIMEOUT,
  );

  test(
    'laid over any state: what was written last is there, whole rows all',
    () => {
      fc.assert(
        fc.property(start, start, fc.array(intent, { maxLength: 40 }), (source, target, intents) => {
          const changes = possible(source, intents);
          const expected = new Map(target);
          for (const change of changes) {
            if (change.op === 'update' && change.after.includes(undefined)) continue;
            replay(expected, [change]);
          }
          const reduced = new Reduced(new Map(target), 'overlay');
          const whole = changes.filter(({ op, after }) => op !== 'update' || !after.includes(undefined));
          for (const change of whole) reduced.take(change);
          reduced.flush();
          expect(reduced.table).toEqual(expected);
        }),
        { numRuns: fuzzRuns(500) },
      );
    },
    FUZZ_TIMEOUT,
  );

  test('behind a filter, with hope: the same, and what the source does alone is never refused', () => {
    fc.assert(
      fc.property(start, fc.array(intent, { maxLength: 40 }), (table, intents) => {
        const changes = possible(table, intents);
        const expected = new Map(table);
        replay(expected, changes);
        const reduced = new Reduced(new Map(table), 'tolerant', true);
        for (const change of changes) reduced.take(change);
        reduced.flush();
        expect(reduced.table).toEqual(expected);
        expect(reduced.refused).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  test('inserts alone are only hoped for, and rows that came twice are put once', () => {
    const twice = (hopeful: boolean) => {
      const rows = new Rows();
      const changes = new TableChanges(planOf(), 'tolerant', rows, hopeful);
      const { bytes, at } = new RowBytes([['1', 'a', 'b'], ['2', 'a', 'b'], ['1', 'c', 'd']]); // prettier-ignore
      const source = rows.add(bytes);
      for (const offset of at) expect(changes.insert(source, offset)).toBe('done');
      return changes;
    };
    expect(twice(false).onlyInserts).toBe(false);
    const hopeful = twice(true);
    expect(hopeful.onlyInserts).toBe(true);
    hopeful.doubt();
    expect(hopeful.onlyInserts).toBe(false);
    expect(hopeful.entries(State.put)).toEqual([1, 2]);
    expect(hopeful.entries(State.insert)).toEqual([]);
    expect(new TableChanges(planOf(), 'overlay', new Rows(), true).onlyInserts).toBe(false);
  });

  test('a row written many times over is written once', () => {
    const reduced = new Reduced(new Map([['1', ['1', 'a', 'b']]]), 'strict');
    for (let i = 0; i < 100; i++) reduced.take({ op: 'update', key: '1', after: ['1', undefined, String(i)] });
    reduced.take({ op: 'delete', key: '1', after: ['1', null, null] });
    reduced.take({ op: 'insert', key: '1', after: ['1', 'n', null] });
    reduced.take({ op: 'update', key: '1', after: ['2', undefined, 'o'] });
    reduced.flush();
    expect(reduced.flushes).toBe(1);
    expect(reduced.table).toEqual(new Map([['2', ['2', 'n', 'o']]]));
  });

  test('a changed key of a row that is not whole is a statement of its own', () => {
    const reduced = new Reduced(new Map([['1', ['1', 'a', 'b']]]), 'strict');
    reduced.take({ op: 'update', key: '1', after: ['5', undefined, 'c'] });
    reduced.flush();
    expect(reduced.flushes).toBe(2);
    expect(reduced.table).toEqual(new Map([['5', ['5', 'a', 'c']]]));
  });
});
