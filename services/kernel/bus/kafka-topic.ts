import type { Broker, Cluster, Consumer } from 'kafkajs';
import type { Log } from '../log.ts';
import { brokersOf, KafkaClient, type KafkaConnection } from './kafka-client.ts';
import type { BusBlock } from './port.ts';
import { topicMissing } from './topic-name.ts';

export interface Fetched {
  readonly blocks: readonly BusBlock[];
  /** Offset after the last block that all in-sync replicas have. */
  readonly high: bigint;
}

interface FetchResponse {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly highWatermark: string;
      readonly messages: readonly { readonly offset: string; readonly value: Buffer | null }[];
    }[];
  }[];
}

/** Reads one topic: its offsets, and blocks from any of them. Errors are kafkajs's own; after one, {@link cut} it and make another. */
export class KafkaTopic {
  readonly topic: string;
  readonly #client: KafkaClient;
  readonly #cluster: Cluster;
  readonly #consumer: Consumer;

  constructor(connection: KafkaConnection, topic: string, log: Log) {
    this.topic = topic;
    this.#client = new KafkaClient(connection, log);
    ({ cluster: this.#cluster, consumer: this.#consumer } = brokersOf(this.#client));
  }

  /** First retained offset, and the one after the last. */
  async offsets(): Promise<{ low: bigint; high: bigint }> {
    await this.#leader();
    const ask = async (fromBeginning: boolean): Promise<bigint> => {
      const [answer] = await this.#cluster.fetchTopicsOffset([{ topic: this.topic, partitions, fromBeginning }]);
      const offset = answer?.partitions[0]?.offset;
      if (offset === undefined) throw topicMissing(this.topic);
      return BigInt(offset);
    };
    const low = await ask(true);
    return { low, high: await ask(false) };
  }

  /**
   * Blocks from `offset` on: what is there, up to `maxBytes` but at least one block, or nothing after `maxWaitMs`.
   * A broker answers with whole batches of records, so that one can begin before the offset; what it begins with is left out.
   */
  async fetch(offset: bigint, { maxBytes, maxWaitMs }: { maxBytes: number; maxWaitMs: number }): Promise<Fetched> {
    const leader = await this.#leader();
    const response = (await leader.fetch({
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes,
      topics: [{ topic: this.topic, partitions: [{ partition: 0, fetchOffset: String(offset), maxBytes }] }],
    })) as FetchResponse;
    const answer = response.responses[0]?.partitions[0];
    if (answer === undefined) throw topicMissing(this.topic);
    const blocks = answer.messages
      .map(({ offset: at, value }) => ({ offset: BigInt(at), bytes: value ?? Buffer.alloc(0) }))
      .filter((block) => block.offset >= offset);
    return { blocks, high: BigInt(answer.highWatermark) };
  }

  /** Notes for people how far somebody has come. A member of no group may write where no member lives. */
  async noteProgress(groupId: string, next: bigint): Promise<void> {
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId });
    await coordinator.offsetCommit({
      groupId,
      groupGenerationId: -1,
      memberId: '',
      topics: [{ topic: this.topic, partitions: [{ partition: 0, offset: String(next) }] }],
    });
  }

  cut(): void {
    this.#client.cut();
    void this.#consumer.disconnect().catch(() => undefined);
  }

  async #leader(): Promise<Broker> {
    await this.#consumer.connect();
    await this.#cluster.addTargetTopic(this.topic);
    await this.#cluster.refreshMetadataIfNecessary();
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(this.topic, [0]));
    if (nodeId === undefined) throw topicMissing(this.topic);
    return await this.#cluster.findBroker({ nodeId });
  }
}

const partitions = [{ partition: 0 }];
