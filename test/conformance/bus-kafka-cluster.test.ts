import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KafkaBus } from '#services/kernel/bus/kafka.ts';
import type { Log } from '#services/kernel/log.ts';
import { eventually } from '#test/support/eventually.ts';
import { TestCluster } from '#test/support/kafka-cluster.ts';
import { whyNoKafka } from '#test/support/kafka.ts';
import { describeUnless } from '#test/support/suites.ts';
import { expectCode, readAll, take, text } from './bus-contract.ts';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const reason = process.env.TEST_KAFKA_BROKERS
  ? 'The brokers of TEST_KAFKA_BROKERS are not ours to harm.'
  : await whyNoKafka();

// Checklist 31.
describeUnless(reason, 'the bus on three Kafka brokers', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    // Quick to notice who is gone: how long that takes is not what is tested here.
    const settings = { 'broker.session.timeout.ms': '1500', 'broker.heartbeat.interval.ms': '300' };
    cluster = await TestCluster.start({ settings });
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  const open = (replicationFactor?: number, log = silent): KafkaBus =>
    new KafkaBus({ brokers: cluster.addresses, replicationFactor }, log);
  const freshTopic = async (bus: KafkaBus): Promise<string> => {
    const topic = `cluster.${randomUUID()}`;
    await bus.createTopic(topic);
    return topic;
  };
  const inSync = (topic: string): Promise<number> => cluster.placed(topic).then(({ inSync }) => inSync.length);

  // Promise 1: the brokers' own default is one copy.
  test('a topic has three copies, of which two have to have a block, unless another number is asked for', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    expect((await cluster.placed(topic)).replicas).toEqual([1, 2, 3]);
    expect(await cluster.setting(topic, 'min.insync.replicas')).toBe('2');

    await using other = open(2);
    const smaller = await freshTopic(other);
    expect((await cluster.placed(smaller)).replicas).toHaveLength(2);
    expect(await cluster.setting(smaller, 'min.insync.replicas')).toBe('1');
    await using many = open(4);
    await expectCode('CONFIG_INVALID', many.createTopic('cluster.too-many'));
  });

  // Of a new topic they hear one after the other, and who asks one that has not heard is told that there is none.
  test('topics are made whichever broker is asked about them first', async () => {
    await using bus = open();
    await Promise.all(Array.from({ length: 6 }, async () => [await freshTopic(bus), await freshTopic(bus)]));
  });

  test('a topic that somebody made with fewer copies is warned of', async () => {
    const warnings: object[] = [];
    const log = { ...silent, warn: (fields: object) => void warnings.push(fields) };
    await using one = open(1);
    const topic = await freshTopic(one);
    await using bus = open(undefined, log);
    await bus.createTopic(await freshTopic(bus));
    expect(warnings).toEqual([]);
    await bus.createTopic(topic);
    expect(warnings).toEqual([expect.objectContaining({ topic, copies: 1, wanted: 3 })]);
  });

  test('leaders that are killed, and moved, cost nothing: each block is there once, in order', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    const names: string[] = [];
    const underWay: Promise<bigint>[] = [];
    const append = (): void => {
      const name = `block ${names.length}`;
      names.push(name);
      underWay.push(bus.append(topic, [text(name)]));
    };
    const appendSome = (): void => {
      for (let i = 0; i < 30; i++) append();
    };
    const seen = take(bus, topic, 0n, 150);
    seen.catch(() => undefined);

    appendSome();
    const { leader } = await cluster.placed(topic);
    const next = (leader % 3) + 1;
    const moved = cluster.place(topic, [next, 6 - leader - next, leader]);
    appendSome();
    await moved;
    appendSome();
    const killed = await cluster.leaderOf(topic);
    await killed.kill();
    appendSome();
    await Promise.all(underWay);
    // A topic made while a broker is away has its three copies all the same: brokers that are away count.
    expect((await cluster.placed(await freshTopic(bus))).replicas).toEqual([1, 2, 3]);
    appendSome();
    await killed.restart();
    await Promise.all(underWay);
    expect(await readAll(bus, topic)).toEqual(names);
    expect((await seen).map(({ bytes }) => bytes.toString())).toEqual(names);
    await expect.poll(() => inSync(topic), { timeout: 20_000 }).toBe(3);
  });

  // kafkajs alone asks a broker that takes connections and never answers again and again, and no other one.
  test('a broker that is frozen is passed over, also by who begins with it', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    await bus.append(topic, [text('before')]);
    const frozen = cluster.brokers[0]!;
    frozen.pause();
    try {
      await expect.poll(() => cluster.placed(topic).then(({ leader }) => leader), { timeout: 20_000 }).not.toBe(1);
      await using other = open();
      expect(await readAll(other, topic)).toEqual(['before']);
      // If it was the controller too, brokers wait for it in the middle of what they were asked: that fails, and comes again.
      const within = { within: 60_000, every: 100 };
      await eventually(
        async () => (await bus.range(topic)).next > 1n || (await other.append(topic, [text('meanwhile')])) > 0n,
        { ...within, what: 'an append' },
      );
      const name = `cluster.${randomUUID()}`;
      await eventually(() => other.createTopic(name).then(() => true), { ...within, what: 'a topic' });
    } finally {
      frozen.resume();
    }
    // For a moment it takes itself for the leader still, and shows what it knew as such: a beginning of it all.
    await expect.poll(() => readAll(bus, topic), { timeout: 20_000 }).toEqual(['before', 'meanwhile']);
  }, 180_000);

  // Promise 1.
  test('with one of three left nothing is acknowledged or shown; with two all goes on', async () => {
    await using bus = open();
    const topic = await freshTopic(bus);
    await bus.append(topic, [text('before')]);
    const { leader } = await cluster.placed(topic);
    const others = cluster.brokers.filter((_, index) => index + 1 !== leader);
    await Promise.all(others.map((broker) => broker.kill()));
    await expectCode('BUS_UNREACHABLE', bus.append(topic, [text('on one broker only')]));
    expect((await bus.tail(topic))?.bytes.toString()).toBe('before');
    await Promise.all(others.map((broker) => broker.restart()));
    // A broker may give no numbers to producers for a while: again until it is there, as who appends does it.
    const there = async (): Promise<boolean> => (await bus.tail(topic))?.bytes.toString() === 'after';
    await eventually(
      async () => {
        if (!(await there())) await bus.append(topic, [text('after')]);
        return true;
      },
      { within: 60_000, what: 'an append' },
    );
    const all = await readAll(bus, topic);
    // Rejected, it may be there or not; and nothing twice.
    expect(all.filter((each) => each !== 'on one broker only')).toEqual(['before', 'after']);
    expect(new Set(all).size).toBe(all.length);
  });

  // kafkajs alone asks about all topics before it does anything with one, and takes the trouble of any for its own.
  test("a topic that has no leader, somebody else's or not, is no trouble for others", async () => {
    await using bus = open();
    await using one = open(1);
    const topic = await freshTopic(one);
    const only = await cluster.leaderOf(topic);
    await only.kill();
    try {
      await expect.poll(() => cluster.hasLeader(topic), { timeout: 20_000 }).toBe(false);
      const other = await freshTopic(bus);
      expect(await bus.listTopics()).toEqual(expect.arrayContaining([topic, other]));
      await bus.deleteTopic(other);
      expect(await bus.listTopics()).not.toContain(other);
      await expectCode('BUS_UNREACHABLE', bus.append(topic, [text('nowhere')]));
    } finally {
      await only.restart();
    }
    await expect.poll(() => cluster.hasLeader(topic), { timeout: 20_000 }).toBe(true);
  });
});
