import { afterAll, beforeAll, describe, test } from 'vitest';
import { startKafka, whyNoKafka, type TestKafka } from '#test/support/kafka.ts';
import { testRandomSyncs } from './table-sync-suite.ts';

const reason = await whyNoKafka();

describe('table syncs with Kafka', () => {
  if (reason !== undefined) {
    test('tables come and go at random while all are written to', ({ skip }) => {
      skip(reason);
    });
    return;
  }
  let kafka: TestKafka | undefined;
  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterAll(() => kafka?.stop());
  testRandomSyncs({ seed: 3, transactions: 240, every: 12, brokers: () => kafka!.brokers });
});
