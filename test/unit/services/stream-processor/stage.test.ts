import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockReader, dropThrough } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { comparePositions, formatPosition, type Position } from '#schemas/position.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { runStage, type Appended, type StageOptions } from '#services/stream-processor/stage.ts';
import { eventually } from '#test/support/eventually.ts';
import { read, type ModelBlock, type ModelChange } from '#test/unit/schemas/block-model.ts';
import { arbCuts, arbTransactions, cutFrom, historyStart, type History } from '#test/unit/schemas/history.ts';
import { definition, insert, table } from './fixture.ts';
import { MemoryBus, type AppendFailure } from './memory-bus.ts';

const generation = 4;
const owner = table('pacs.owner', ['owner_id* int4', 'name text']);
const other = table('pacs.other', ['id* int4']);
const identity = definition(undefined);
const mapping = definition([
  {
    source: 'pacs.owner',
    target: 'crm.contact',
    where: 'row.owner_id % 5 != 0',
    columns: { id: { from: 'owner_id' }, name: { from: 'name', transforms: ['upper'] } },
    rules: [{ name: 'not seven', check: 'row.id % 7 != 0' }],
  },
]);

const arbChange: fc.Arbitrary<Omit<ModelChange, 'ordinal'>> = fc.oneof(
  fc
    .record({ id: fc.integer({ min: 1, max: 40 }), name: fc.string() })
    .map(({ id, name }) => insert([String(id), name])),
  fc.constant(insert(['1'], 1)),
);
const arbHistory = arbTransactions(arbChange, 4).map((transactions): History => ({
  generation,
  tables: [owner, other],
  transactions,
}));

/** A simple history: transaction n inserts rows n·10 and n·10 + 1. */
function history(transactions: number): History {
  return {
    generation,
    tables: [owner, other],
    transactions: Array.from({ length: transactions }, (_, index) => ({
      xid: index,
      commitLsn: BigInt(index + 1) * 100n,
      commitTime: 0,
      origin: undefined,
      changes: [0, 1].map((ordinal) => ({ ...insert([String((index + 1) * 10 + ordinal), 'x']), ordinal })),
      complete: true,
      lastOrdinal: Number.MAX_SAFE_INTEGER,
    })),
  };
}

/** A pair's two topics, its dead letters, and how to run its stage until it stands where the input ends. */
class Bench {
  readonly bus = new MemoryBus();
  readonly letters = new Map<string, DeadLetter>();
  readonly appended: Appended[] = [];
  readonly #definition: PairDefinition;
  readonly #last: Position;
  stop = new AbortController();

  constructor(pair: PairDefinition, last: Position) {
    this.#definition = pair;
    this.#last = last;
  }

  async feed(blocks: readonly { readonly bytes: Buffer }[]): Promise<this> {
    await this.bus.createTopic('changes');
    await this.bus.append(
      'changes',
      blocks.map(({ bytes }) => bytes),
    );
    this.bus.appends.length = 0;
    return this;
  }

  options(more: Partial<StageOptions> = {}): StageOptions {
    this.stop = new AbortController();
    return {
      bus: this.bus,
      input: 'changes',
      output: 'ready',
      processor: compilePair(this.#definition),
      start: { offset: 0n, position: historyStart(generation) },
      storeDeadLetters: (letters) => {
        for (const letter of letters) this.letters.set(letter.position, letter);
        return Promise.resolve();
      },
      signal: this.stop.signal,
      onAppended: (appended) => {
        this.appended.push(appended);
        if (comparePositions(appended.position, this.#last) >= 0) this.stop.abort();
      },
      ...more,
    };
  }

  run(more: Partial<StageOptions> = {}): Promise<void> {
    return runStage(this.options(more));
  }

  /** What a writer would make of the output: every block after the one before, duplicates dropped. */
  result(): { changes: string[]; position: Position } {
    let held = historyStart(generation);
    const changes: string[] = [];
    for (const bytes of this.bus.blocks('ready')) {
      expect(comparePositions(BlockReader.open(bytes).header.after, held)).toBeLessThanOrEqual(0);
      const news = dropThrough(bytes, held);
      if (!news) continue;
      changes.push(...describeBlock(read(news)));
      held = BlockReader.summary(news).last;
    }
    return { changes, position: held };
  }
}

function describeBlock({ tables, transactions }: ModelBlock): string[] {
  return transactions.flatMap(({ commitLsn, changes, complete, xid }) => [
    ...changes.map(
      ({ table: index, ordinal, after }) => `${commitLsn}:${ordinal} ${tables[index]!.name} ${after!.join('|')}`,
    ),
    ...(complete ? [`${commitLsn} end ${xid}`] : []),
  ]);
}

/** What the pair makes of the history in one go. */
function ideal(of: History, pair: PairDefinition): { changes: string[]; letters: string[] } {
  const processor = compilePair(pair);
  const made = cutFrom(of, historyStart(generation), [false]).map(({ bytes }) => processor.process(bytes, 0n));
  return {
    changes: made.flatMap(({ bytes }) => describeBlock(read(bytes))),
    letters: made.flatMap(({ deadLetters }) => deadLetters.map(({ position }) => position)),
  };
}

const endOfHistory = ({ transactions }: History): Position => ({
  generation,
  commitLsn: transactions.at(-1)!.commitLsn,
  ordinal: Number.MAX_SAFE_INTEGER,
});

describe('the stage between two topics', () => {
  test('gives the whole history once, whatever fails on the way and however often the reader repeats itself', async () => {
    const failures = fc.array(
      fc.constantFrom<AppendFailure | undefined>('nothing-stored', 'part-stored', 'all-stored', undefined),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(
        arbHistory,
        arbCuts,
        arbCuts,
        failures,
        fc.boolean(),
        fc.constantFrom(1, 200, 1_000_000),
        async (of, cuts, again, fails, repeats, batchBytes) => {
          fc.pre(of.transactions.length > 0);
          const pair = fails.length % 2 === 0 ? mapping : identity;
          const first = cutFrom(of, historyStart(generation), cuts);
          // A reader that lost its place repeats a part of the topic, cut differently.
          const blocks = repeats ? [...first.slice(0, 2), ...cutFrom(of, first[0]!.last, again)] : first;
          const bench = await new Bench(pair, endOfHistory(of)).feed(blocks);
          bench.bus.failures.push(...fails);
          for (let tries = 0; tries <= fails.length; tries++) {
            try {
              await bench.run({ batchBytes });
              break;
            } catch (error) {
              expect(error).toMatchObject({ code: 'BUS_UNREACHABLE', heals: true });
              if (comparePositions(bench.result().position, endOfHistory(of)) >= 0) break;
            }
          }
          const expected = ideal(of, pair);
          expect(bench.result()).toEqual({ changes: expected.changes, position: endOfHistory(of) });
          expect([...bench.letters.keys()].sort()).toEqual([...expected.letters].sort());
        },
      ),
      { numRuns: 300 },
    );
  });

  test('writes the input offset into every block, also where nothing else changes', async () => {
    const of = history(5);
    for (const pair of [identity, mapping]) {
      const bench = await new Bench(pair, endOfHistory(of)).feed(
        cutFrom(of, historyStart(generation), [false, false, true]),
      );
      await bench.run();
      const offsets = bench.bus.blocks('ready').map((bytes) => BlockReader.open(bytes).header.inputOffset);
      expect(offsets).toEqual(offsets.map((_, index) => BigInt(index)));
      expect(bench.appended.at(-1)).toMatchObject({ position: endOfHistory(of), nextOffset: BigInt(offsets.length) });
    }
  });

  test('goes on after what its output holds, without a look at what was before', async () => {
    const of = history(6);
    const blocks = cutFrom(of, historyStart(generation), [false, false, true]);
    const bench = await new Bench(mapping, blocks[2]!.last).feed(blocks);
    await bench.run();
    // The first run may have gone further than told: what it has done is not done again.
    const done = bench.bus.blocks('ready').length;
    await bench.bus.truncateBefore('changes', BigInt(done));
    const rest = new Bench(mapping, endOfHistory(of));
    Object.assign(rest, { bus: bench.bus });
    const onResumed = (offset: bigint): void => {
      expect(offset).toBe(BigInt(done));
    };
    await (done < blocks.length ? rest.run({ onResumed }) : Promise.resolve());
    expect(bench.result().changes).toEqual(ideal(of, mapping).changes);
  });

  test('stores dead letters before the append that covers them', async () => {
    const of = history(7);
    const bench = await new Bench(mapping, endOfHistory(of)).feed(cutFrom(of, historyStart(generation), [false]));
    const refuse = new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', 'gone');
    await expect(bench.run({ storeDeadLetters: () => Promise.reject(refuse) })).rejects.toBe(refuse);
    expect(bench.bus.blocks('ready')).toEqual([]);
    await bench.run();
    expect([...bench.letters.values()].map(({ row, rule }) => [row['owner_id'], rule])).toEqual([['21', 'not seven']]);
    expect(bench.appended.reduce((sum, { deadLetters }) => sum + deadLetters, 0)).toBe(1);
  });

  test('says that history is lost when the input topic goes on further than it has come', async () => {
    const of = history(4);
    const bench = await new Bench(mapping, endOfHistory(of)).feed(
      cutFrom(of, historyStart(generation), [false, false, true]),
    );
    await bench.bus.truncateBefore('changes', 2n);
    await expect(bench.run()).rejects.toMatchObject({
      code: 'PAIR_HISTORY_LOST',
      message: expect.stringContaining(`only what is up to ${formatPosition(historyStart(generation))}`) as string,
    });
  });

  test('appends what came before a row that halts the pair, and halts there every time', async () => {
    const of = history(7);
    const halting = definition([
      { source: 'pacs.owner', rules: [{ name: 'not 31', check: 'row.owner_id != 31', on_failure: 'halt' }] },
    ]);
    const bench = await new Bench(halting, endOfHistory(of)).feed(
      cutFrom(of, historyStart(generation), [false, false, true]),
    );
    for (let tries = 0; tries < 2; tries++) {
      await expect(bench.run()).rejects.toMatchObject({ code: 'PAIR_ROW_INVALID', details: { position: '4:0/12C:1' } });
      expect(bench.result().position).toEqual({ generation, commitLsn: 200n, ordinal: Number.MAX_SAFE_INTEGER });
    }
  });

  test('drains when it is told to stop: what it has read is appended', async () => {
    const of = history(8);
    const bench = await new Bench(mapping, endOfHistory(of)).feed(
      cutFrom(of, historyStart(generation), [false, false, true]),
    );
    const gate = Promise.withResolvers<undefined>();
    bench.bus.hold = gate.promise;
    const counted: string[] = [];
    const processor = compilePair(mapping);
    const options = bench.options({
      processor: {
        process: (bytes, offset) => {
          counted.push(String(offset));
          return processor.process(bytes, offset);
        },
      },
    });
    const running = runStage(options);
    await eventually(() => counted.length === 8);
    bench.stop.abort();
    gate.resolve(undefined);
    await running;
    expect(bench.bus.blocks('ready')).toHaveLength(8);
    // The blocks that gathered while the first append was held up went out together.
    expect(bench.bus.appends.length).toBeLessThan(8);
  });

  test('holds no more than it may while the output does not take anything (Promise 6)', async () => {
    const of = history(50);
    const blocks = cutFrom(of, historyStart(generation), [false, false, true]);
    const bench = await new Bench(identity, endOfHistory(of)).feed(blocks);
    const gate = Promise.withResolvers<undefined>();
    bench.bus.hold = gate.promise;
    let read = 0;
    const processor = compilePair(identity);
    const size = blocks[0]!.bytes.length;
    const running = bench.run({
      batchBytes: size * 3,
      processor: {
        process: (bytes, offset) => {
          read++;
          return processor.process(bytes, offset);
        },
      },
    });
    await eventually(() => read >= 4);
    await new Promise(setImmediate);
    expect(read).toBeLessThan(12);
    gate.resolve(undefined);
    await running;
    expect(bench.result().changes).toEqual(ideal(of, identity).changes);
  });

  test('begins at the start that it is given, within a block if need be', async () => {
    const of = history(4);
    const bench = await new Bench(identity, endOfHistory(of)).feed(cutFrom(of, historyStart(generation), [false]));
    await bench.run({ start: { offset: 0n, position: { generation, commitLsn: 200n, ordinal: 0 } } });
    const block = read(bench.bus.blocks('ready')[0]!);
    expect(describeBlock(block)[0]).toBe('200:1 owner 21|x');
    expect(block.after).toEqual({ generation, commitLsn: 200n, ordinal: 0 });
  });

  test('believes a start that is further on than its output', async () => {
    const of = history(6);
    const bench = await new Bench(identity, endOfHistory(of)).feed(
      cutFrom(of, historyStart(generation), [false, false, true]),
    );
    const first = new Bench(identity, { generation, commitLsn: 100n, ordinal: 0 });
    Object.assign(first, { bus: bench.bus });
    await first.run({ batchBytes: 1 });
    const done = bench.bus.blocks('ready').length;
    expect(done).toBeLessThan(5);
    await bench.run({
      start: { offset: 5n, position: { generation, commitLsn: 500n, ordinal: Number.MAX_SAFE_INTEGER } },
    });
    expect(describeBlock(read(bench.bus.blocks('ready').at(-1)!))[0]).toBe('600:0 owner 60|x');
    expect(bench.bus.blocks('ready')).toHaveLength(done + 1);
  });
});
