import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Applied, BatchOutcome } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { type ReadyBlock, WriterStage } from '#services/writer/writer.ts';
import { eventually } from '#test/support/eventually.ts';
import { Blocks, FakeTarget } from './fake-target.ts';

let blocks: Blocks;
let fake: FakeTarget;
let clock: ManualClock;
let letters: string[];
let committed: { applied: Applied; outcome: BatchOutcome; lastCommitTime: number }[];
let interrupted: string[];
let stop: AbortController;
/** Where each reading began. */
let openedFrom: bigint[];

beforeEach(() => {
  blocks = new Blocks();
  fake = new FakeTarget();
  clock = new ManualClock();
  letters = [];
  committed = [];
  interrupted = [];
  openedFrom = [];
  stop = new AbortController();
});

/** The topic: what is in `blocks` from an offset on, then a wait for the end. */
async function* read(from: Applied, signal: AbortSignal): AsyncIterable<ReadyBlock> {
  openedFrom.push(from.nextOffset);
  for (let offset = Number(from.nextOffset); !signal.aborted;) {
    const block = blocks.all[offset];
    if (block) {
      offset++;
      yield block;
    } else if (!(await moreThan(offset, signal))) return;
  }
}

const moreThan = (count: number, signal: AbortSignal) =>
  eventually(() => signal.aborted || blocks.all.length > count, { every: 1 }).then(() => !signal.aborted);

function stage(open = read): WriterStage {
  return new WriterStage({
    pairId: 'p',
    target: fake.target,
    topic: 'changes.s',
    open,
    storeDeadLetters: (stored) => {
      letters.push(...stored.map(({ position }) => position));
      return Promise.resolve();
    },
    observer: {
      opened() {},
      committed: (applied, outcome, lastCommitTime) => void committed.push({ applied, outcome, lastCommitTime }),
      interrupted: ({ code }) => void interrupted.push(code),
    },
  });
}

const log = { debug() {}, info() {}, warn() {}, error() {} };
const start = (one = stage()) => one.run({ clock, log, signal: stop.signal });

async function untilHeld(rows: readonly string[]): Promise<void> {
  await eventually(() => fake.rows.length >= rows.length, { every: 1 });
  expect(fake.rows).toEqual(rows);
}

async function stopAfter(rows: readonly string[], running: Promise<void>): Promise<void> {
  // One that has ended by itself is not waited for.
  const run: { ended: boolean } = { ended: false };
  running
    .finally(() => {
      run.ended = true;
    })
    .catch(() => undefined);
  await eventually(() => run.ended || fake.rows.length >= rows.length, { every: 1 });
  if (run.ended) await running;
  expect(fake.rows).toEqual(rows);
  stop.abort();
  await running;
}

describe('batches', () => {
  test('a small transaction leaves at once when the target is idle', async () => {
    const running = start();
    blocks.add(['1']);
    await untilHeld(['1']);
    blocks.add(['2']);
    await stopAfter(['1', '2'], running);
    expect(fake.seen.map(({ rows }) => rows)).toEqual([['1'], ['2']]);
    expect(committed.map(({ applied }) => applied.nextOffset)).toEqual([1n, 2n]);
    expect(committed[0]).toMatchObject({ lastCommitTime: 1_000_000, outcome: { inserted: 1, committed: true } });
  });

  test('while two are under way the next ones gather', async () => {
    fake.hold = true;
    const running = start();
    for (const row of ['1', '2', '3', '4', '5']) {
      blocks.add([row]);
      if (Number(row) <= 2) await eventually(() => fake.waiting === 1);
    }
    await eventually(() => fake.waiting === 1);
    fake.hold = false;
    fake.release();
    await stopAfter(['1', '2', '3', '4', '5'], running);
    expect(fake.seen.length).toBeLessThan(5);
  });

  test('what is complete does not wait for a transaction that goes on', async () => {
    blocks.add(['1'], ['2']);
    blocks.add(['3'], ['4', '…']);
    const running = start();
    await eventually(() => fake.seen.length > 1);
    expect(fake.seen).toEqual([
      { rows: ['1', '2'], mode: 'set', committed: true },
      { rows: ['3', '4'], mode: 'set', committed: false },
    ]);
    blocks.add(['5', '…']);
    blocks.add(['6'], ['7']);
    await stopAfter(['1', '2', '3', '4', '5', '6', '7'], running);
    // Three batches in one transaction of the target: told once, together.
    expect(committed.at(-1)?.outcome).toMatchObject({
      inserted: 5,
      tables: [{ table: { name: 'parcel' }, changes: 5, lastCommitTime: 1_000_000 }],
    });
  });

  test('what the target holds is skipped, change by change', async () => {
    blocks.add(['1'], ['2', '3']);
    blocks.add(['4']);
    const running = start(stage((from, signal) => read({ ...from, nextOffset: 0n }, signal)));
    fake.failure = undefined;
    await stopAfter(['1', '2', '3', '4'], running);
    stop = new AbortController();
    blocks.add(['5']);
    await stopAfter(
      ['1', '2', '3', '4', '5'],
      start(stage((from, signal) => read({ ...from, nextOffset: 0n }, signal))),
    );
  });
});

test('Promise 6: while the target takes nothing, no more is read than the queue holds', async () => {
  fake.hold = true;
  const large = 'x'.repeat(256 * 1024);
  for (let i = 0; i < 60; i++) blocks.add([`${i} ${large}`]);
  let given = 0;
  const counted = async function* (from: Applied, signal: AbortSignal): AsyncIterable<ReadyBlock> {
    for await (const block of read(from, signal)) {
      given++;
      yield block;
    }
  };
  const running = start(stage(counted));
  await eventually(() => fake.waiting === 1 && given >= 4);
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  // Two batches in flight, what waits behind them, and the block that waits for room: a MiB each at most.
  expect(given).toBeLessThanOrEqual(16);
  fake.hold = false;
  fake.release();
  await eventually(() => fake.rows.length === 60);
  stop.abort();
  await running;
});

test('Promise 6: of a transaction that is not committed yet no block is held', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const given: WeakRef<Buffer>[] = [];
  // Each block is made as it is read, and nobody here holds it.
  const endless = async function* (): AsyncIterable<ReadyBlock> {
    const made = new Blocks();
    for (let i = 0; i < 100; i++) {
      const { bytes, nextOffset } = made.add([String(i), '…']);
      const own = Buffer.from(bytes);
      given.push(new WeakRef(own));
      yield { bytes: own, nextOffset };
    }
    await new Promise((resolve) => {
      stop.signal.addEventListener('abort', resolve);
    });
  };
  const running = start(stage(endless));
  await eventually(() => fake.seen.flatMap(({ rows }) => rows).length === 100);
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(given.filter((each) => each.deref() !== undefined).length).toBeLessThan(10);
  stop.abort();
  await running;
});

describe('what must not go on', () => {
  test('a gap in the topic (Promise 2)', async () => {
    blocks.add(['1']);
    blocks.add(['2']);
    fake.held = { ...fake.held!, nextOffset: 1n };
    // It ends: who takes the block all the same is not waited for.
    const ending = async function* (): AsyncIterable<ReadyBlock> {
      await Promise.resolve();
      yield blocks.all[1]!;
    };
    await expect(start(stage(ending))).rejects.toMatchObject({ code: 'PAIR_HISTORY_LOST' });
    expect(fake.rows).toEqual([]);
  });

  test('a target that holds no position', async () => {
    fake.held = undefined;
    await expect(start()).rejects.toMatchObject({ code: 'PAIR_HISTORY_LOST' });
  });

  test('what does not heal, and an error of the chain', async () => {
    blocks.add(['1']);
    fake.failure = () => new TerraFusionError('TARGET_NO_PRIVILEGE', 'no');
    await expect(start()).rejects.toMatchObject({ code: 'TARGET_NO_PRIVILEGE' });
    async function* broken(): AsyncIterable<ReadyBlock> {
      await Promise.resolve();
      yield blocks.all[0]!;
      throw new TerraFusionError('PAIR_ROW_INVALID', 'halt');
    }
    fake.failure = undefined;
    await expect(start(stage(broken))).rejects.toMatchObject({ code: 'PAIR_ROW_INVALID' });
    // The block before it is not lost on the way out.
    expect(fake.rows).toEqual(['1']);
  });
});

describe('what heals', () => {
  test('is tried again after a wait, from what the target holds', async () => {
    let failures = 3;
    fake.failure = () => (failures-- > 0 ? new TerraFusionError('TARGET_UNREACHABLE', 'gone') : undefined);
    blocks.add(['1']);
    const running = start();
    for (let i = 0; i < 3; i++) {
      await Promise.race([clock.untilSleeping(), running]);
      clock.advance(60_000);
    }
    await stopAfter(['1'], running);
    expect(interrupted).toEqual(['TARGET_UNREACHABLE', 'TARGET_UNREACHABLE', 'TARGET_UNREACHABLE']);
    expect(fake.opened).toBe(4);
  });

  test('of a batch that meets a constraint the block that is in the way is repeated change by change', async () => {
    fake.refused = ['3'];
    fake.failure = (rows, mode) =>
      mode === 'set' && rows.includes('3') ? new TerraFusionError('TARGET_CONSTRAINT', '23505') : undefined;
    for (const row of ['1', '2', '3', '4']) blocks.add([row]);
    const running = start();
    await untilHeld(['1', '2', '4']);
    blocks.add(['5']);
    await stopAfter(['1', '2', '4', '5'], running);
    expect(letters).toEqual(['3']);
    expect(interrupted).toEqual([]);
    expect(fake.seen).toEqual([
      { rows: ['1'], mode: 'set', committed: true },
      { rows: ['2'], mode: 'set', committed: true },
      { rows: ['3'], mode: 'ordered', committed: true },
      { rows: ['4'], mode: 'set', committed: true },
      { rows: ['5'], mode: 'set', committed: true },
    ]);
    expect(fake.opened).toBe(3);
  });

  test('a transaction over several blocks is repeated in one mode, with every constraint looked at at last', async () => {
    fake.refused = ['4'];
    fake.failure = (rows, mode) => {
      if (mode === 'set' && rows.includes('3')) return new TerraFusionError('TARGET_CONSTRAINT', 'set');
      return mode === 'ordered' && rows.includes('5')
        ? new TerraFusionError('TARGET_CONSTRAINT', 'deferred')
        : undefined;
    };
    blocks.add(['1']);
    blocks.add(['2', '…']);
    blocks.add(['3', '4', '…']);
    blocks.add(['5']);
    blocks.add(['6']);
    await stopAfter(['1', '2', '3', '5', '6'], start());
    const modes = (row: string) => fake.seen.filter(({ rows }) => rows.includes(row)).map(({ mode }) => mode);
    expect(modes('5')).toEqual(['immediate']);
    expect(modes('4').at(-1)).toBe('immediate');
    expect(new Set(letters)).toEqual(new Set(['4']));
  });

  test('a constraint that is met in every mode halts the pair', async () => {
    fake.failure = () => new TerraFusionError('TARGET_CONSTRAINT', 'always');
    blocks.add(['1']);
    await expect(start()).rejects.toMatchObject({ code: 'TARGET_STATEMENT_FAILED', heals: false });
    expect(fake.opened).toBe(3);
  });
});

describe('stopping', () => {
  test('finishes what is in flight', async () => {
    fake.hold = true;
    blocks.add(['1']);
    const running = start();
    await eventually(() => fake.waiting === 1);
    stop.abort();
    await Promise.resolve();
    fake.release();
    await running;
    expect(fake.rows).toEqual(['1']);
  });

  test('cuts the connection when the target takes too long', async () => {
    fake.hold = true;
    blocks.add(['1']);
    const running = start();
    await eventually(() => fake.waiting === 1);
    stop.abort();
    await clock.untilSleeping();
    clock.advance(10_000);
    await running;
    expect(fake.rows).toEqual([]);
  });

  test('ends a wait at once', async () => {
    fake.failure = () => new TerraFusionError('TARGET_BUSY', 'locked');
    blocks.add(['1']);
    const running = start();
    await clock.untilSleeping();
    stop.abort();
    await running;
  });
});

test('whatever fails and wherever blocks are cut, every row is held once and in order', async () => {
  const part = fc.record({ rows: fc.integer({ min: 1, max: 3 }), goesOn: fc.boolean() });
  const codes = ['TARGET_UNREACHABLE', 'TARGET_CONSTRAINT', 'TARGET_BUSY', 'TARGET_FENCED'] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.option(fc.constantFrom(...codes)), { maxLength: 12 }),
      fc.boolean(),
      async (layout, failures, fromStart) => {
        blocks = new Blocks();
        fake = new FakeTarget();
        clock = new ManualClock();
        stop = new AbortController();
        let next = 0;
        const all: string[] = [];
        const rows = (count: number) => {
          const made = Array.from({ length: count }, () => String(next++));
          all.push(...made);
          return made;
        };
        for (const parts of layout)
          blocks.add(
            ...parts.map(({ rows: n, goesOn }, i) => (goesOn && i === parts.length - 1 ? [...rows(n), '…'] : rows(n))),
          );
        blocks.add(rows(1));
        const left = [...failures];
        fake.failure = (_, mode) => {
          const code = left.shift();
          if (code === null || code === undefined || (code === 'TARGET_CONSTRAINT' && mode === 'immediate'))
            return undefined;
          return new TerraFusionError(code, 'random');
        };
        const open = fromStart
          ? (from: Applied, signal: AbortSignal) => read({ ...from, nextOffset: 0n }, signal)
          : read;
        const running = start(stage(open));
        await eventually(
          () => {
            clock.advance(60_000);
            return fake.rows.length >= all.length;
          },
          { every: 0, within: 5000 },
        );
        stop.abort();
        await running;
        expect(fake.rows).toEqual(all);
      },
    ),
    { numRuns: 60 },
  );
});
