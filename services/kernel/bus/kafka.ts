import kafkajs, { type Admin } from 'kafkajs';
import { TerraFusionError } from '#schemas/errors.ts';
import { systemClock, type Clock } from '../clock.ts';
import { quiet, type Log } from '../log.ts';
import { KafkaAppender } from './kafka-appender.ts';
import { calm, KafkaClient, Seeds, type KafkaConnection } from './kafka-client.ts';
import { fromKafka, isKafkaError } from './kafka-errors.ts';
import { Patience, readTopic } from './kafka-read.ts';
import { KafkaTopic } from './kafka-topic.ts';
import type { Bus, BusBlock, ReadOptions } from './port.ts';
import { checkTopicName } from './topic-name.ts';

export interface KafkaBusOptions extends KafkaConnection {
  /** Copies of each block, on as many brokers, for topics that we make. Left out: three, or as many as the cluster has brokers. */
  readonly replicationFactor?: number | undefined;
}

/** Whatever the brokers' own default is: it is one unless somebody has thought of it, and with one copy a broker takes blocks along. (Promise 1) */
const COPIES = 3;

/** Longest time that the controller may take over a topic, in ms. */
const ADMIN_TIMEOUT = 15_000;
/** A failure within so many ms was no broker that one has waited for. */
const PROMPT = 1000;
/** Between two looks at something that is about to happen, in ms. */
const PAUSE = 50;

/** What a topic must be like, whatever the brokers' defaults are: nothing of it goes by itself. */
const REQUIRED = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };
/** What else we ask for; some hosted brokers do not allow to choose. */
const WANTED = {
  // A block is one value, and one that holds a single large row cannot be cut.
  'max.message.bytes': String(64 * 2 ** 20),
  // Disk comes back segment by segment.
  'segment.bytes': String(128 * 2 ** 20),
  'unclean.leader.election.enable': 'false',
};

/**
 * The bus on Kafka, for more than one machine: a topic is a Kafka topic of one partition, a block is a record.
 * Nothing rests on consumer groups, committed offsets or Kafka transactions.
 */
export class KafkaBus implements Bus {
  readonly kind = 'kafka';
  readonly #options: KafkaBusOptions;
  readonly #log: Log;
  /** For what kafkajs has to say. */
  readonly #kafkaLog: Log;
  readonly #clock: Clock;
  readonly #appenders = new Map<string, KafkaAppender>();
  readonly #topics = new Map<string, KafkaTopic>();
  readonly #closing = new AbortController();

  /** Nothing is connected before the first call. */
  constructor(options: KafkaBusOptions, log: Log, clock: Clock = systemClock) {
    this.#options = { ...options, seeds: new Seeds(options.brokers) };
    this.#log = log;
    this.#kafkaLog = calm(log, clock);
    this.#clock = clock;
  }

  async createTopic(topic: string): Promise<void> {
    checkTopicName(topic);
    const created = await this.#administer(
      `Creating topic "${topic}"`,
      async (admin) => {
        // Asked first, since kafkajs tells a topic that is there already as an error.
        if ((await admin.listTopics()).includes(topic)) return false;
        return await this.#createOn(admin, topic);
      },
      quiet(this.#kafkaLog),
    );
    // Other brokers than the one we asked, and its leader, may take a moment to know it.
    await this.range(topic);
    if (!created) await this.#warnOfSettings(topic);
  }

  async deleteTopic(topic: string): Promise<void> {
    checkTopicName(topic);
    if (!(await this.listTopics()).includes(topic)) return;
    await this.#administer(`Deleting topic "${topic}"`, async (admin) => {
      try {
        await admin.deleteTopics({ topics: [topic], timeout: ADMIN_TIMEOUT });
      } catch (error) {
        if (!isKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION')) throw error;
      }
    });
    // A producer that goes on counting in a topic made anew under this name would be refused.
    this.#appenders.get(topic)?.cut();
    this.#appenders.delete(topic);
    this.#forget(topic);
    const patience = new Patience(this.#clock);
    while ((await this.listTopics()).includes(topic)) {
      patience.lose(new Error('It is still there'), topic);
      await this.#clock.sleep(PAUSE);
    }
  }

  async listTopics(): Promise<string[]> {
    const topics = await this.#administer('Listing topics', (admin) => admin.listTopics());
    return topics.filter((topic) => !topic.startsWith('__'));
  }

  async append(topic: string, blocks: readonly Buffer[]): Promise<bigint> {
    this.#failIfClosed();
    let appender = this.#appenders.get(topic);
    if (appender === undefined) {
      const check = (): Promise<unknown> => this.range(topic);
      appender = new KafkaAppender(this.#options, topic, check, this.#kafkaLog);
      this.#appenders.set(topic, appender);
    }
    if (blocks.length > 0) return await appender.append(blocks);
    await appender.idle();
    return (await this.range(topic)).next - 1n;
  }

  async tail(topic: string): Promise<BusBlock | undefined> {
    return await this.#ask(topic, async (source) => {
      const { low, high } = await source.offsets();
      if (low === high) return undefined;
      // However little we ask for, we get the whole batch of records that holds the offset.
      const { blocks } = await source.fetch(high - 1n, { maxBytes: 1, maxWaitMs: 0 });
      const last = blocks.at(-1);
      if (last === undefined) throw new Error(`It ends at ${String(high)} and does not give its last block`);
      return last;
    });
  }

  async range(topic: string): Promise<{ first: bigint; next: bigint }> {
    const { low, high } = await this.#ask(topic, (source) => source.offsets());
    return { first: low, next: high };
  }

  async *read(
    topic: string,
    from: bigint,
    signal: AbortSignal,
    { group }: ReadOptions = {},
  ): AsyncGenerator<BusBlock, void, undefined> {
    this.#failIfClosed();
    yield* readTopic(from, AbortSignal.any([signal, this.#closing.signal]), {
      topic,
      open: () => new KafkaTopic(this.#options, topic, this.#kafkaLog),
      clock: this.#clock,
      log: this.#log,
      group,
    });
    if (!signal.aborted) this.#failIfClosed();
  }

  async truncateBefore(topic: string, offset: bigint): Promise<void> {
    const { first, next } = await this.range(topic);
    // The last block stays: it is the appender's checkpoint. (Promise 1)
    const keep = offset < next - 1n ? offset : next - 1n;
    if (keep <= first) return;
    await this.#administer(`Truncating "${topic}"`, async (admin) => {
      // kafkajs deletes records of topics only that it has been asked about before.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(keep) }] });
    });
  }

  bytesHeld(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Finishes appends under way, ends readers with an error, and disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#appenders.values()].map((appender) => appender.close()));
    for (const topic of [...this.#topics.keys()]) this.#forget(topic);
  }

  /** Refused are more copies than there are brokers, and brokers that are away count: a cluster in trouble makes no topic of fewer copies. */
  async #createOn(admin: Admin, topic: string): Promise<boolean> {
    const wanted = this.#options.replicationFactor;
    for (let copies = wanted ?? COPIES; ; copies--) {
      try {
        return await this.#create(admin, topic, copies);
      } catch (error) {
        if (wanted !== undefined || copies === 1 || !isKafkaError(error, 'INVALID_REPLICATION_FACTOR')) throw error;
      }
    }
  }

  async #create(admin: Admin, topic: string, copies: number): Promise<boolean> {
    const createWith = async (settings: Readonly<Record<string, string>>): Promise<boolean> => {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      try {
        return await admin.createTopics({
          timeout: ADMIN_TIMEOUT,
          waitForLeaders: true,
          topics: [{ topic, numPartitions: 1, replicationFactor: copies, configEntries }],
        });
      } catch (error) {
        // It is made: the broker that is asked for its leader then may hear of it a moment later, which kafkajs takes for a failure.
        if (isKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION')) return true;
        throw error;
      }
    };
    try {
      return await createWith({ ...REQUIRED, ...WANTED, 'min.insync.replicas': String(inSync(copies)) });
    } catch (error) {
      if (!isKafkaError(error, 'INVALID_CONFIG') && !isKafkaError(error, 'POLICY_VIOLATION')) throw error;
      this.#log.warn(
        { topic, error },
        'The brokers refuse our settings for a topic; it is made with the indispensable ones.',
      );
      return await createWith(REQUIRED);
    }
  }

  /** A topic that somebody else made may forget by itself, or go with a broker, and pairs would find out only when it is too late. */
  async #warnOfSettings(topic: string): Promise<void> {
    try {
      const { found, copies, brokers } = await this.#administer(`Looking at topic "${topic}"`, (admin) =>
        look(admin, topic),
      );
      const wrong = Object.entries(REQUIRED).filter(
        ([name, value]) => found[name] !== undefined && found[name] !== value,
      );
      if (wrong.length > 0) {
        this.#log.warn(
          { topic, found, expected: REQUIRED },
          'The topic forgets blocks by itself: changes are lost if a pair is away for longer.',
        );
      }
      const wanted = this.#options.replicationFactor ?? Math.min(COPIES, brokers);
      const acknowledged = Number(found['min.insync.replicas'] ?? inSync(wanted));
      if (copies < wanted || acknowledged < inSync(wanted)) {
        this.#log.warn(
          { topic, copies, wanted, found },
          'The topic has fewer copies than it should: changes are lost with a broker. Reassign its partition, and set min.insync.replicas.',
        );
      }
    } catch (error) {
      this.#log.debug({ topic, error }, 'The settings of a topic cannot be looked at.');
    }
  }

  /** Asks a topic's leader, through a connection that is kept; again while the answer may only come from a broker that is behind. */
  async #ask<T>(topic: string, question: (source: KafkaTopic) => Promise<T>): Promise<T> {
    const patience = new Patience(this.#clock);
    const started = this.#clock.monotonic();
    let failures = 0;
    for (;;) {
      this.#failIfClosed();
      let source = this.#topics.get(topic);
      if (source === undefined)
        this.#topics.set(topic, (source = new KafkaTopic(this.#options, topic, this.#kafkaLog)));
      try {
        return await question(source);
      } catch (error) {
        // Several may ask through one connection: the first to fail gives it up, and the others fail for that reason only.
        const first = this.#topics.get(topic) === source;
        const meant = fromKafka(error, `Asking about "${topic}"`);
        if (meant.code === 'BUS_TOPIC_MISSING') {
          patience.doubt(meant, () => {
            if (first) this.#forget(topic);
          });
        } else {
          if (first) this.#forget(topic);
          // A first failure that comes at once may be a connection's that had died unnoticed.
          const again = failures++ === 0 && this.#clock.monotonic() - started < PROMPT;
          if (first && !(meant.heals && again)) throw meant;
        }
        await this.#clock.sleep(PAUSE);
      }
    }
  }

  #forget(topic: string): void {
    this.#topics.get(topic)?.cut();
    this.#topics.delete(topic);
  }

  /**
   * Does something with a connection of its own. kafkajs's admin keeps a list of all topics it was ever asked about,
   * and fails in everything it does once one of them is gone.
   */
  async #administer<T>(doing: string, action: (admin: Admin) => Promise<T>, log = this.#kafkaLog): Promise<T> {
    this.#failIfClosed();
    const client = new KafkaClient(this.#options, log);
    const admin = client.kafka.admin();
    try {
      await admin.connect();
      return await action(admin);
    } catch (error) {
      throw fromKafka(error, doing);
    } finally {
      client.cut();
      void admin.disconnect().catch(() => undefined);
    }
  }

  #failIfClosed(): void {
    if (this.#closing.signal.aborted) throw new TerraFusionError('BUS_UNREACHABLE', 'The bus is closed');
  }
}

/** How many have to have a block. With three copies two, so that one broker may go; with fewer, one that is away must not stop everything. */
const inSync = (copies: number): number => (copies >= 3 ? 2 : 1);

interface TopicSettings {
  readonly found: Readonly<Record<string, string>>;
  readonly copies: number;
  /** Brokers that can be reached now. */
  readonly brokers: number;
}

async function look(admin: Admin, topic: string): Promise<TopicSettings> {
  const configNames = [...Object.keys(REQUIRED), 'min.insync.replicas'];
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames }],
  });
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return {
    found: Object.fromEntries(
      resources.flatMap(({ configEntries }) => configEntries.map((c) => [c.configName, c.configValue])),
    ),
    copies: topics[0]!.partitions[0]!.replicas.length,
    brokers: (await admin.describeCluster()).brokers.length,
  };
}
