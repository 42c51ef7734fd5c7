import fc from 'fast-check';
import { expect, test } from 'vitest';
import { binaryFormOf, BlockReader, binaryTypes, textOf, textual } from '#schemas/block/index.ts';
import { FUZZ_TIMEOUT, fuzzRuns, withinBounds } from '#test/support/fuzz.ts';
import { arbBlock, write } from '../block-model.ts';

const codes = ['BLOCK_CORRUPT'] as const;
const types = binaryTypes().filter((oid) => binaryFormOf(oid) !== undefined);

test(
  'any bytes as a value of any type: a code, or a text within the room that was asked for',
  () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // Those that some type takes: 1, 2, 4, 8, 16 bytes; a numeric of n digits.
      fc.constantFrom(1, 2, 4, 8, 16).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
      fc
        .tuple(
          fc.integer({ min: -32_768, max: 32_767 }),
          fc.constantFrom(0, 0x4000, 0xc000, 0xd000, 0xf000, 1),
          fc.integer({ min: 0, max: 0xffff }),
          fc.array(fc.integer({ min: 0, max: 10_001 }), { maxLength: 6 }),
        )
        .map(([weight, sign, scale, digits]) => {
          const value = Buffer.alloc(8 + digits.length * 2);
          value.writeInt16BE(digits.length, 0);
          value.writeInt16BE(weight, 2);
          value.writeUInt16BE(sign, 4);
          value.writeUInt16BE(scale, 6);
          digits.forEach((digit, i) => value.writeUInt16BE(digit, 8 + i * 2));
          return value;
        }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...types), bytes, (oid, value) => {
        const form = binaryFormOf(oid)!;
        const src = Buffer.concat([Buffer.from('x'), value, Buffer.from('y')]);
        withinBounds(codes, () => {
          const most = form.most(src, 1, src.length - 1);
          const out = Buffer.alloc(most + 8, 0xee);
          const end = form.put(src, 1, src.length - 1, out, 0);
          expect(end).toBeLessThanOrEqual(most);
          expect(out.subarray(most).every((byte) => byte === 0xee)).toBe(true);
          expect(textOf(form, src, 1, src.length - 1)).toBe(out.toString('utf8', 0, end));
        });
      }),
      { numRuns: fuzzRuns(5000) },
    );
  },
  FUZZ_TIMEOUT,
);

test('a block without anything in binary is its own text', () => {
  fc.assert(
    fc.property(arbBlock, (block) => {
      const text = {
        ...block,
        tables: block.tables.map((table) => ({
          ...table,
          columns: table.columns.map((column) => ({ ...column, format: 'text' as const })),
        })),
      };
      const bytes = write(text);
      expect(textual(bytes)).toBe(bytes);
      expect(BlockReader.open(bytes).header.tables).toEqual(text.tables);
    }),
    { numRuns: fuzzRuns(200) },
  );
});
