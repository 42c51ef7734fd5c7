import kafkajs, { type Admin } from 'kafkajs';
import type { Broker } from '#infra/kafka/broker.ts';
import { startCluster, type Cluster, type ClusterOptions } from '#infra/kafka/cluster.ts';
import { isKafkaError } from '#services/kernel/bus/kafka-errors.ts';
import { eventually } from './eventually.ts';

/** What a cluster says of a topic: node ids, from 1. */
export interface Placed {
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
}

const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;

/** Three brokers for one test file; whether they can be had says `whyNoKafka` of kafka.ts. */
export class TestCluster implements AsyncDisposable {
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    return new TestCluster(await startCluster(options));
  }

  get addresses(): readonly string[] {
    return this.#cluster.addresses;
  }

  get brokers(): readonly Broker[] {
    return this.#cluster.brokers;
  }

  controller(): Promise<Broker> {
    return this.#cluster.controller();
  }

  topics(): Promise<string[]> {
    return this.#ask((admin) => admin.listTopics());
  }

  /** Whether somebody leads the topic, who is there. */
  async hasLeader(topic: string): Promise<boolean> {
    try {
      return (await this.placed(topic)).leader > 0;
    } catch (error) {
      if (isKafkaError(error, 'LEADER_NOT_AVAILABLE')) return false;
      throw error;
    }
  }

  /** Where the topic is, as far as the cluster knows. */
  async placed(topic: string): Promise<Placed> {
    const { topics } = await this.#ask((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
    const { leader, replicas, isr } = topics[0]!.partitions[0]!;
    return { leader, replicas: replicas.toSorted(), inSync: isr.toSorted() };
  }

  async leaderOf(topic: string): Promise<Broker> {
    const leader = await eventually(
      async () => {
        const { leader: id } = await this.placed(topic);
        return id > 0 && id;
      },
      { within: 30_000, every: 100, what: `a leader of "${topic}"` },
    );
    return this.brokers[leader - 1]!;
  }

  /** The topic is on these brokers from now on, the first of them leads. Resolves once that is so and they have all of it. */
  async place(topic: string, ids: readonly number[]): Promise<void> {
    await this.#ask((admin) =>
      admin.alterPartitionReassignments({
        topics: [{ topic, partitionAssignment: [{ partition: 0, replicas: [...ids] }] }],
      }),
    );
    const wanted = ids.toSorted().join();
    await eventually(
      async () => {
        const { leader, replicas, inSync } = await this.placed(topic);
        return leader === ids[0] && replicas.join() === wanted && inSync.join() === wanted;
      },
      { within: 60_000, every: 100, what: `"${topic}" to be on ${ids.join(', ')}` },
    );
  }

  async setting(topic: string, name: string): Promise<string | undefined> {
    const { resources } = await this.#ask((admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: [name] }],
      }),
    );
    return resources[0]!.configEntries[0]?.configValue;
  }

  async set(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    await this.#ask(async (admin) => {
      const name = { type: ConfigResourceTypes.TOPIC, name: topic };
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [name] });
      const own = resources[0]!.configEntries.filter(({ isDefault }) => !isDefault);
      // This request takes back what it does not name.
      const all = { ...Object.fromEntries(own.map((each) => [each.configName, each.configValue])), ...settings };
      const configEntries = Object.entries(all).map(([key, value]) => ({ name: key, value }));
      await admin.alterConfigs({ validateOnly: false, resources: [{ ...name, configEntries }] });
    });
  }

  async #ask<T>(question: (admin: Admin) => Promise<T>): Promise<T> {
    const kafka = new Kafka({
      brokers: [...this.addresses],
      logLevel: logLevel.NOTHING,
      // One that is frozen is not waited for: another one knows as well.
      requestTimeout: 2000,
    });
    const admin = kafka.admin();
    await admin.connect();
    try {
      return await question(admin);
    } finally {
      await admin.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.stop();
  }
}
