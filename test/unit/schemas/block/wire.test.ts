import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { putBigLong, putLong, WireReader } from '#schemas/block/wire.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('numbers on the wire', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const buf = Buffer.alloc(12);
        const end = putLong(buf, 1, value);
        const reader = new WireReader(buf, 1, end);
        expect(reader.long()).toBe(value);
        expect(reader.atEnd).toBe(true);
        expect(end - 1).toBeLessThanOrEqual(8);
      }),
    );
  });

  test('of 64 bits come back as they were written', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const buf = Buffer.alloc(12);
        const end = putBigLong(buf, 0, value);
        expect(new WireReader(buf, 0, end).bigLong()).toBe(value);
        expect(end).toBeLessThanOrEqual(10);
      }),
    );
    // Where the quick way by doubles ends.
    for (const edge of [2n ** 49n, 2n ** 52n, 2n ** 53n, 2n ** 56n]) {
      for (const value of [edge - 1n, edge, edge + 1n, -edge - 1n, -edge, -edge + 1n]) {
        const buf = Buffer.alloc(12);
        const end = putBigLong(buf, 0, value);
        const reader = new WireReader(buf, 0, end);
        expect(reader.bigLong()).toBe(value);
        expect(reader.pos).toBe(end);
      }
    }
  });

  test('are the same bytes by either way of writing', () => {
    const edges = [0, 1, -1, 63, 64, -64, -65, 2 ** 30 - 1, 2 ** 30, -(2 ** 30), -(2 ** 30) - 1, 2 ** 52, -(2 ** 52)];
    const limits = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
    for (const value of [...edges, ...limits]) {
      const a = Buffer.alloc(12);
      const b = Buffer.alloc(12);
      expect(putLong(a, 0, value)).toBe(putBigLong(b, 0, BigInt(value)));
      expect(a).toEqual(b);
      expect(new WireReader(a).long()).toBe(value);
    }
  });

  test('that are cut short, too long or too large are refused', () => {
    const read = (...bytes: number[]) => new WireReader(Buffer.from(bytes)).long();
    expect(() => read()).toThrow(RangeError);
    expect(() => read(0x80)).toThrow(RangeError);
    expect(() => read(...new Array<number>(11).fill(0x80), 0)).toThrow('more than 64 bits');
    const large = Buffer.alloc(10);
    putBigLong(large, 0, 2n ** 60n);
    expect(() => new WireReader(large).long()).toThrow('larger than a number');
  });

  test('never read past the end that was given', () => {
    const buf = Buffer.from([4, 0x61, 0x62, 0x63]);
    expect(new WireReader(buf, 0).string()).toBe('ab');
    expect(() => new WireReader(buf, 0, 2).string()).toThrow(RangeError);
    expect(() => new WireReader(buf, 4).byte()).toThrow(RangeError);
    expect(() => new WireReader(Buffer.from([1])).length()).toThrow(RangeError);
    expect(() => new WireReader(Buffer.from([2])).present()).not.toThrow();
    expect(() => new WireReader(Buffer.from([1])).present()).toThrow(RangeError);
    expect(() => new WireReader(Buffer.from([2])).boolean()).toThrow(RangeError);
  });
});
