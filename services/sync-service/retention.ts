import type { Bus } from '#services/kernel/bus/port.ts';

/**
 * Lets a source's topic forget what no pair needs any more: everything below the lowest offset any of them goes on from.
 * The bus keeps the last block whatever we say: it is the reader's checkpoint.
 *
 * @param needed one entry a pair of the source; undefined for a pair that will choose its start at the topic's end
 */
export async function trimTopic(bus: Bus, topic: string, needed: readonly (bigint | undefined)[]): Promise<void> {
  const { first, next } = await bus.range(topic);
  const lowest = needed.reduce<bigint>(
    (least, offset) => (offset !== undefined && offset < least ? offset : least),
    next,
  );
  if (lowest > first) await bus.truncateBefore(topic, lowest);
}
