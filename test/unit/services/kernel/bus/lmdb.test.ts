import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { LmdbBus } from '#services/kernel/bus/lmdb.ts';
import { LmdbStore, storedBytes } from '#services/kernel/bus/lmdb-store.ts';
import { bytes, expectCode, readAll, take, text } from '#test/conformance/bus-contract.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const MIB = 2 ** 20;

describe('the embedded bus', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'terrafusion-bus-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const open = (maxBytes = 2 ** 30): Promise<LmdbBus> => LmdbBus.open({ folder, maxBytes }, silent);

  describe('its disk budget', () => {
    test('refuses what does not fit, stores nothing of it, and heals with truncation', async () => {
      await using bus = await open(MIB);
      await bus.createTopic('a');
      for (let i = 0; i < 3; i++) await bus.append('a', [bytes(256 * 1024)]);
      await expectCode('BUS_FULL', bus.append('a', [bytes(100), bytes(256 * 1024)]));
      expect(await bus.range('a')).toEqual({ first: 0n, next: 3n });
      expect(bus.usage()).toEqual({ usedBytes: 3 * storedBytes(256 * 1024), maxBytes: MIB });

      await bus.truncateBefore('a', 2n);
      expect(bus.usage().usedBytes).toBe(storedBytes(256 * 1024));
      expect(await bus.append('a', [bytes(256 * 1024)])).toBe(3n);
    });

    test('counts all topics together, and again after opening', async () => {
      {
        await using bus = await open();
        await bus.createTopic('a');
        await bus.createTopic('b');
        await bus.append('a', [bytes(5000)]);
        await bus.append('b', [bytes(10)]);
        expect(await bus.bytesHeld('a')).toBe(storedBytes(5000));
      }
      await using bus = await open();
      expect(bus.usage().usedBytes).toBe(storedBytes(5000) + storedBytes(10));
      await bus.deleteTopic('a');
      expect(bus.usage().usedBytes).toBe(storedBytes(10));
      expect(await bus.bytesHeld('b')).toBe(storedBytes(10));
    });

    test('a refused append takes those behind it along, but not those of other topics', async () => {
      await using bus = await open(MIB);
      await bus.createTopic('a');
      await bus.createTopic('b');
      const appends = [
        bus.append('a', [text('stored')]),
        bus.append('a', [bytes(2 * MIB)]),
        bus.append('a', [text('would leave a gap')]),
        bus.append('b', [text('stored too')]),
      ];
      const outcomes = await Promise.allSettled(appends);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
      expect(await readAll(bus, 'a')).toEqual(['stored']);
      expect(await bus.append('a', [text('after it is known')])).toBe(1n);
    });

    test('keeps the file near it, however often it is filled and emptied', async () => {
      const budget = 16 * MIB;
      await using bus = await open(budget);
      await bus.createTopic('a');
      let size = 1;
      for (let round = 0; round < 60; round++) {
        const blocks = Array.from({ length: 12 }, () => bytes((size = (size * 48_271) % 300_000)));
        const last = await bus.append('a', blocks);
        await bus.truncateBefore('a', last - 20n);
      }
      expect((await stat(join(folder, 'data.mdb'))).size).toBeLessThan(2 * budget);
    });
  });

  test('a deleted topic keeps counting when it is made again, also in another process', async () => {
    {
      await using bus = await open();
      await bus.createTopic('a');
      await bus.append('a', ['x', 'y', 'z'].map(text));
      await bus.deleteTopic('a');
    }
    await using bus = await open();
    expect(await bus.listTopics()).toEqual([]);
    await bus.createTopic('a');
    expect(await bus.range('a')).toEqual({ first: 3n, next: 3n });
    expect(await bus.append('a', [text('new')])).toBe(3n);
    // Somebody who held offset 1 reads on at what is there now, never at another block with the number he knows.
    expect((await take(bus, 'a', 1n, 1))[0]?.offset).toBe(3n);
  });

  test('two cannot have it open', async () => {
    await using bus = await open();
    await expectCode('DATA_FOLDER_UNUSABLE', open());
    await bus[Symbol.asyncDispose]();
    await using again = await open();
    expect(await again.listTopics()).toEqual([]);
  });

  test('what is queued when it is closed is still stored', async () => {
    const bus = await open();
    await bus.createTopic('a');
    const queued = ['x', 'y'].map((block) => bus.append('a', [text(block)]));
    await bus[Symbol.asyncDispose]();
    expect(await Promise.all(queued)).toEqual([0n, 1n]);
    await expectCode('BUS_UNREACHABLE', bus.append('a', [text('late')]));
    await using again = await open();
    expect(await readAll(again, 'a')).toEqual(['x', 'y']);
  });

  test('a reader that truncation overtakes goes on at the first block that is left', async () => {
    await using bus = await open();
    await bus.createTopic('a');
    await bus.append(
      'a',
      Array.from({ length: 3000 }, (_, i) => text(String(i))),
    );
    const reader = bus.read('a', 0n, new AbortController().signal);
    expect((await reader.next()).value).toMatchObject({ offset: 0n });
    const truncated = bus.truncateBefore('a', 2500n);
    let before = 0n;
    for (let offset = 0n; offset < 2999n;) {
      offset = ((await reader.next()).value as { offset: bigint }).offset;
      expect(offset).toBeGreaterThan(before);
      before = offset;
    }
    await truncated;
    expect(await bus.range('a')).toEqual({ first: 2500n, next: 3000n });
    await reader.return();
  });

  test('appends go on between the steps of a long truncation', async () => {
    await using bus = await open();
    await bus.createTopic('a');
    await bus.append(
      'a',
      Array.from({ length: 5000 }, (_, i) => text(String(i))),
    );
    let truncated = false;
    const truncating = bus.truncateBefore('a', 4999n).then(() => (truncated = true));
    await bus.append('a', [text('between')]);
    expect(truncated).toBe(false);
    await truncating;
    expect(await bus.range('a')).toEqual({ first: 4999n, next: 5001n });
  });

  test('reading a lot gives its mapped pages back, without a reader noticing', async () => {
    const store = await LmdbStore.open(folder, { maxBytes: 2 ** 30 });
    let most = 0;
    const watched = new Proxy(store, {
      get: (target, property) => {
        most = Math.max(most, target.pagedIn);
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const options = { maxBytes: 2 ** 30, recentBytes: 0 };
    await using bus = new LmdbBus(watched, { [Symbol.asyncDispose]: async () => {} }, options, silent);
    await bus.createTopic('a');
    const block = bytes(4 * MIB);
    for (let i = 0; i < 12; i++) await bus.append('a', [block]);
    const readers = Array.from({ length: 8 }, () => take(bus, 'a', 0n, 12));
    for (const blocks of await Promise.all(readers)) {
      expect(blocks.map(({ offset }) => Number(offset))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }
    expect(await bus.append('a', [text('end')])).toBe(12n);
    // Readers that wait for the map take one block each when it is there again.
    expect(most).toBeLessThan((32 + 9 * 4) * MIB);
    expect(most).toBeGreaterThan(32 * MIB);
  });

  test('everything goes on while its map is made anew again and again', async () => {
    await using bus = await LmdbBus.open({ folder, maxBytes: 2 ** 30, pagedInLimit: 100_000, recentBytes: 0 }, silent);
    const topics = ['a', 'b', 'c'];
    await Promise.all(
      topics.map(async (topic) => {
        await bus.createTopic(topic);
        await bus.append(topic, [text(`${topic} 0`)]);
      }),
    );
    const count = 400;
    const write = async (topic: string): Promise<void> => {
      for (let i = 1; i < count; i++) {
        const offset = await bus.append(topic, [text(`${topic} ${i}`.padEnd((i * 977) % 20_000))]);
        if (i % 20 === 0) await bus.truncateBefore(topic, offset - 200n);
        if (i % 7 === 0) expect((await bus.tail(topic))?.offset).toBe(offset);
      }
    };
    const read = async (topic: string): Promise<void> => {
      const blocks = await take(bus, topic, 0n, count);
      expect(blocks.every((block, i) => block.bytes.toString().startsWith(`${topic} ${i}`))).toBe(true);
    };
    await Promise.all([...topics.map(write), ...[...topics, ...topics].map(read)]);
  });

  describe('when writing fails', () => {
    async function failing(): Promise<{ bus: LmdbBus; fail: (when: 'before' | 'after') => void } & AsyncDisposable> {
      const store = await LmdbStore.open(folder, { maxBytes: 2 ** 30 });
      const commit = store.commit.bind(store);
      let failure: 'before' | 'after' | undefined;
      store.commit = async (change, newTopic) => {
        const now = failure;
        failure = undefined;
        if (now !== 'before') await commit(change, newTopic);
        if (now !== undefined) throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `failed ${now} it was stored`);
      };
      const bus = new LmdbBus(store, { [Symbol.asyncDispose]: async () => {} }, { maxBytes: 2 ** 30 }, silent);
      return { bus, fail: (when) => (failure = when), [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() };
    }

    test.each(['before', 'after'] as const)('%s it was stored, the bus knows what is on disk', async (when) => {
      await using failure = await failing();
      const { bus, fail } = failure;
      await bus.createTopic('a');
      await bus.append('a', [text('x')]);
      fail(when);
      const appends = [bus.append('a', [text('y')]), bus.append('a', [text('z')])];
      const outcomes = await Promise.allSettled(appends);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      const stored = when === 'before' ? ['x'] : ['x', 'y', 'z'];
      expect(await readAll(bus, 'a')).toEqual(stored);
      expect(await bus.append('a', [text('next')])).toBe(BigInt(stored.length));
      expect(await readAll(bus, 'a')).toEqual([...stored, 'next']);
    });

    test.each(['before', 'after'] as const)(
      '%s a truncation, a deletion or a creation took place, they can be repeated',
      async (when) => {
        await using failure = await failing();
        const { bus, fail } = failure;
        await bus.createTopic('a');
        await bus.append('a', ['x', 'y', 'z'].map(text));

        fail(when);
        await expectCode('DATA_FOLDER_UNUSABLE', bus.truncateBefore('a', 1n));
        expect(await readAll(bus, 'a')).toEqual(when === 'before' ? ['x', 'y', 'z'] : ['y', 'z']);
        await bus.truncateBefore('a', 1n);
        expect(bus.usage().usedBytes).toBe(2 * storedBytes(1));

        fail(when);
        await expectCode('DATA_FOLDER_UNUSABLE', bus.deleteTopic('a'));
        expect(await bus.listTopics()).toEqual(when === 'before' ? ['a'] : []);
        await bus.deleteTopic('a');
        expect(bus.usage().usedBytes).toBe(0);

        fail(when);
        await expectCode('DATA_FOLDER_UNUSABLE', bus.createTopic('b'));
        await bus.createTopic('b');
        expect(await bus.append('b', [text('x')])).toBe(0n);
      },
    );
  });
});
