import { isIP, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import {
  Kafka,
  logLevel,
  PartitionAssigners,
  type Cluster,
  type Consumer,
  type ISocketFactory,
  type LogEntry,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs';
import type { Secret } from '#schemas/secret.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import './kafkajs-mended.ts';

/** How to reach the brokers. */
export interface KafkaConnection {
  /** host:port each. */
  readonly brokers: readonly string[];
  /** What clients have found out about them, shared by those of one bus. */
  readonly seeds?: Seeds;
  /** Certificates as PEM text; undefined: no TLS. An empty object: TLS with the certificate authorities that the system knows. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: Secret } | undefined;
  readonly sasl?:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: Secret;
      }
    | undefined;
}

/**
 * kafkajs's own attempts within one call, about three seconds in all. They repeat the very same request, sequence numbers included, so that the
 * broker recognises one that it has stored already. What lasts longer is for us to decide: give up, and go on with a fresh client.
 */
const RETRY: RetryOptions = { initialRetryTime: 100, factor: 0, multiplier: 2, maxRetryTime: 1000, retries: 5 };
/** Longest wait for a connection, its log-in, and any answer, in ms. */
const CONNECT_TIMEOUT = 5000;
const LOGIN_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 15_000;

/**
 * The order in which clients try the brokers that they were told of: one that could not be reached, or said nothing, comes last from
 * then on. Each client of kafkajs begins with the first.
 */
export class Seeds {
  #order: readonly string[];

  constructor(brokers: readonly string[]) {
    this.#order = brokers;
  }

  get order(): readonly string[] {
    return this.#order;
  }

  failed(broker: string): void {
    if (this.#order.includes(broker)) this.#order = [...this.#order.filter((each) => each !== broker), broker];
  }
}

/**
 * A kafkajs client of its own for one purpose, with its sockets in hand. kafkajs waits for answers when it disconnects, and a send
 * under way connects again after a disconnect (tulios/kafkajs#1438): {@link cut} ends both, for certain and at once. A client that
 * has failed is cut and replaced, never mended: what kafkajs believes after an error is not worth knowing.
 */
export class KafkaClient {
  readonly kafka: Kafka;
  /** Each with the broker it leads to, host:port. */
  readonly #sockets = new Map<Socket, string>();
  readonly #silent = new Set<string>();
  readonly #seeds: Seeds;
  #cut = false;

  constructor(connection: KafkaConnection, log: Log, retry: RetryOptions = RETRY) {
    const { brokers, seeds = new Seeds(brokers), tls, sasl } = connection;
    const { order } = seeds;
    this.#seeds = seeds;
    let asked = 0;
    this.kafka = new Kafka({
      clientId: 'terrafusion-sync',
      brokers: () => {
        // Without brokers kafkajs gives up, while after a mere failure to connect it would go on trying behind our back.
        if (this.#cut) return [];
        // It asks for each that it tries, and takes them in turns.
        if (asked > 0) seeds.failed(order[(asked - 1) % order.length]!);
        asked++;
        return [...order];
      },
      ...(tls && { ssl: tlsOptions(tls) }),
      ...(sasl && { sasl: saslOptions(sasl) }),
      connectionTimeout: CONNECT_TIMEOUT,
      authenticationTimeout: LOGIN_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      retry,
      socketFactory: this.#connect,
      logLevel: logLevel.INFO,
      logCreator: () => (entry) => {
        if (!this.#cut) writeLog(log, entry);
      },
    });
  }

  /** Closes all connections, answers outstanding or not, and lets none be made any more. */
  cut(): void {
    this.#cut = true;
    // kafkajs does not listen for "close": only an error tells it that nothing comes any more.
    for (const socket of this.#sockets.keys()) socket.destroy(new Error('The connection was given up'));
  }

  /**
   * A broker has left a request without an answer: closes the connections to it, through which kafkajs would go on asking, and makes no
   * more as long as there are others to ask.
   */
  hangUp(broker: string): void {
    this.#seeds.failed(broker);
    if (this.#seeds.order.length > 1) this.#silent.add(broker);
    for (const [socket, to] of this.#sockets) if (to === broker) socket.destroy(new Error('No answer came'));
  }

  readonly #connect: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.#cut) throw new Error('The client was given up');
    if (this.#silent.has(`${host}:${port}`)) throw new Error('It has left a request without an answer');
    const socket = (ssl as ConnectionOptions | undefined)
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
      : connectTcp({ host, port }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    this.#sockets.set(socket, `${host}:${port}`);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  };
}

/**
 * The brokers as kafkajs knows them (`Cluster`, which its types describe and only partition assigners are handed), by way of
 * a consumer that never joins a group. With it one fetches where and when one wants: no group to form or to rebalance, no heartbeat,
 * and no consumer that stands still without saying so.
 */
export function brokersOf(client: KafkaClient): { readonly cluster: Cluster; readonly consumer: Consumer } {
  let cluster: Cluster | undefined;
  const consumer = client.kafka.consumer({
    groupId: 'terrafusion-unused',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        cluster = config.cluster;
        return PartitionAssigners.roundRobin(config);
      },
    ],
  });
  return { cluster: cluster!, consumer };
}

function tlsOptions({ ca, cert, key }: NonNullable<KafkaConnection['tls']>): ConnectionOptions {
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key && { key: key.reveal() }) };
}

function saslOptions({ mechanism, username, password }: NonNullable<KafkaConnection['sasl']>): SASLOptions {
  return { mechanism, username, password: password.reveal() };
}

/**
 * kafkajs tells every failed attempt as an error. Whether one is, we find out: what we cannot help is thrown and logged where it arrives, so here
 * it is a warning. Its warnings are hints at most, and its information nobody acts on.
 */
function writeLog(log: Log, { level, namespace, log: { message, ...fields } }: LogEntry): void {
  const line = `Kafka: ${message}`;
  const details = { ...fields, timestamp: undefined, part: namespace };
  if (level === logLevel.ERROR) log.warn(details, line);
  else if (level === logLevel.WARN) log.info(details, line);
  else log.debug(details, line);
}

/** How long a warning that comes again stays among the details, in ms. */
const SAME_AFTER = 60_000;

/** A log in which a warning appears once a minute: a broker that is away makes kafkajs say the same at every attempt. */
export function calm(log: Log, clock: Clock): Log {
  const said = new Map<string, number>();
  return {
    debug: (fields, message) => {
      log.debug(fields, message);
    },
    info: (fields, message) => {
      log.info(fields, message);
    },
    warn: (fields, message) => {
      const now = clock.monotonic();
      if (now - (said.get(message) ?? -Infinity) < SAME_AFTER) {
        log.debug(fields, message);
        return;
      }
      // Messages hold addresses, so there could be many.
      if (said.size > 100) said.clear();
      said.set(message, now);
      log.warn(fields, message);
    },
    error: (fields, message) => {
      log.error(fields, message);
    },
  };
}
