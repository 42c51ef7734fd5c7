import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acknowledgementOf, idleAcknowledgement, resumePoint } from '#connectors/postgres/source/resume.ts';
import { before, endOf, LAST_ORDINAL, type Position } from '#schemas/position.ts';

const lost = expect.objectContaining({ code: 'SOURCE_HISTORY_LOST' }) as Error;

/** Where a record may begin: at multiples of 4 on the odd machine, of 8 on most. */
const recordStart = fc.bigInt({ min: 10n, max: 1n << 50n }).map((n) => n * 4n);
const ordinal = fc.oneof(fc.constant(LAST_ORDINAL), fc.nat(), fc.constant(-1));
const position: fc.Arbitrary<Position> = fc.record({ generation: fc.constant(3), commitLsn: recordStart, ordinal });

/** Whether the source still sends the commit at `lsn` to one who begins at `start`: the rule of the server. */
const isSent = (lsn: bigint, start: bigint) => lsn >= start;

describe('what is acknowledged', () => {
  test('Promise 1: nothing that is not stored', () => {
    fc.assert(
      fc.property(position, recordStart, (stored, commit) => {
        const held = commit < stored.commitLsn || (commit === stored.commitLsn && stored.ordinal === LAST_ORDINAL);
        expect(isSent(commit, acknowledgementOf(stored))).toBe(!held);
      }),
    );
  });

  test('an idle source acknowledges no commit that may still come: one could begin exactly at the end of WAL', () => {
    fc.assert(
      fc.property(recordStart, (end) => {
        expect(isSent(end, idleAcknowledgement(end))).toBe(true);
        expect(isSent(end - 4n, idleAcknowledgement(end))).toBe(false);
      }),
    );
  });
});

describe('where to go on', () => {
  test('what was acknowledged is never a reason to halt, and the start neither repeats nor skips a whole transaction', () => {
    fc.assert(
      fc.property(position, position, (one, other) => {
        const [earlier, later] = acknowledgementOf(one) <= acknowledgementOf(other) ? [one, other] : [other, one];
        const confirmed = acknowledgementOf(earlier);
        const { from, start } = resumePoint({ generation: 3, after: later, confirmed });
        expect(from).toEqual(later);
        expect(isSent(later.commitLsn, start)).toBe(later.ordinal !== LAST_ORDINAL);
      }),
    );
  });

  test('Promise 2: a slot that stands beyond what is stored is never gone on with', () => {
    fc.assert(
      fc.property(position, position, (stored, acknowledged) => {
        fc.pre(acknowledgementOf(acknowledged) > acknowledgementOf(stored));
        const confirmed = acknowledgementOf(acknowledged);
        expect(() => resumePoint({ generation: 3, after: stored, confirmed })).toThrow(lost);
      }),
    );
  });

  test('nothing stored: from where the slot stands, be it after a transaction or where it was made', () => {
    expect(resumePoint({ generation: 3, after: undefined, confirmed: 0x1000n })).toEqual({
      from: before(3, 0x1000n),
      start: 0x1000n,
    });
    expect(resumePoint({ generation: 3, after: undefined, confirmed: 0x1001n })).toEqual({
      from: endOf(3, 0x1000n),
      start: 0x1001n,
    });
  });

  test('quiet WAL that was acknowledged as such is no gap, unless a transaction was half stored', () => {
    const confirmed = idleAcknowledgement(0x2000n);
    expect(resumePoint({ generation: 3, after: endOf(3, 0x1000n), confirmed })).toEqual({
      from: endOf(3, 0x1000n),
      start: confirmed,
    });
    const half = { generation: 3, commitLsn: 0x1000n, ordinal: 7 };
    expect(() => resumePoint({ generation: 3, after: half, confirmed })).toThrow(lost);
  });

  test('somebody else has read from the slot', () => {
    expect(() => resumePoint({ generation: 3, after: endOf(3, 0x1000n), confirmed: 0x1048n })).toThrow(
      /0\/1048.*3:0\/1000/,
    );
  });
});
