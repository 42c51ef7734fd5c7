import fc from 'fast-check';
import { expect, test } from 'vitest';
import { highAt, lowAt, lsnAt, lsnOf } from '#connectors/postgres/source/message-reader.ts';

const bytesOf = (lsn: bigint): Buffer => {
  const bytes = Buffer.alloc(10);
  bytes.writeBigUInt64BE(lsn, 1);
  return bytes;
};

/** Around the powers of two where halves and doubles end, and anywhere. */
const lsns = fc.oneof(
  fc.bigInt(0n, 2n ** 63n - 1n),
  fc.tuple(fc.integer({ min: 0, max: 62 }), fc.bigInt(-2n, 2n)).map(([bits, more]) => {
    const lsn = 2n ** BigInt(bits) + more;
    return lsn < 0n ? 0n : lsn;
  }),
);

test('a WAL location is the same in one piece and in halves', () => {
  fc.assert(
    fc.property(lsns, (lsn) => {
      const bytes = bytesOf(lsn);
      expect(lsnAt(bytes, 1)).toBe(lsn);
      expect(lsnOf(highAt(bytes, 1), lowAt(bytes, 1))).toBe(lsn);
    }),
    { numRuns: 2000 },
  );
});

test('halves are ordered as the whole', () => {
  fc.assert(
    fc.property(lsns, lsns, (one, other) => {
      const [a, b] = [bytesOf(one), bytesOf(other)];
      const [highs, lows] = [highAt(a, 1) - highAt(b, 1), lowAt(a, 1) - lowAt(b, 1)];
      expect(Math.sign(highs === 0 ? lows : highs)).toBe(one < other ? -1 : one > other ? 1 : 0);
    }),
    { numRuns: 2000 },
  );
});

test('one of 64 bits is refused', () => {
  expect(() => lsnAt(bytesOf(2n ** 63n), 1)).toThrow('beyond 63 bits');
});
