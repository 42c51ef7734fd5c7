import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTopic, UNREACHABLE_AFTER, type TopicSource } from '#services/kernel/bus/kafka-read.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { expectCode } from '#test/conformance/bus-contract.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** What the broker would say, in kafkajs's shape. */
const brokerSays = (type: string): Error => Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type });

interface Script {
  low?: bigint;
  high?: bigint;
  /** Blocks in one answer at most. */
  batch?: number;
  /** Called before each fetch: throws, waits, or lets it through. */
  onFetch?: (offset: bigint, count: number) => void | Promise<void>;
  /** What the broker gives although it says that there is more. */
  silentFrom?: bigint;
}

function reading(script: Script, from = 0n) {
  const clock = new ManualClock();
  const abort = new AbortController();
  const state = { opened: 0, cut: 0, fetches: [] as bigint[], notes: [] as [string, bigint][] };
  const open = (): TopicSource => {
    state.opened++;
    return {
      offsets: async () => ({ low: script.low ?? 0n, high: script.high ?? 0n }),
      fetch: async (offset) => {
        state.fetches.push(offset);
        await script.onFetch?.(offset, state.fetches.length);
        const { low = 0n, high = 0n, batch = 3, silentFrom = high } = script;
        if (offset < low || offset > high) throw brokerSays('OFFSET_OUT_OF_RANGE');
        // At the end a broker keeps the request open for a while.
        if (offset >= high) await clock.sleep(1000);
        const blocks = [];
        for (let at = offset; at < silentFrom && blocks.length < batch; at++) {
          blocks.push({ offset: at, bytes: Buffer.from(String(at)) });
        }
        return { blocks, high };
      },
      noteProgress: async (group, next) => void state.notes.push([group, next]),
      cut: () => {
        state.cut++;
      },
    };
  };
  const blocks = readTopic(from, abort.signal, { topic: 't', open, clock, log: silent, group: 'g' });
  return { clock, abort, state, blocks, script };
}

/** Takes so many blocks, moving time on while nothing comes. */
async function take(read: ReturnType<typeof reading>, count: number): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < count) {
    const waiting = { over: false };
    const next = read.blocks.next().finally(() => (waiting.over = true));
    next.catch(() => undefined);
    for (let i = 0; i < 1000 && !waiting.over; i++) await read.clock.elapse(250);
    const result = await next;
    if (result.done === true) break;
    taken.push(Number(result.value.offset));
  }
  return taken;
}

describe('reading a topic of Kafka', () => {
  test('gives every block once, in order, whatever fails on the way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.constantFrom('ok', 'ok', 'ECONNRESET', 'NOT_LEADER_FOR_PARTITION', 'OFFSET_OUT_OF_RANGE'), {
          maxLength: 30,
        }),
        async (blocks, batch, failures) => {
          const read = reading({
            high: BigInt(blocks),
            batch,
            onFetch: (_offset, count) => {
              const failure = failures[count - 1] ?? 'ok';
              if (failure !== 'ok') throw brokerSays(failure);
            },
          });
          expect(await take(read, blocks)).toEqual(Array.from({ length: blocks }, (_, i) => i));
          read.abort.abort();
          expect(await read.blocks.next()).toEqual({ done: true, value: undefined });
          expect(read.state.cut).toBe(read.state.opened);
        },
      ),
    );
  });

  test('asks for one answer ahead, and for no more while the caller is busy', async () => {
    const read = reading({ high: 100n, batch: 3 });
    await read.blocks.next();
    await read.clock.elapse(10_000);
    expect(read.state.fetches).toEqual([0n, 3n]);
    await take(read, 3);
    expect(read.state.fetches).toEqual([0n, 3n, 6n]);
    await read.blocks.return();
    expect(read.state.cut).toBe(1);
  });

  test('ends at once when aborted, though the broker never answers', async () => {
    const read = reading({ high: 1n, onFetch: () => new Promise<void>(() => undefined) });
    const next = read.blocks.next();
    read.abort.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(read.state.cut).toBe(1);
  });

  test('goes on at the first block when earlier ones are gone', async () => {
    const read = reading({ low: 7n, high: 10n }, 2n);
    expect(await take(read, 2)).toEqual([7, 8]);
    await read.blocks.return();
  });

  test('says that an offset is lost only when a new leader has had time to find it', async () => {
    const late = reading({ high: 5n }, 8n);
    const next = take(late, 1);
    await late.clock.elapse(500);
    late.script.high = 9n;
    expect(await next).toEqual([8]);
    await late.blocks.return();

    await expectCode('BUS_OFFSET_LOST', take(reading({ high: 5n }, 8n), 1));
  });

  test('says that a topic is missing only when it stays missing', async () => {
    let known = false;
    const missing = (): void => {
      if (!known) throw brokerSays('UNKNOWN_TOPIC_OR_PARTITION');
    };
    const late = reading({ high: 1n, onFetch: missing });
    const next = take(late, 1);
    await late.clock.elapse(500);
    known = true;
    expect(await next).toEqual([0]);
    await late.blocks.return();

    known = false;
    await expectCode('BUS_TOPIC_MISSING', take(reading({ high: 1n, onFetch: missing }), 1));
  });

  test('the watchdog ends a read to which nothing comes though there is more', async () => {
    const read = reading({ high: 10n, silentFrom: 4n });
    expect(await take(read, 4)).toEqual([0, 1, 2, 3]);
    const before = read.clock.monotonic();
    await expectCode('BUS_UNREACHABLE', take(read, 1));
    expect(read.clock.monotonic() - before).toBeGreaterThanOrEqual(UNREACHABLE_AFTER);
    expect(read.state.cut).toBe(read.state.opened);
  });

  test('the watchdog ends a read whose broker stays away, and leaves one alone that has nothing to read', async () => {
    const away = reading({
      high: 10n,
      onFetch: () => {
        throw brokerSays('ECONNREFUSED');
      },
    });
    await expectCode('BUS_UNREACHABLE', take(away, 1));
    expect(away.state.opened).toBeGreaterThan(10);

    const idle = reading({ high: 2n });
    expect(await take(idle, 2)).toEqual([0, 1]);
    const next = take(idle, 1);
    await idle.clock.elapse(20 * UNREACHABLE_AFTER);
    idle.script.high = 3n;
    expect(await next).toEqual([2]);
    await idle.blocks.return();
  });

  test('a caller that takes long does not use up the patience with the broker', async () => {
    const read = reading({ high: 3n, batch: 1 });
    expect(await take(read, 1)).toEqual([0]);
    await read.clock.elapse(10 * UNREACHABLE_AFTER);
    let failures = 3;
    read.script.onFetch = () => {
      if (failures-- > 0) throw brokerSays('NOT_LEADER_FOR_PARTITION');
    };
    expect(await take(read, 2)).toEqual([1, 2]);
    await read.blocks.return();
  });

  test('what cannot heal ends the read at once', async () => {
    const read = reading({
      onFetch: () => {
        throw brokerSays('TOPIC_AUTHORIZATION_FAILED');
      },
    });
    await expectCode('BUS_LOGIN_FAILED', read.blocks.next());
    expect(read.clock.monotonic()).toBe(0);
  });

  test('notes progress now and then, the last block too', async () => {
    const read = reading({ high: 4n, batch: 2 });
    await take(read, 4);
    expect(read.state.notes).toEqual([['g', 2n]]);
    const next = take(read, 1);
    await read.clock.elapse(60_000);
    expect(read.state.notes).toEqual([
      ['g', 2n],
      ['g', 4n],
    ]);
    read.abort.abort();
    expect(await next).toEqual([]);
  });
});
