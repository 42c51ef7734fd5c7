import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openBus } from '#services/kernel/bus/open.ts';
import { expectCode, text } from '#test/conformance/bus-contract.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe('opening the bus', () => {
  test('without brokers it is the embedded one, in the data folder', async () => {
    const dataFolder = await mkdtemp(join(tmpdir(), 'terrafusion-data-'));
    try {
      await using bus = await openBus({ dataFolder, bus: { kind: 'embedded', maxBytes: 2 ** 30 } }, silent);
      await bus.createTopic('a');
      expect(await bus.append('a', [text('x')])).toBe(0n);
      expect(bus.kind).toBe('embedded');
      expect(bus.usage?.().maxBytes).toBe(2 ** 30);
    } finally {
      await rm(dataFolder, { recursive: true, force: true });
    }
  });

  test('with brokers it is Kafka, which need not answer yet', async () => {
    const kafka = {
      kind: 'kafka',
      brokers: ['127.0.0.1:1'],
      replicationFactor: undefined,
      tls: undefined,
      sasl: undefined,
    } as const;
    await using bus = await openBus({ dataFolder: '/nowhere', bus: kafka }, silent);
    expect(bus.kind).toBe('kafka');
    expect(bus).not.toHaveProperty('usage');
    expect(await bus.bytesHeld('a')).toBeUndefined();
  });

  test('a certificate that cannot be read is named by its variable', async () => {
    const kafka = {
      kind: 'kafka',
      brokers: ['127.0.0.1:1'],
      replicationFactor: 3,
      tls: { caFile: '/nowhere/ca.pem' },
      sasl: undefined,
    } as const;
    const opened = openBus({ dataFolder: '/nowhere', bus: kafka }, silent);
    await expectCode('CONFIG_INVALID', opened);
    await expect(opened).rejects.toThrow('KAFKA_SSL_CA_FILE');
  });
});
