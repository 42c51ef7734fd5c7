import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { Bus, BusBlock } from '#services/kernel/bus/port.ts';

/** How the suite gets at one implementation: everything it needs to know about it. */
export interface BusFixture {
  /** Opens the bus on the fixture's storage. Called again after the one before was disposed of: it must find what was stored. */
  open(): Promise<Bus>;
  /** Runs of each property; fewer where a call costs a round trip to a broker. */
  readonly runs: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The one meaning of "bus": both implementations pass this, and nothing else is asked of them. */
export function describeBus(name: string, makeFixture: () => Promise<BusFixture>): void {
  describe(`bus contract: ${name}`, () => {
    let fixture: BusFixture;
    let bus: Bus;

    beforeAll(async () => {
      fixture = await makeFixture();
      bus = await fixture.open();
    });

    afterAll(async () => {
      await bus[Symbol.asyncDispose]();
      await fixture[Symbol.asyncDispose]();
    });

    const reopen = async (): Promise<void> => {
      await bus[Symbol.asyncDispose]();
      bus = await fixture.open();
    };

    const freshTopic = async (): Promise<string> => {
      const topic = `contract.${randomUUID()}`;
      await bus.createTopic(topic);
      return topic;
    };

    describe('topics', () => {
      test('creating a topic twice changes nothing', async () => {
        const topic = await freshTopic();
        await bus.append(topic, [text('kept')]);
        await bus.createTopic(topic);
        expect(await bus.listTopics()).toContain(topic);
        expect(await readAll(bus, topic)).toEqual(['kept']);
      });

      test('deleting an absent topic is no error', async () => {
        await bus.deleteTopic(`contract.${randomUUID()}`);
      });

      test('a deleted topic is gone, and empty when it is made again', async () => {
        const topic = await freshTopic();
        await bus.append(topic, [text('old')]);
        await bus.deleteTopic(topic);
        expect(await bus.listTopics()).not.toContain(topic);
        await expectCode('BUS_TOPIC_MISSING', bus.tail(topic));

        await bus.createTopic(topic);
        expect(await bus.tail(topic)).toBeUndefined();
        const { first, next } = await bus.range(topic);
        expect(first).toBe(next);
        await bus.append(topic, [text('new')]);
        expect(await readAll(bus, topic)).toEqual(['new']);
      });

      test('who reads a topic that is deleted is told so', async () => {
        const topic = await freshTopic();
        await bus.append(topic, [text('one')]);
        const blocks = bus.read(topic, 0n, never)[Symbol.asyncIterator]();
        await blocks.next();
        const told = expectCode('BUS_TOPIC_MISSING', blocks.next());
        await bus.deleteTopic(topic);
        await told;
      });

      test('every call on a topic that is not there says so', async () => {
        const topic = `contract.${randomUUID()}`;
        await Promise.all([
          expectCode('BUS_TOPIC_MISSING', bus.append(topic, [text('lost')])),
          expectCode('BUS_TOPIC_MISSING', bus.tail(topic)),
          expectCode('BUS_TOPIC_MISSING', bus.range(topic)),
          expectCode('BUS_TOPIC_MISSING', bus.truncateBefore(topic, 1n)),
          expectCode('BUS_TOPIC_MISSING', take(bus, topic, 0n, 1)),
        ]);
        expect(await bus.listTopics()).not.toContain(topic);
      });

      test('topics do not touch each other', async () => {
        const topics = await Promise.all([freshTopic(), freshTopic(), freshTopic()]);
        await Promise.all(topics.flatMap((topic) => [1, 2, 3].map((i) => bus.append(topic, [text(`${topic} ${i}`)]))));
        for (const topic of topics) {
          expect(await readAll(bus, topic)).toEqual([1, 2, 3].map((i) => `${topic} ${i}`));
        }
      });
    });

    describe('append', () => {
      test('returns the offset of the last block, and what it returned is there', async () => {
        const topic = await freshTopic();
        const last = await bus.append(topic, [text('a'), text('b'), text('c')]);
        expect((await bus.tail(topic))?.offset).toBe(last);
        expect((await bus.range(topic)).next).toBe(last + 1n);
        expect(await readAll(bus, topic)).toEqual(['a', 'b', 'c']);
        expect(await bus.append(topic, [text('d')])).toBeGreaterThan(last);
      });

      test('appends keep the order of the calls, however many are under way', async () => {
        const topic = await freshTopic();
        const names = Array.from({ length: 200 }, (_, i) => `block ${i}`);
        const offsets = await Promise.all(names.map((block) => bus.append(topic, [text(block)])));
        expect(offsets).toEqual([...offsets].sort((a, b) => Number(a - b)));
        expect(await readAll(bus, topic)).toEqual(names);
      });

      test('an empty list stores nothing and gives the last offset', async () => {
        const topic = await freshTopic();
        expect(await bus.append(topic, [])).toBe(-1n);
        const last = await bus.append(topic, [text('a')]);
        expect(await bus.append(topic, [])).toBe(last);
        expect(await readAll(bus, topic)).toEqual(['a']);
      });

      test('blocks of any size come back as they were', async () => {
        const topic = await freshTopic();
        const blocks = [0, 1, 2000, 4096, 256 * 1024, 5 * 2 ** 20, 1].map(bytes);
        await bus.append(topic, blocks);
        const back = await take(bus, topic, 0n, blocks.length);
        expect(back.map((block) => block.bytes.length)).toEqual(blocks.map((block) => block.length));
        expect(back.every((block, i) => block.bytes.equals(blocks[i]!))).toBe(true);
        expect((await bus.tail(topic))?.bytes.equals(blocks.at(-1)!)).toBe(true);
      });

      test('more than one request can carry at once still arrives in order', async () => {
        const topic = await freshTopic();
        const blocks = Array.from({ length: 24 }, (_, i) => bytes(2 ** 20 + i));
        const halves = [blocks.slice(0, 15), blocks.slice(15)];
        await Promise.all(halves.map((half) => bus.append(topic, half)));
        const back = await take(bus, topic, 0n, blocks.length);
        expect(back.map((block) => block.bytes.length)).toEqual(blocks.map((block) => block.length));
      });
    });

    describe('tail and range', () => {
      test('an empty topic has no tail and an empty range', async () => {
        const topic = await freshTopic();
        expect(await bus.tail(topic)).toBeUndefined();
        expect(await bus.range(topic)).toEqual({ first: 0n, next: 0n });
      });

      test('the tail is the last block', async () => {
        const topic = await freshTopic();
        for (const block of ['a', 'b', 'c']) {
          const offset = await bus.append(topic, [text('before'), text(block)]);
          const tail = await bus.tail(topic);
          expect(tail?.bytes.toString()).toBe(block);
          expect(tail?.offset).toBe(offset);
        }
      });
    });

    describe('read', () => {
      test('begins at the offset that was asked for', async () => {
        const topic = await freshTopic();
        await bus.append(topic, ['a', 'b', 'c', 'd'].map(text));
        const { next } = await bus.range(topic);
        const blocks = await take(bus, topic, next - 2n, 2);
        expect(blocks.map((block) => block.bytes.toString())).toEqual(['c', 'd']);
        expect(blocks.map((block) => block.offset)).toEqual([next - 2n, next - 1n]);
      });

      test('waits at the end and wakes with the next block', async () => {
        const topic = await freshTopic();
        await using reader = reading(bus, topic, 0n);
        const first = reader.next();
        await bus.append(topic, [text('a')]);
        expect(await first).toBe('a');
        const second = reader.next();
        await bus.append(topic, [text('b'), text('c')]);
        expect(await second).toBe('b');
        expect(await reader.next()).toBe('c');
      });

      test('several readers see everything, each at its own pace', async () => {
        const topic = await freshTopic();
        const names = Array.from({ length: 30 }, (_, i) => `block ${i}`);
        const readers = [0, 1, 2].map(() => take(bus, topic, 0n, names.length));
        for (const block of names) await bus.append(topic, [text(block)]);
        for (const blocks of await Promise.all(readers)) {
          expect(blocks.map((block) => block.bytes.toString())).toEqual(names);
        }
      });

      test('ends when the signal is aborted: before it begins, while it waits, between two blocks', async () => {
        const topic = await freshTopic();
        await bus.append(topic, [text('a'), text('b')]);
        expect(await collect(bus.read(topic, 0n, AbortSignal.abort()))).toEqual([]);

        const between = new AbortController();
        const seen: string[] = [];
        for await (const block of bus.read(topic, 0n, between.signal)) {
          seen.push(block.bytes.toString());
          between.abort();
        }
        expect(seen).toEqual(['a']);

        const waits = new AbortController();
        const ended = collect(bus.read(topic, (await bus.range(topic)).next, waits.signal));
        await bus.tail(topic);
        waits.abort();
        expect(await ended).toEqual([]);
      });

      test('a reader that stops by itself leaves nothing behind', async () => {
        const topic = await freshTopic();
        await bus.append(topic, [text('a'), text('b')]);
        for await (const block of bus.read(topic, 0n, never)) {
          expect(block.bytes.toString()).toBe('a');
          break;
        }
        expect(await readAll(bus, topic)).toEqual(['a', 'b']);
      });

      test('an offset that the topic has not reached is an error, not a wait', async () => {
        const topic = await freshTopic();
        await bus.append(topic, [text('a')]);
        await expectCode('BUS_OFFSET_LOST', take(bus, topic, 7n, 1));
      });

      test('buffers stay what they were, whatever happens afterwards', async () => {
        const topic = await freshTopic();
        const blocks = [1, 2, 3, 4].map((size) => bytes(size * 50_000));
        await bus.append(topic, blocks);
        const held = await take(bus, topic, 0n, blocks.length);
        await bus.truncateBefore(topic, (await bus.range(topic)).next);
        for (let i = 0; i < 8; i++) await bus.append(topic, [bytes(60_000 + i)]);
        await take(bus, topic, 0n, 9);
        expect(held.every((block, i) => block.bytes.equals(blocks[i]!))).toBe(true);
      });
    });

    describe('truncation', () => {
      test('forgets what lies before the offset', async () => {
        const topic = await freshTopic();
        const last = await bus.append(topic, ['a', 'b', 'c', 'd'].map(text));
        await bus.truncateBefore(topic, last - 1n);
        expect(await bus.range(topic)).toEqual({ first: last - 1n, next: last + 1n });
        expect(await readAll(bus, topic)).toEqual(['c', 'd']);
      });

      test('always keeps the last block', async () => {
        const topic = await freshTopic();
        const last = await bus.append(topic, ['a', 'b'].map(text));
        await bus.truncateBefore(topic, last + 100n);
        expect((await bus.tail(topic))?.bytes.toString()).toBe('b');
        expect(await bus.range(topic)).toEqual({ first: last, next: last + 1n });
      });

      test('of nothing, or of what is gone already, changes nothing', async () => {
        const topic = await freshTopic();
        await bus.truncateBefore(topic, 5n);
        expect(await bus.range(topic)).toEqual({ first: 0n, next: 0n });
        const last = await bus.append(topic, ['a', 'b', 'c'].map(text));
        await bus.truncateBefore(topic, last - 1n);
        await bus.truncateBefore(topic, 0n);
        expect(await readAll(bus, topic)).toEqual(['b', 'c']);
      });

      test('a read from before the retained blocks begins at the first retained one', async () => {
        const topic = await freshTopic();
        const last = await bus.append(topic, ['a', 'b', 'c'].map(text));
        await bus.truncateBefore(topic, last);
        const [block] = await take(bus, topic, 0n, 1);
        expect(block?.offset).toBe(last);
        expect(block?.bytes.toString()).toBe('c');
      });

      test('counts on after everything but the last block is gone', async () => {
        const topic = await freshTopic();
        const last = await bus.append(topic, ['a', 'b', 'c'].map(text));
        await bus.truncateBefore(topic, last);
        expect(await bus.append(topic, [text('d')])).toBeGreaterThan(last);
        expect(await readAll(bus, topic)).toEqual(['c', 'd']);
      });
    });

    describe('opened again', () => {
      test('it has everything, and goes on where it was', async () => {
        const topic = await freshTopic();
        const other = await freshTopic();
        const last = await bus.append(topic, ['a', 'b', 'c'].map(text));
        await bus.truncateBefore(topic, last - 1n);
        await reopen();
        expect(await bus.listTopics()).toEqual(expect.arrayContaining([topic, other]));
        expect(await bus.range(topic)).toEqual({ first: last - 1n, next: last + 1n });
        expect((await bus.tail(topic))?.bytes.toString()).toBe('c');
        expect(await bus.append(topic, [text('d')])).toBeGreaterThan(last);
        expect(await readAll(bus, topic)).toEqual(['b', 'c', 'd']);
        expect(await bus.tail(other)).toBeUndefined();
      });

      test('whoever was reading is told that it was closed', async () => {
        const topic = await freshTopic();
        const waiting = take(bus, topic, 0n, 1);
        await bus.tail(topic);
        const refused = expectCode('BUS_UNREACHABLE', waiting);
        await reopen();
        await refused;
      });
    });

    describe('whatever is done to it', () => {
      const step = fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({ kind: fc.constant('append'), sizes: fc.array(fc.nat(9000), { maxLength: 6 }) }),
        },
        {
          weight: 2,
          arbitrary: fc.record({
            kind: fc.constant('append together'),
            sizes: fc.array(fc.nat(300), { maxLength: 8 }),
          }),
        },
        {
          weight: 2,
          arbitrary: fc.record({ kind: fc.constant('truncate'), at: fc.double({ min: -0.2, max: 1.2, noNaN: true }) }),
        },
        {
          weight: 2,
          arbitrary: fc.record({ kind: fc.constant('read'), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('tail') }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen') }) },
      ) as fc.Arbitrary<Step>;

      test('it holds what a list would hold', async () => {
        let serial = 0;
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
            const topic = await freshTopic();
            const model = new Model();
            for (const current of steps) await apply(current, topic, model);
            expect(await readAll(bus, topic)).toEqual(model.from(0n));
            await bus.deleteTopic(topic);
          }),
          { numRuns: fixture.runs },
        );

        async function apply(current: Step, topic: string, model: Model): Promise<void> {
          switch (current.kind) {
            case 'append': {
              const blocks = current.sizes.map((size) => `${serial++}:`.padEnd(size, '·'));
              const last = await bus.append(topic, blocks.map(text));
              model.append(blocks);
              expect(last).toBe(model.next - 1n);
              break;
            }
            case 'append together': {
              const blocks = current.sizes.map((size) => `${serial++}:`.padEnd(size, '·'));
              await Promise.all(blocks.map((block) => bus.append(topic, [text(block)])));
              model.append(blocks);
              break;
            }
            case 'truncate': {
              const offset = BigInt(Math.max(0, Math.round(current.at * Number(model.next))));
              await bus.truncateBefore(topic, offset);
              model.truncateBefore(offset);
              break;
            }
            case 'read': {
              const from = BigInt(Math.floor(current.at * Number(model.next)));
              expect(await readAll(bus, topic, from)).toEqual(model.from(from));
              break;
            }
            case 'tail':
              expect((await bus.tail(topic))?.bytes.toString()).toBe(model.from(0n).at(-1));
              break;
            case 'reopen':
              await reopen();
              break;
          }
          expect(await bus.range(topic)).toEqual({ first: model.first, next: model.next });
        }
      });
    });
  });
}

type Step =
  | { kind: 'append' | 'append together'; sizes: number[] }
  | { kind: 'truncate' | 'read'; at: number }
  | { kind: 'tail' | 'reopen' };

/** A topic as a list. */
class Model {
  first = 0n;
  #blocks: string[] = [];

  get next(): bigint {
    return this.first + BigInt(this.#blocks.length);
  }

  append(blocks: readonly string[]): void {
    this.#blocks.push(...blocks);
  }

  from(offset: bigint): string[] {
    return this.#blocks.slice(Math.max(0, Number(offset - this.first)));
  }

  truncateBefore(offset: bigint): void {
    if (this.#blocks.length === 0) return;
    const drop = Math.max(0, Math.min(Number(offset - this.first), this.#blocks.length - 1));
    this.#blocks = this.#blocks.slice(drop);
    this.first += BigInt(drop);
  }
}

/** A signal that nobody aborts. */
export const never = new AbortController().signal;

export const text = (value: string): Buffer => Buffer.from(value);

/** Bytes of that many, different for every length and place. */
export function bytes(length: number): Buffer {
  const buffer = Buffer.alloc(length);
  for (let i = 0; i < length; i++) buffer[i] = (i * 31 + length) & 0xff;
  return buffer;
}

/** The first `count` blocks from an offset on. */
export async function take(bus: Bus, topic: string, from: bigint, count: number): Promise<BusBlock[]> {
  const blocks: BusBlock[] = [];
  if (count === 0) return blocks;
  for await (const block of bus.read(topic, from, never)) {
    blocks.push(block);
    if (blocks.length === count) break;
  }
  return blocks;
}

/** All that is there now, as text. */
export async function readAll(bus: Bus, topic: string, from = 0n): Promise<string[]> {
  const { first, next } = await bus.range(topic);
  const count = Number(next - (from > first ? from : first));
  return (await take(bus, topic, from, count)).map((block) => block.bytes.toString());
}

async function collect(blocks: AsyncIterable<BusBlock>): Promise<string[]> {
  const all: string[] = [];
  for await (const block of blocks) all.push(block.bytes.toString());
  return all;
}

function reading(bus: Bus, topic: string, from: bigint): { next(): Promise<string> } & AsyncDisposable {
  const abort = new AbortController();
  const blocks = bus.read(topic, from, abort.signal)[Symbol.asyncIterator]();
  return {
    next: async () => {
      const result = await blocks.next();
      if (result.done === true) throw new Error('The read ended');
      return result.value.bytes.toString();
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await blocks.next();
    },
  };
}

export async function expectCode(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  const error: unknown = await promise.then(
    () => new Error('It resolved'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TerraFusionError);
  expect(error).toHaveProperty('code', code);
}
