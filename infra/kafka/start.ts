/** `npm run kafka`: one Kafka broker on this machine, or three, for development, until Ctrl-C. As a library: `broker.ts`, `cluster.ts`. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBroker } from './broker.ts';
import { whyNoBroker } from './classpath.ts';
import { startCluster } from './cluster.ts';

const dataFolder = (name: string): string => fileURLToPath(new URL(`../../data/${name}`, import.meta.url));

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9092' },
    data: { type: 'string' },
    memory: { type: 'string', default: '512' },
    cluster: { type: 'boolean', default: false },
  },
});

const reason = await whyNoBroker();
if (reason !== undefined) {
  console.error(reason);
  process.exit(1);
}

const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
});
console.log('Starting Kafka; the first time it is fetched, which takes a minute.');
const folder = values.data ?? dataFolder(values.cluster ? 'kafka-cluster' : 'kafka');
const options = {
  port: Number(values.port),
  folder,
  heapMb: Number(values.memory),
  onLine: (line: string) => {
    console.error(line);
  },
};
const kafka = values.cluster ? await startCluster(options) : await startBroker(options);
const addresses = 'addresses' in kafka ? kafka.addresses.join(',') : kafka.address;
console.log(`Kafka runs on ${addresses} and keeps its data in ${folder}. Use it with`);
console.log(`  KAFKA_BROKERS=${addresses}`);
console.log('Ctrl-C ends it.');
await stopped;
await kafka.stop();
