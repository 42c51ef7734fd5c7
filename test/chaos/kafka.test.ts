import { afterAll, beforeAll, describe, test } from 'vitest';
import { startKafka, whyNoKafka, type TestKafka } from '#test/support/kafka.ts';
import { chaosSeed } from './seed.ts';
import { kafkaPoints, streamPoints } from './points.ts';
import { testLoadKills, testRandomKills, testStreamKills } from './suite.ts';

const reason = await whyNoKafka();

describe('SIGKILL, Kafka', () => {
  if (reason !== undefined) {
    test('killed while Kafka carries the blocks', ({ skip }) => {
      skip(reason);
    });
    return;
  }
  let kafka: TestKafka | undefined;
  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterAll(() => kafka?.stop());
  const options = {
    seed: chaosSeed,
    brokers: (): readonly string[] => kafka!.brokers,
  };
  // Each start waits until the lease of the one that was killed has run out.
  testStreamKills([...streamPoints, ...kafkaPoints], 1, options);
  testRandomKills(10, options);
  testLoadKills(1, 0, options);
});
