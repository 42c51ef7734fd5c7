import { startBroker, type Broker, type BrokerOptions } from '#infra/kafka/broker.ts';
import { whyNoBroker } from '#infra/kafka/classpath.ts';

/** A Kafka for one test file. */
export interface TestKafka extends AsyncDisposable {
  readonly brokers: readonly string[];
  /** The broker itself, to freeze, kill and restart it; undefined for one of TEST_KAFKA_BROKERS, which is not ours to harm. */
  readonly broker: Broker | undefined;
  /** Ends it, if we started it. */
  stop(): Promise<void>;
}

/**
 * Why tests with Kafka cannot run here, or undefined when they can: for `describeUnless`.
 * With TERRAFUSION_REQUIRE_KAFKA=1, as in CI, it throws instead: a suite that never runs shall not look like one that passes.
 */
export async function whyNoKafka(): Promise<string | undefined> {
  if (given().length > 0) return undefined;
  const reason = await whyNoBroker();
  if (reason !== undefined && process.env.TERRAFUSION_REQUIRE_KAFKA === '1') {
    throw new Error(`TERRAFUSION_REQUIRE_KAFKA is set, but: ${reason}`);
  }
  return reason;
}

/**
 * The brokers of TEST_KAFKA_BROKERS (host:port, separated by commas), else a broker of our own on a free port.
 * Undefined, with the reason on the console, where neither can be had; see {@link whyNoKafka}.
 */
export async function startKafka(options: BrokerOptions = {}): Promise<TestKafka | undefined> {
  const brokers = given();
  if (brokers.length > 0) {
    return {
      brokers,
      broker: undefined,
      stop: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const reason = await whyNoKafka();
  if (reason !== undefined) {
    console.warn(`No Kafka for these tests: ${reason}`);
    return undefined;
  }
  const broker = await startBroker(options);
  const stop = (): Promise<void> => broker.stop();
  return { brokers: [broker.address], broker, stop, [Symbol.asyncDispose]: stop };
}

function given(): string[] {
  const brokers = process.env.TEST_KAFKA_BROKERS ?? '';
  return brokers.split(',').flatMap((broker) => (broker.trim() === '' ? [] : [broker.trim()]));
}
