import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { BlockReader, readRow } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, endOf, formatPosition } from '#schemas/position.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { ReaderStage } from '#services/reader/reader.ts';
import { eventually } from '#test/support/eventually.ts';
import { MemoryBus, type AppendFailure } from '../stream-processor/memory-bus.ts';
import { Blocks } from '../writer/fake-target.ts';
import { FakeSource } from './fake-source.ts';

const topic = 'changes.s';
const log = { debug() {}, info() {}, warn() {}, error() {} };

/** A bus that is full a few times: it has stored nothing then. */
class FullBus extends MemoryBus {
  full = 0;

  override append(name: string, blocks: readonly Buffer[]): Promise<bigint> {
    if (this.full === 0) return super.append(name, blocks);
    this.full--;
    return Promise.reject(new TerraFusionError('BUS_FULL', 'no room'));
  }
}

let blocks: Blocks;
let source: FakeSource;
let bus: FullBus;
let clock: ManualClock;
let stop: AbortController;
let told: string[];

beforeEach(() => {
  blocks = new Blocks();
  source = new FakeSource();
  bus = new FullBus();
  clock = new ManualClock();
  stop = new AbortController();
  told = [];
});

function start(generation = 1): Promise<void> {
  const stage = new ReaderStage({
    sourceId: 's',
    topic,
    generation,
    stream: { slot: 'slot', publication: 'p', systemIdentifier: '1', timeline: 1, consistentPoint: 0n },
    source: source.source,
    bus,
    observer: {
      failedOver: ({ timeline }) => {
        told.push(`timeline ${timeline}, ${bus.blocks(topic).length} stored`);
        return Promise.resolve();
      },
      connected() {},
      stored() {},
      interrupted: ({ code }) => void told.push(code),
      paused: ({ code }) => void told.push(`paused ${code}`),
    },
  });
  return stage.run({ clock, log, signal: stop.signal });
}

const add = (...parts: readonly (readonly string[])[]): void => {
  source.add(blocks.add(...parts).bytes);
};

/** Rows in the topic, in order. */
function stored(): string[] {
  return bus.blocks(topic).flatMap((bytes) => {
    const reader = BlockReader.open(bytes);
    const rows: string[] = [];
    while (reader.nextTransaction())
      while (reader.nextChange()) rows.push(readRow(reader.bytes, reader.afterStart)[0]!);
    return rows;
  });
}

async function stopped(running: Promise<void>): Promise<void> {
  stop.abort();
  await running;
}

describe('Promise 1: the source forgets only what the topic holds', () => {
  test('nothing is acknowledged while an append is under way, all of it afterwards', async () => {
    const held = Promise.withResolvers<undefined>();
    bus.hold = held.promise;
    add(['1']);
    add(['2']);
    const running = start();
    await eventually(() => source.given === 2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(source.acknowledged).toEqual([]);
    held.resolve(undefined);
    await eventually(() => source.acknowledged.length > 0 && stored().length === 2);
    await stopped(running);
    expect(source.acknowledged.at(-1)).toEqual(source.blocks[1]!.last);
  });

  test('nor is what a failed append may have stored; each row is in the topic once (property)', async () => {
    const failure = fc.option(fc.constantFrom<AppendFailure[]>('nothing-stored', 'part-stored', 'all-stored'));
    const layout = fc.array(
      fc.array(fc.record({ rows: fc.integer({ min: 1, max: 3 }), goesOn: fc.boolean() }), {
        minLength: 1,
        maxLength: 2,
      }),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    await fc.assert(
      fc.asyncProperty(layout, fc.array(failure, { maxLength: 6 }), async (parts, failures) => {
        blocks = new Blocks();
        source = new FakeSource();
        bus = new FullBus();
        clock = new ManualClock();
        stop = new AbortController();
        let next = 0;
        const all: string[] = [];
        for (const block of parts) {
          const made = block.map(({ rows, goesOn }, i) => {
            const names = Array.from({ length: rows }, () => String(next++));
            all.push(...names);
            return goesOn && i === block.length - 1 ? [...names, '…'] : names;
          });
          add(...made);
        }
        bus.failures.push(...failures.map((each) => each ?? undefined));
        source.onAcknowledge = (position) => {
          const tail = BlockReader.summary(bus.blocks(topic).at(-1)!).last;
          expect(comparePositions(position, tail), `${formatPosition(position)} of ${formatPosition(tail)}`).not.toBe(
            1,
          );
        };
        const running = start();
        await eventually(
          () => {
            clock.advance(60_000);
            return stored().length >= all.length;
          },
          { every: 0, within: 5000 },
        ).catch(() => undefined);
        await stopped(running);
        expect(stored()).toEqual(all);
      }),
      { numRuns: 60 },
    );
  });
});

describe('where it goes on', () => {
  test('after the last block of its topic, asked anew on every connection', async () => {
    add(['1']);
    bus.failures.push('all-stored');
    const running = start();
    await clock.untilSleeping();
    clock.advance(60_000);
    await eventually(() => source.requests.length === 2);
    await stopped(running);
    expect(source.requests[0]!.after).toBeUndefined();
    expect(source.requests[1]!.after).toEqual(source.blocks[0]!.last);
    expect(told).toEqual(['BUS_UNREACHABLE']);
  });

  test('what the topic holds of an earlier slot is no place to go on from', async () => {
    await bus.createTopic(topic);
    await bus.append(topic, [blocks.add(['1']).bytes]);
    const running = start(2);
    await eventually(() => source.requests.length === 1);
    await stopped(running);
    expect(source.requests[0]).toMatchObject({ generation: 2, after: undefined });
  });

  test('on another line of history only once that is kept (CHECKLIST 12)', async () => {
    source.timeline = 2;
    add(['1']);
    const running = start();
    await eventually(() => stored().length === 1);
    await stopped(running);
    expect(told).toEqual(['timeline 2, 0 stored']);
  });
});

describe('what goes wrong', () => {
  test('a source that is away is tried again, what does not heal ends the stage', async () => {
    source.failures.push(new TerraFusionError('SOURCE_UNREACHABLE', 'gone'));
    source.failures.push(new TerraFusionError('SOURCE_SLOT_MISSING', 'nobody has it'));
    const running = start();
    await Promise.race([clock.untilSleeping(), running.catch(() => undefined)]);
    clock.advance(60_000);
    await expect(running).rejects.toMatchObject({ code: 'SOURCE_SLOT_MISSING' });
    expect(told).toEqual(['SOURCE_UNREACHABLE']);
  });

  test('a full bus: the blocks stay in hand, the connection lives on (Promise 7)', async () => {
    bus.full = 3;
    add(['1']);
    const running = start();
    for (let i = 0; i < 3; i++) {
      await clock.untilSleeping();
      expect(source.acknowledged).toEqual([]);
      clock.advance(5000);
    }
    await eventually(() => stored().length === 1);
    await stopped(running);
    expect(source.requests).toHaveLength(1);
    expect(told).toEqual(['paused BUS_FULL', 'paused BUS_FULL', 'paused BUS_FULL']);
  });
});

test('Promise 6: while the topic takes nothing, no more is taken from the source than the queue holds', async () => {
  const held = Promise.withResolvers<undefined>();
  bus.hold = held.promise;
  for (let i = 1; i <= 40; i++) source.add(Buffer.alloc(512 * 1024), endOf(1, BigInt(i)));
  const running = start();
  await eventually(() => source.given >= 4);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  // What is being stored, the 2 MiB that wait behind it, and the one that waits for room.
  expect(source.given).toBeLessThanOrEqual(10);
  held.resolve(undefined);
  await eventually(() => bus.blocks(topic).length === 40);
  await stopped(running);
});
