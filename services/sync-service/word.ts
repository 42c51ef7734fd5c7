import type { PairState } from '#schemas/pairs.ts';

/** What is said of a pair: its state, and the code of the trouble it is in. */
export interface Word {
  readonly state: PairState;
  readonly code: string | undefined;
}

/**
 * Whether a pair's writer has to say how it is. On Kafka the pair's stream processor tells its troubles at the same place, and takes back
 * no more than them: then nobody but the writer, which had no part in it, knows that the pair streams. (Promise 9)
 * @param told by this writer, last
 * @param stands said last, by anybody; undefined where nobody else says anything
 */
export function isToSay(mine: Word, told: Word | undefined, stands: Word | undefined): boolean {
  if (!isSame(mine, told)) return true;
  return stands?.state === 'catching_up' && stands.code === undefined && !isSame(mine, stands);
}

function isSame(one: Word, other: Word | undefined): boolean {
  return one.state === other?.state && one.code === other.code;
}
