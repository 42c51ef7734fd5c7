/** `npm run kafka`: one Kafka broker on this machine, for development, until Ctrl-C. As a library: `broker.ts`. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBroker } from './broker.ts';
import { whyNoBroker } from './classpath.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9092' },
    data: { type: 'string', default: fileURLToPath(new URL('../../data/kafka', import.meta.url)) },
    memory: { type: 'string', default: '512' },
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
const broker = await startBroker({
  port: Number(values.port),
  folder: values.data,
  heapMb: Number(values.memory),
  onLine: (line) => {
    console.error(line);
  },
});
console.log(`Kafka runs on ${broker.address} and keeps its data in ${values.data}. Use it with`);
console.log(`  KAFKA_BROKERS=${broker.address}`);
console.log('Ctrl-C ends it.');
await stopped;
await broker.stop();
