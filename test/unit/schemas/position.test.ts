import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLsn, parseLsn } from '#schemas/lsn.ts';
import {
  before,
  comparePositions,
  endOf,
  formatPosition,
  LAST_ORDINAL,
  ORIGIN,
  parsePosition,
  type Position,
} from '#schemas/position.ts';
import { fuzzRuns } from '#test/support/fuzz.ts';
import { arbPosition } from './block-model.ts';

const arbLsn64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('a WAL location', () => {
  test('comes back as it was printed', () => {
    fc.assert(
      fc.property(arbLsn64, (lsn) => {
        expect(parseLsn(formatLsn(lsn))).toBe(lsn);
      }),
    );
  });

  test('prints as pg_lsn does', () => {
    expect(formatLsn(0x16b374d848n)).toBe('16/B374D848');
    expect(formatLsn(0n)).toBe('0/0');
    expect(parseLsn('16/b374d848')).toBe(0x16b374d848n);
  });

  test.each(['', '0', '0/', '/0', 'g/0', '0/0/0', '123456789/0', ' 0/0', '0/0\n'])('is not %j', (text) => {
    expect(() => parseLsn(text)).toThrow(RangeError);
  });
});

describe('a position', () => {
  test('comes back as it was printed', () => {
    fc.assert(
      fc.property(arbPosition, (position) => {
        fc.pre(position.generation < 1e9);
        expect(parsePosition(formatPosition(position))).toEqual(position);
      }),
    );
  });

  test('is ordered by generation, then commit, then ordinal', () => {
    const rank = ({ generation, commitLsn, ordinal }: Position): bigint =>
      (BigInt(generation) << 130n) + (commitLsn << 60n) + BigInt(ordinal);
    fc.assert(
      fc.property(arbPosition, arbPosition, (a, b) => {
        const expected = rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0;
        expect(Math.sign(comparePositions(a, b))).toBe(expected);
        expect(Math.sign(comparePositions(b, a))).toBe(expected === 0 ? 0 : -expected);
      }),
    );
  });

  test('has one order: whatever order they come in, they are sorted the same, and equal only when they are the same', () => {
    fc.assert(
      fc.property(fc.array(arbPosition, { maxLength: 12 }), fc.nat(), (positions, turn) => {
        const sorted = positions.toSorted(comparePositions);
        const turned = [...positions.slice(turn % 12), ...positions.slice(0, turn % 12)];
        expect(turned.toSorted(comparePositions).map(formatPosition)).toEqual(sorted.map(formatPosition));
        for (const [i, a] of sorted.entries()) {
          for (const b of sorted.slice(i)) {
            expect(comparePositions(a, b)).toBeLessThanOrEqual(0);
            expect(comparePositions(a, b) === 0).toBe(formatPosition(a) === formatPosition(b));
          }
        }
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('before a transaction and its end have all of its changes between them, and nothing else', () => {
    fc.assert(
      fc.property(arbPosition, fc.nat(), (other, ordinal) => {
        fc.pre(other.generation < 1e9 && other.commitLsn > 0n);
        const { generation, commitLsn } = other;
        const change = { generation, commitLsn, ordinal };
        expect(comparePositions(before(generation, commitLsn), change)).toBeLessThan(0);
        expect(comparePositions(change, endOf(generation, commitLsn))).toBeLessThan(0);
        expect(comparePositions(endOf(generation, commitLsn - 1n), before(generation, commitLsn))).toBeLessThan(0);
        expect(comparePositions(endOf(generation, commitLsn), before(generation + 1, 0n))).toBeLessThan(0);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('is read from its own form only: any other text is a RangeError', () => {
    const nearly = fc.stringMatching(/^[0-9a-fA-F:/.-]{0,24}$/);
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ unit: 'binary', maxLength: 30 })), (text) => {
        let position: Position;
        try {
          position = parsePosition(text);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          return;
        }
        expect(parsePosition(formatPosition(position))).toEqual(position);
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });

  test('leaves the ordinal out once the transaction is complete', () => {
    expect(formatPosition(endOf(1, 0x16b3748n))).toBe('1:0/16B3748');
    expect(formatPosition({ generation: 1, commitLsn: 0x16b3748n, ordinal: 42 })).toBe('1:0/16B3748:42');
    expect(parsePosition('1:0/16B3748')).toEqual(endOf(1, 0x16b3748n));
  });

  test('of a stream that begins at an LSN is before a transaction that commits exactly there', () => {
    const start = before(1, 100n);
    expect(comparePositions(start, { generation: 1, commitLsn: 100n, ordinal: 0 })).toBeLessThan(0);
    expect(comparePositions(start, endOf(1, 99n))).toBeGreaterThan(0);
    expect(parsePosition(formatPosition(start))).toEqual(start);
  });

  test('of the origin is before everything of the first generation', () => {
    expect(comparePositions(ORIGIN, before(1, 0n))).toBeLessThan(0);
    expect(LAST_ORDINAL).toBe(Number.MAX_SAFE_INTEGER);
  });

  test.each(['', '1', '1:', '1:0/0:', '1:0/0:-2', '-1:0/0', '1:0/0:1.5', '1:0/0:1234567890123456', '1:0/0 '])(
    'is not %j',
    (text) => {
      expect(() => parsePosition(text)).toThrow(RangeError);
    },
  );
});
