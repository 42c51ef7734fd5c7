import { afterAll, beforeAll, describe, test } from 'vitest';
import { startKafka, whyNoKafka, type TestKafka } from '#test/support/kafka.ts';
import { describeRealData } from './real-data-suite.ts';

const reason = await whyNoKafka();

if (reason === undefined) {
  let kafka: TestKafka | undefined;
  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterAll(() => kafka?.stop());
  describeRealData('Kafka', () => ({ brokers: kafka!.brokers }));
} else {
  describe('real data, Kafka', () => {
    test('county data through Kafka', ({ skip }) => {
      skip(reason);
    });
  });
}
