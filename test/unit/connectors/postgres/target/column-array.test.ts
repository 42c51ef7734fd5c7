import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TEXT_OID, ColumnArray } from '#connectors/postgres/target/column-array.ts';

function decode(bytes: Buffer): (string | null)[] {
  const [dimensions, nulls, type, count, lower] = [0, 4, 8, 12, 16].map((at) => bytes.readInt32BE(at));
  expect({ dimensions, type, lower }).toEqual({ dimensions: 1, type: TEXT_OID, lower: 1 });
  const values: (string | null)[] = [];
  let pos = 20;
  for (let i = 0; i < count!; i++) {
    const length = bytes.readInt32BE(pos);
    pos += 4;
    values.push(length === -1 ? null : bytes.toString('utf8', pos, pos + Math.max(0, length)));
    pos += Math.max(0, length);
  }
  expect(pos).toBe(bytes.length);
  expect(nulls).toBe(values.includes(null) ? 1 : 0);
  return values;
}

test('holds any texts, and can be used again', () => {
  const array = new ColumnArray(32);
  const text = fc.oneof(
    fc.constant(null),
    fc.string({ unit: 'grapheme' }),
    fc.nat(100_000).map((n) => 'ü'.repeat(n)),
  );
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), (values) => {
      array.reset();
      for (const value of values) {
        if (value === null) array.addNull();
        else {
          const bytes = Buffer.from(`..${value}.`);
          array.add(bytes, 2, bytes.length - 1);
        }
      }
      array.finish();
      expect(array.count).toBe(values.length);
      expect(decode(array.bytes.subarray(0, array.length))).toEqual(values);
    }),
  );
});
