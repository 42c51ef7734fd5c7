import { TerraFusionError } from '#schemas/errors.ts';

/** What both buses can name: Kafka's own alphabet, and room for a prefix within its 249 characters. */
const legal = /^[A-Za-z0-9._-]{1,200}$/;

/** @throws {TerraFusionError} INTERNAL for a name that a bus cannot hold: names are made by our own code, never typed. */
export function checkTopicName(topic: string): void {
  if (!legal.test(topic) || topic === '.' || topic === '..') {
    throw new TerraFusionError('INTERNAL', `"${topic}" cannot be a topic's name`);
  }
}

/** The topic is not there. */
export function topicMissing(topic: string, cause?: unknown): TerraFusionError {
  return new TerraFusionError('BUS_TOPIC_MISSING', `There is no topic "${topic}"`, { cause, details: { topic } });
}

/** Somebody holds an offset that the topic has not reached. */
export function offsetLost(topic: string, from: bigint, next: bigint): TerraFusionError {
  return new TerraFusionError(
    'BUS_OFFSET_LOST',
    `Topic "${topic}" ends before offset ${String(from)}: its next is ${String(next)}`,
    {
      details: { topic, from: String(from), next: String(next) },
    },
  );
}
