import { startBroker, type Broker } from '#infra/kafka/broker.ts';
import { whyNoBroker } from '#infra/kafka/classpath.ts';

const AS_IN_PRODUCTION = ['-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35'];

/** The broker of a measurement, started when the first one wants it. */
export class Kafkas implements AsyncDisposable {
  #broker: Promise<Broker> | undefined;

  broker(): Promise<Broker> {
    this.#broker ??= this.#start();
    return this.#broker;
  }

  async #start(): Promise<Broker> {
    const reason = await whyNoBroker();
    if (reason !== undefined) throw new Error(`There is no Kafka to measure through: ${reason}`);
    return await startBroker({ heapMb: 1024, jvm: AS_IN_PRODUCTION });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#broker)?.stop();
  }
}
