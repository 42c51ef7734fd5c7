/** Topic of what a source sent, as it came: written by its reader. */
export const changesTopic = (sourceId: string): string => `changes.${sourceId}`;

/** Topic of what a pair's stream processor made of it, ready for the writer (Kafka only; the embedded bus hands over directly). */
export const readyTopic = (pairId: string): string => `ready.${pairId}`;

/** Mirror of a pair's dead letters for Kafka users. */
export const deadLettersTopic = (pairId: string): string => `dead-letters.${pairId}`;
