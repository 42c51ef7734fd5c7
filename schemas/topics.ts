/** Topic of what a source sent, as it came: written by its reader. */
export const changesTopic = (sourceId: string): string => `changes.${sourceId}`;

/**
 * Topic of what a pair's stream processor made of it, ready for the writer (Kafka only; the embedded bus hands over directly).
 * Each load of the pair begins a topic of its own, so that nothing processed before it can follow it.
 */
export const readyTopic = (pairId: string, load: number): string => `ready.${pairId}.${load}`;

/** Mirror of a pair's dead letters for Kafka users. */
export const deadLettersTopic = (pairId: string): string => `dead-letters.${pairId}`;
