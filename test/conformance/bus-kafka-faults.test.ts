import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Broker } from '#infra/kafka/broker.ts';
import { Secret } from '#schemas/secret.ts';
import { KafkaBus, type KafkaBusOptions } from '#services/kernel/bus/kafka.ts';
import type { Log } from '#services/kernel/log.ts';
import { startKafka, whyNoKafka, type TestKafka } from '#test/support/kafka.ts';
import { describeUnless } from '#test/support/suites.ts';
import { bytes, expectCode, never, readAll, take, text } from './bus-contract.ts';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const connections = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
const connectionsBefore = connections();
const reason = process.env.TEST_KAFKA_BROKERS
  ? 'The brokers of TEST_KAFKA_BROKERS are not ours to harm.'
  : await whyNoKafka();

describeUnless(reason, 'the bus on Kafka in trouble', () => {
  let kafka: TestKafka;
  let broker: Broker;

  beforeAll(async () => {
    kafka = (await startKafka())!;
    broker = kafka.broker!;
  });
  afterAll(() => kafka.stop());

  const open = (options: Partial<KafkaBusOptions> = {}, log = silent): KafkaBus =>
    new KafkaBus({ brokers: kafka.brokers, ...options }, log);
  const freshTopic = async (bus: KafkaBus): Promise<string> => {
    const topic = `faults.${randomUUID()}`;
    await bus.createTopic(topic);
    return topic;
  };

  // Promise 5: nothing is lost, and kafkajs's attempts repeat nothing either: the producer is idempotent.
  test('a broker that is killed and comes back costs nothing: each block is there once, in order', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    const seen: string[] = [];
    const abort = new AbortController();
    const reader = (async () => {
      for await (const block of bus.read(topic, 0n, abort.signal)) seen.push(block.bytes.toString());
    })();
    // Its own failure is told where it is awaited, not beside another one's.
    reader.catch(() => undefined);

    const names: string[] = [];
    for (let round = 0; round < 3; round++) {
      const underWay: Promise<bigint>[] = [];
      const append = (): void => {
        const name = `block ${names.length}`;
        names.push(name);
        underWay.push(bus.append(topic, [text(name)]));
      };
      for (let i = 0; i < 30; i++) append();
      await underWay[5 * round];
      await broker.kill();
      for (let i = 0; i < 30; i++) append();
      await broker.restart();
      for (let i = 0; i < 30; i++) append();
      await Promise.all(underWay);
    }
    expect(await readAll(bus, topic)).toEqual(names);
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(names.length);
    expect(seen).toEqual(names);
    abort.abort();
    await reader;
  });

  test('a broker that freezes for a moment costs nothing but the moment', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    await bus.append(topic, [text('before')]);
    const waiting = take(bus, topic, 1n, 2);
    waiting.catch(() => undefined);
    broker.pause();
    const appended = [bus.append(topic, [text('during')]), bus.append(topic, [text('after')])];
    setTimeout(() => {
      broker.resume();
    }, 1000);
    expect(await Promise.all(appended)).toEqual([1n, 2n]);
    expect((await waiting).map((block) => block.bytes.toString())).toEqual(['during', 'after']);
  });

  test('without a broker every call says so, and the bus works again when there is one', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    await bus.append(topic, [text('before')]);
    await broker.kill();
    const appends = [bus.append(topic, [text('lost')]), bus.append(topic, [text('behind it')])];
    await Promise.all([
      ...appends.map((append) => expectCode('BUS_UNREACHABLE', append)),
      expectCode('BUS_UNREACHABLE', bus.tail(topic)),
      expectCode('BUS_UNREACHABLE', bus.createTopic('x')),
      expectCode('BUS_UNREACHABLE', bus.truncateBefore(topic, 1n)),
    ]);
    await broker.restart();
    expect((await bus.tail(topic))?.bytes.toString()).toBe('before');
    expect(await bus.append(topic, [text('again')])).toBe(1n);
    expect(await readAll(bus, topic)).toEqual(['before', 'again']);
  });

  test('closing does not wait for a broker that does not answer, and leaves no connection', async () => {
    const bus = open();
    const topic = await freshTopic(bus);
    const reader = take(bus, topic, 0n, 5);
    await bus.append(topic, [text('a')]);
    await bus.tail(topic);
    expect(connections()).toBeGreaterThan(connectionsBefore);
    broker.pause();
    try {
      const append = expectCode('BUS_UNREACHABLE', bus.append(topic, [text('b')]));
      const read = expectCode('BUS_UNREACHABLE', reader);
      const started = performance.now();
      await bus[Symbol.asyncDispose]();
      expect(performance.now() - started).toBeLessThan(6000);
      await Promise.all([append, read]);
    } finally {
      broker.resume();
    }
    await expect.poll(connections, { timeout: 5000 }).toBe(connectionsBefore);
  });

  test('a topic with a low limit gets smaller requests, and what is too large alone is refused', async () => {
    await using bus = open();
    const topic = `faults.${randomUUID()}`;
    await administer(async (admin) => {
      const configEntries = [{ name: 'max.message.bytes', value: '20000' }];
      await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] });
    });
    const blocks = Array.from({ length: 10 }, (_, i) => bytes(9000 + i));
    expect(await bus.append(topic, blocks)).toBe(9n);
    const outcomes = await Promise.allSettled([
      bus.append(topic, [bytes(50_000)]),
      bus.append(topic, [text('would leave a gap')]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(outcomes[0]).toMatchObject({ reason: { code: 'BUS_BLOCK_TOO_LARGE', details: { bytes: 50_000 } } });
    expect(await bus.append(topic, [text('after it is known')])).toBe(10n);
    const back = await take(bus, topic, 0n, 11);
    expect(back.map((block) => block.bytes.length)).toEqual([...blocks.map((block) => block.length), 17]);
  });

  test('no topic takes a block that a broker would hang up on', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    await expectCode('BUS_BLOCK_TOO_LARGE', bus.append(topic, [Buffer.alloc(64 * 2 ** 20)]));
    expect(await bus.append(topic, [Buffer.alloc(30 * 2 ** 20, 7)])).toBe(0n);
    expect((await bus.tail(topic))?.bytes.length).toBe(30 * 2 ** 20);
  });

  test('topics keep everything, and one that does not is warned of', async () => {
    const warnings: object[] = [];
    const log = { ...silent, warn: (fields: object) => void warnings.push(fields) };
    await using bus = open({ replicationFactor: 1 }, log);
    const ours = await freshTopic(bus);
    await bus.createTopic(ours);
    expect(warnings).toEqual([]);

    const theirs = `faults.${randomUUID()}`;
    await administer((admin) => admin.createTopics({ topics: [{ topic: theirs, numPartitions: 1 }] }));
    await bus.createTopic(theirs);
    expect(warnings).toEqual([expect.objectContaining({ topic: theirs })]);
  });

  test('a read that names a group shows its progress there', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    const group = `group.${randomUUID()}`;
    await bus.append(topic, ['a', 'b', 'c'].map(text));
    const abort = new AbortController();
    const reader = (async () => {
      for await (const block of bus.read(topic, 0n, abort.signal, { group })) expect(block.bytes.length).toBe(1);
    })();
    await administer(async (admin) => {
      const shown = async (): Promise<string | undefined> => {
        const [progress] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
        return progress?.partitions[0]?.offset;
      };
      await expect.poll(shown, { timeout: 20_000, interval: 100 }).toBe('3');
    });
    abort.abort();
    await reader;
  });

  test('two processes that append at the same time both have their blocks stored, each in its order', async () => {
    await using one = open();
    await using other = open();
    const topic = await freshTopic(one);
    const names = (who: string): string[] => Array.from({ length: 100 }, (_, i) => `${who} ${i}`);
    await Promise.all([
      ...names('one').map((name) => one.append(topic, [text(name)])),
      ...names('other').map((name) => other.append(topic, [text(name)])),
    ]);
    const all = await readAll(one, topic);
    expect(all.filter((name) => name.startsWith('one'))).toEqual(names('one'));
    expect(all.filter((name) => name.startsWith('other'))).toEqual(names('other'));
  });

  async function administer<T>(action: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      return await action(admin);
    } finally {
      await admin.disconnect();
    }
  }
});

describeUnless(reason, 'the bus on a Kafka that wants a log-in', () => {
  const jaas =
    'org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="between" user_broker="between" user_reader="right";';
  let kafka: TestKafka;

  beforeAll(async () => {
    kafka = (await startKafka({
      settings: {
        'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name': 'PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN',
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        'listener.name.plaintext.plain.sasl.jaas.config': jaas,
      },
    }))!;
  });
  afterAll(() => kafka.stop());

  const open = (password: string): KafkaBus => {
    const sasl = { mechanism: 'plain', username: 'reader', password: new Secret(password) } as const;
    return new KafkaBus({ brokers: kafka.brokers, sasl }, silent);
  };

  test('works with the right password', async () => {
    await using bus = open('right');
    await bus.createTopic('login');
    await bus.append('login', [text('a')]);
    expect(await readAll(bus, 'login')).toEqual(['a']);
  });

  test('says what is wrong with another one, and does not try for long', async () => {
    await using bus = open('wrong');
    await Promise.all([
      expectCode('BUS_LOGIN_FAILED', bus.createTopic('login')),
      expectCode('BUS_LOGIN_FAILED', bus.append('login', [text('a')])),
      expectCode('BUS_LOGIN_FAILED', bus.tail('login')),
      expectCode('BUS_LOGIN_FAILED', bus.read('login', 0n, never)[Symbol.asyncIterator]().next()),
    ]);
  });
});
