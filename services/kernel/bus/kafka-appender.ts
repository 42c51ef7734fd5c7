import type { Producer, RetryOptions } from 'kafkajs';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Log } from '../log.ts';
import { KafkaClient, type KafkaConnection } from './kafka-client.ts';
import { fromKafka, isKafkaError } from './kafka-errors.ts';

/** Bytes of blocks that one request carries at most, unless a single block is larger. */
const REQUEST_BYTES = 4 * 2 ** 20;
/** No topic takes a larger block: brokers close connections on requests of 100 MB and more without a word. */
export const LARGEST_BLOCK = 64 * 2 ** 20 - 1024;
/**
 * kafkajs's own attempts at one request, about 14 seconds in all: long enough for another broker to take over, which Kafka has them do
 * after a session of nine. They repeat the very same request, sequence numbers included, so that the broker recognises what it has
 * stored already. Without any broker left the attempts to connect end it, after 17 to 20 seconds: a single broker that is restarted on
 * a busy machine is back by then.
 */
const SEND_RETRY: RetryOptions = { initialRetryTime: 100, factor: 0, multiplier: 2, maxRetryTime: 1000, retries: 16 };
const CONNECT_RETRY: RetryOptions = { ...SEND_RETRY, retries: 20 };
/** Longest time that a request may take with all its attempts, in ms. */
const SEND_TIMEOUT = 25_000;
/** How long closing waits for appends under way, in ms. */
const CLOSE_TIMEOUT = 3000;
/** Time in which the in-sync replicas have to have a request, in ms. */
const REPLICATION_TIMEOUT = 10_000;
/** kafkajs counts sequence numbers up to 2^31 and then skips one, which the broker does not forgive: a producer ends before. */
const PRODUCER_BLOCKS = 2 ** 30;

interface Session {
  readonly client: KafkaClient;
  readonly producer: Producer;
  readonly connected: Promise<void>;
  /** Rejects when the session is given up. */
  readonly givenUp: PromiseWithResolvers<never>;
  blocks: number;
}

interface Append {
  readonly blocks: readonly Buffer[];
  /** Blocks that the broker has acknowledged. */
  stored: number;
  readonly settle: PromiseWithResolvers<bigint>;
}

/**
 * Appends to one topic: one idempotent producer, one request in flight, and what is called meanwhile goes into the next one together.
 * A producer of its own for each topic, so that one topic's trouble is not another's.
 */
export class KafkaAppender {
  readonly #connection: KafkaConnection;
  readonly #topic: string;
  readonly #check: () => Promise<unknown>;
  readonly #log: Log;
  readonly #queue: Append[] = [];
  #requestBytes = REQUEST_BYTES;
  #session: Session | undefined;
  #pump: Promise<void> | undefined;

  /** `check` rejects when the topic is not there: kafkajs would look for it until its attempts are used up. */
  constructor(connection: KafkaConnection, topic: string, check: () => Promise<unknown>, log: Log) {
    this.#connection = connection;
    this.#topic = topic;
    this.#check = check;
    this.#log = log;
  }

  append(blocks: readonly Buffer[]): Promise<bigint> {
    const settle = Promise.withResolvers<bigint>();
    this.#queue.push({ blocks, stored: 0, settle });
    this.#pump ??= this.#work();
    return settle.promise;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#pump;
  }

  /** Finishes what is queued, if that goes quickly, and disconnects: a broker that is away must not keep a process from ending. */
  async close(): Promise<void> {
    const hurry = setTimeout(() => {
      this.#drop('The bus was closed');
    }, CLOSE_TIMEOUT);
    await this.#pump;
    clearTimeout(hurry);
    this.#drop('The bus was closed');
  }

  /** Gives up what is under way, at once: for a topic that is gone. */
  cut(): void {
    this.#drop('The topic was deleted');
  }

  async #work(): Promise<void> {
    // What is called in the same breath goes together already.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      try {
        await this.#sendNext();
      } catch (error) {
        // Nobody knows what the broker has of this request, and later blocks must not be stored before it is known: all that wait are told.
        // Its producer goes too, with its attempts: none may store anything after somebody has read the tail.
        this.#drop('A request failed');
        for (const { settle } of this.#queue.splice(0)) settle.reject(error);
      }
    }
    this.#pump = undefined;
  }

  async #sendNext(): Promise<void> {
    const parts = this.#nextParts();
    const blocks = parts.flatMap(({ append, count }) => append.blocks.slice(append.stored, append.stored + count));
    if (blocks[0]!.length > LARGEST_BLOCK) throw this.#tooLarge(blocks[0]!, undefined);
    let base: bigint;
    try {
      base = await this.#send(blocks);
    } catch (error) {
      const tooLarge = isKafkaError(error, 'MESSAGE_TOO_LARGE') || isKafkaError(error, 'RECORD_LIST_TOO_LARGE');
      if (tooLarge && blocks.length > 1) {
        // The topic takes less in one go than we would give it (somebody else made it). A refusal is certain: nothing was stored.
        this.#requestBytes = Math.floor(blocks.reduce((sum, { length }) => sum + length, 0) / 2);
        this.#log.info(
          { topic: this.#topic, requestBytes: this.#requestBytes },
          'Smaller requests for a topic with a low limit.',
        );
        this.#drop('Refused as too large');
        return;
      }
      throw tooLarge ? this.#tooLarge(blocks[0]!, error) : fromKafka(error, `Appending to "${this.#topic}"`);
    }
    let next = base;
    for (const { append, count } of parts) {
      next += BigInt(count);
      append.stored += count;
      if (append.stored < append.blocks.length) continue;
      this.#queue.splice(this.#queue.indexOf(append), 1);
      append.settle.resolve(next - 1n);
    }
  }

  /** The head of the queue, as much as one request carries: each append with the number of blocks that go. */
  #nextParts(): { append: Append; count: number }[] {
    const parts: { append: Append; count: number }[] = [];
    let bytes = 0;
    for (const append of this.#queue) {
      let count = 0;
      for (const { length } of append.blocks.slice(append.stored)) {
        if (bytes > 0 && bytes + length > this.#requestBytes) break;
        // A block counts as one byte at least, or a request could hold any number of empty ones.
        bytes += Math.max(1, length);
        count++;
      }
      if (count > 0) parts.push({ append, count });
      if (append.stored + count < append.blocks.length) break;
    }
    return parts;
  }

  /** Offset of the first block. Rejects with kafkajs's error. */
  async #send(blocks: readonly Buffer[]): Promise<bigint> {
    const session = (this.#session ??= this.#open());
    const timeout = setTimeout(() => {
      this.#drop(`No answer in ${SEND_TIMEOUT / 1000} s`);
    }, SEND_TIMEOUT);
    try {
      return await Promise.race([this.#sendThrough(session, blocks), session.givenUp.promise]);
    } finally {
      clearTimeout(timeout);
    }
  }

  async #sendThrough(session: Session, blocks: readonly Buffer[]): Promise<bigint> {
    // A producer whose `connect` failed believes that it is connected, has no id, and would send without idempotence: this throws, and it goes.
    await session.connected;
    const [answer] = await session.producer.send({
      topic: this.#topic,
      acks: -1,
      timeout: REPLICATION_TIMEOUT,
      messages: blocks.map((value) => ({ value, partition: 0 })),
    });
    session.blocks += blocks.length;
    if (session.blocks >= PRODUCER_BLOCKS) this.#drop('It has counted far enough');
    if (answer?.baseOffset === undefined || answer.baseOffset === '-1') {
      throw new Error('The broker did not say where it stored the blocks');
    }
    return BigInt(answer.baseOffset);
  }

  #open(): Session {
    const client = new KafkaClient(this.#connection, this.#log, CONNECT_RETRY);
    const producer = client.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => () => 0,
      retry: SEND_RETRY,
    });
    // One that is frozen leads no longer, as the others know by then.
    producer.on(producer.events.REQUEST_TIMEOUT, ({ payload }) => {
      client.hangUp(payload.broker);
    });
    const connected = this.#check().then(() => producer.connect());
    const givenUp = Promise.withResolvers<never>();
    givenUp.promise.catch(() => undefined);
    return { client, producer, connected, givenUp, blocks: 0 };
  }

  /** Ends the session and whatever it is doing. */
  #drop(reason: string): void {
    const dropped = this.#session;
    if (dropped === undefined) return;
    this.#session = undefined;
    dropped.givenUp.reject(new Error(reason));
    dropped.client.cut();
    dropped.producer.disconnect().catch(() => undefined);
  }

  #tooLarge(block: Buffer, cause: unknown): TerraFusionError {
    return new TerraFusionError(
      'BUS_BLOCK_TOO_LARGE',
      `Topic "${this.#topic}" does not take a block of ${block.length} bytes`,
      { cause, details: { topic: this.#topic, bytes: block.length } },
    );
  }
}
