import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { fromKafka, isKafkaError } from '#services/kernel/bus/kafka-errors.ts';

const brokerSays = (type: string, message = type): Error => Object.assign(new Error(message), { type });

describe('errors of Kafka in our words', () => {
  test.each([
    ['MESSAGE_TOO_LARGE', 'BUS_BLOCK_TOO_LARGE'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'BUS_TOPIC_MISSING'],
    ['TOPIC_AUTHORIZATION_FAILED', 'BUS_LOGIN_FAILED'],
    ['INVALID_REPLICATION_FACTOR', 'CONFIG_INVALID'],
    ['NOT_LEADER_FOR_PARTITION', 'BUS_UNREACHABLE'],
    ['', 'BUS_UNREACHABLE'],
  ])('%s is %s', (type, code) => {
    expect(fromKafka(brokerSays(type, 'so the broker says'), 'Doing it')).toMatchObject({
      code,
      message: 'Doing it: so the broker says',
    });
  });

  test('what the broker said counts, however deep kafkajs has wrapped it', () => {
    const deep = new Error('retries exceeded', {
      cause: new Error('request failed', { cause: brokerSays('MESSAGE_TOO_LARGE', 'too large') }),
    });
    expect(fromKafka(deep, 'Doing it')).toMatchObject({
      code: 'BUS_BLOCK_TOO_LARGE',
      message: 'Doing it: too large',
      cause: deep,
    });
    expect(isKafkaError(deep, 'MESSAGE_TOO_LARGE')).toBe(true);
    expect(isKafkaError(deep, 'OFFSET_OUT_OF_RANGE')).toBe(false);
  });

  test('what it said of one topic or partition of several counts', () => {
    const topics = Object.assign(new Error('Topic creation errors'), { errors: [brokerSays('INVALID_CONFIG')] });
    expect(fromKafka(topics, 'Doing it').code).toBe('CONFIG_INVALID');
    const partitions = Object.assign(new Error('Error while deleting records'), {
      partitions: [{ partition: 0, error: brokerSays('TOPIC_AUTHORIZATION_FAILED') }],
    });
    expect(fromKafka(partitions, 'Doing it').code).toBe('BUS_LOGIN_FAILED');
  });

  test('a refused log-in has no type, but a name', () => {
    const refused = Object.assign(new Error('SASL PLAIN authentication failed'), {
      name: 'KafkaJSSASLAuthenticationError',
    });
    expect(fromKafka(refused, 'Doing it').code).toBe('BUS_LOGIN_FAILED');
  });

  test('our own pass as they are, and anything can be thrown', () => {
    const ours = new TerraFusionError('BUS_OFFSET_LOST', 'lost');
    expect(fromKafka(ours, 'Doing it')).toBe(ours);
    expect(fromKafka('a word', 'Doing it')).toMatchObject({ code: 'BUS_UNREACHABLE', message: 'Doing it: a word' });
    const circular = new Error('round');
    circular.cause = circular;
    expect(fromKafka(circular, 'Doing it').code).toBe('BUS_UNREACHABLE');
  });
});
