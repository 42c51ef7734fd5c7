import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import { before, endOf, formatPosition, LAST_ORDINAL, type Position } from '#schemas/position.ts';

/*
 * What is acknowledged to the source, and how to go on from it. Records of WAL begin at multiples of 4 at least (8 on today's machines),
 * and the server compares an acknowledged location with where commit records begin. That leaves two bits to tell our
 * acknowledgements apart, at no cost (decision record 0001):
 *
 *   commit + 1   the transaction whose commit record begins at `commit` is durable, and nothing after it
 *   commit       everything before the transaction is durable; of itself perhaps a part
 *   end - 2      the WAL up to `end` holds nothing for us (only where we may not write heartbeats)
 *
 * So at the next start the slot's location tells exactly whether it has forgotten what our topic lacks: a topic that lost its
 * end (a restored backup of our machine) is found out instead of leaving a silent gap. (Promise 2)
 */

/** What to acknowledge once everything up to `position` is durable. (Promise 1) */
export function acknowledgementOf(position: Position): Lsn {
  return position.ordinal === LAST_ORDINAL ? position.commitLsn + 1n : position.commitLsn;
}

/** What to acknowledge when the WAL up to `end` holds nothing for us and all before is durable. */
export function idleAcknowledgement(end: Lsn): Lsn {
  return (end & ~3n) - 2n;
}

export interface ResumeRequest {
  readonly generation: number;
  /** What is stored durably; undefined: nothing. */
  readonly after: Position | undefined;
  /** Where the slot stands. */
  readonly confirmed: Lsn;
}

export interface ResumePoint {
  /** The first block continues from here. */
  readonly from: Position;
  /** Where to have the source begin. */
  readonly start: Lsn;
}

/**
 * Where to go on.
 * @throws {TerraFusionError} SOURCE_HISTORY_LOST when the slot stands beyond what is stored
 */
export function resumePoint({ generation, after, confirmed }: ResumeRequest): ResumePoint {
  const mark = confirmed & 3n;
  if (after === undefined) {
    const from = mark === 1n ? endOf(generation, confirmed - 1n) : before(generation, confirmed);
    return { from, start: confirmed };
  }
  const start = acknowledgementOf(after);
  if (confirmed <= start) return { from: after, start };
  const partial = after.ordinal !== LAST_ORDINAL && after.ordinal !== -1;
  if (mark === 2n && !partial) return { from: after, start: confirmed };
  throw new TerraFusionError(
    'SOURCE_HISTORY_LOST',
    `The slot stands at ${formatLsn(confirmed)}, beyond ${formatPosition(after)}, which is the last that is stored: ` +
      'the stored changes have lost their end, or somebody else has read from the slot',
    { details: { confirmed: formatLsn(confirmed), stored: formatPosition(after) } },
  );
}
