import { describe, test } from 'vitest';
import { KafkaBus } from '#services/kernel/bus/kafka.ts';
import { startKafka, whyNoKafka } from '#test/support/kafka.ts';
import { describeBus } from './bus-contract.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const reason = await whyNoKafka();

if (reason === undefined) {
  describeBus('Kafka', async () => {
    const kafka = (await startKafka())!;
    return {
      runs: 10,
      open: async () => new KafkaBus({ brokers: kafka.brokers }, silent),
      [Symbol.asyncDispose]: () => kafka.stop(),
    };
  });
} else {
  describe('bus contract: Kafka', () => {
    test('all of it', ({ skip }) => {
      skip(reason);
    });
  });
}
