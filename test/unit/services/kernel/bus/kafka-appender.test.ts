import type { Kafka, Producer, ProducerConfig, ProducerRecord, RecordMetadata } from 'kafkajs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { KafkaAppender } from '#services/kernel/bus/kafka-appender.ts';
import { silentLog } from '#services/kernel/log.ts';

/** A broker in memory: what it was asked for, and what it answers. */
class FakeBroker {
  readonly producers: (ProducerConfig | undefined)[] = [];
  readonly requests: ProducerRecord[] = [];
  readonly stored: string[] = [];
  cut = 0;
  /** Consumed by the next requests, one each. */
  readonly failures: ('refused' | 'answer lost' | undefined)[] = [];
  refusesConnections = false;
  /** Awaited by every request. */
  hold: Promise<unknown> | undefined;

  producer(config: ProducerConfig | undefined): Producer {
    this.producers.push(config);
    return {
      events: { REQUEST_TIMEOUT: 'producer.network.request_timeout' } as Producer['events'],
      on: () => () => undefined,
      connect: () => (this.refusesConnections ? Promise.reject(new Error('no connection')) : Promise.resolve()),
      disconnect: () => Promise.resolve(),
      send: (record: ProducerRecord) => this.#send(record),
    } as Partial<Producer> as Producer;
  }

  async #send(record: ProducerRecord): Promise<RecordMetadata[]> {
    await this.hold;
    this.requests.push(record);
    const failure = this.failures.shift();
    if (failure === 'refused') throw new Error('refused');
    const base = this.stored.length;
    this.stored.push(...record.messages.map(({ value }) => String(value)));
    if (failure === 'answer lost') throw new Error('the answer was lost');
    return [{ topicName: record.topic, partition: 0, errorCode: 0, baseOffset: String(base) }];
  }
}

let broker: FakeBroker;

vi.mock('#services/kernel/bus/kafka-client.ts', () => ({
  KafkaClient: class {
    readonly kafka = { producer: (config?: ProducerConfig) => broker.producer(config) } as Partial<Kafka>;
    cut(): void {
      broker.cut++;
    }
  },
}));

let appender: KafkaAppender;

beforeEach(() => {
  broker = new FakeBroker();
  appender = new KafkaAppender({ brokers: ['nowhere:1'] }, 'changes.s', () => Promise.resolve(), silentLog);
});

const append = (...blocks: readonly string[]): Promise<bigint> =>
  appender.append(blocks.map((block) => Buffer.from(block)));

describe('what a broker is asked for (Promise 1)', () => {
  test('every in-sync copy, once, one request at a time, into the one partition', async () => {
    expect(await append('a', 'b')).toBe(1n);
    expect(broker.producers).toMatchObject([
      { idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false },
    ]);
    expect(broker.requests).toMatchObject([
      { topic: 'changes.s', acks: -1, messages: [{ partition: 0 }, { partition: 0 }] },
    ]);
  });

  test('nothing through a producer whose connection was refused: it would send without idempotence', async () => {
    broker.refusesConnections = true;
    await expect(append('a')).rejects.toThrow('no connection');
    expect(broker.requests).toEqual([]);
    broker.refusesConnections = false;
    expect(await append('a')).toBe(0n);
    expect(broker.producers).toHaveLength(2);
  });
});

describe('appends that wait', () => {
  test('go together once the one under way is stored, and each is told its own last offset', async () => {
    const held = Promise.withResolvers<undefined>();
    broker.hold = held.promise;
    const first = append('a');
    await vi.waitFor(() => {
      expect(broker.producers).toHaveLength(1);
    });
    const others = [append('b', 'c'), append('d')];
    held.resolve(undefined);
    expect(await Promise.all([first, ...others])).toEqual([0n, 2n, 3n]);
    expect(broker.requests.map(({ messages }) => messages.length)).toEqual([1, 3]);
  });

  test.each(['refused', 'answer lost'] as const)(
    'fail with it when it is %s, and none of them is stored: nobody knows what is before them (Promise 2)',
    async (failure) => {
      const held = Promise.withResolvers<undefined>();
      broker.hold = held.promise;
      broker.failures.push(failure);
      const first = append('a');
      await vi.waitFor(() => {
        expect(broker.producers).toHaveLength(1);
      });
      const others = [append('b'), append('c')];
      held.resolve(undefined);
      const outcomes = await Promise.allSettled([first, ...others]);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      await appender.idle();
      expect(broker.stored).toEqual(failure === 'refused' ? [] : ['a']);
      // The producer that does not know where it stands is gone, and its attempts with it.
      expect(broker.cut).toBe(1);
      await append('d');
      expect(broker.producers).toHaveLength(2);
    },
  );
});

test('Promise 6: no request carries more than its bound, and every block arrives in order', async () => {
  const block = Buffer.alloc(1024 * 1024);
  const appended = appender.append(Array.from({ length: 11 }, () => block));
  expect(await appended).toBe(10n);
  expect(broker.requests.map(({ messages }) => messages.length)).toEqual([4, 4, 3]);
});
