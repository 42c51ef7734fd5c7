import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PieceSink } from '#connectors/postgres/source/piece-sink.ts';

const SIZE = 256 * 1024;
/** Messages of so many bytes, and after which of them somebody comes to take what there is. */
const messages = fc.array(
  fc.record({
    length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(SIZE - 1, SIZE, SIZE + 1, 3 * SIZE)),
    taken: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

describe.each(['text', 'binary'] as const)('rows of a COPY in %s', (format) => {
  test('whatever their sizes and whenever they are taken: all bytes in order, every row told once and none before it has ended', () => {
    fc.assert(
      fc.property(messages, (all) => {
        const sink = new PieceSink(format);
        const sent: Buffer[] = [];
        const taken: Buffer[] = [];
        let rows = 0;
        const take = (rest: boolean): void => {
          for (let piece = sink.take(rest); piece !== undefined; piece = sink.take(rest)) {
            taken.push(Buffer.from(piece.bytes));
            // Nobody but the taker has the bytes until it asks for more; what it leaves in them is in nobody's way.
            piece.bytes.fill(0xff);
            rows += piece.rows;
          }
        };
        all.forEach(({ length, taken: now }, i) => {
          // The bytes are the sink's only until it returns.
          const shared = Buffer.alloc(length + 2, i + 1);
          sent.push(Buffer.from(shared.subarray(1, length + 1)));
          sink.row(shared, 1, length + 1);
          shared.fill(0);
          if (now) take(false);
          expect(rows).toBeLessThanOrEqual(format === 'binary' ? i : i + 1);
        });
        take(true);
        expect(Buffer.concat(taken).equals(Buffer.concat(sent))).toBe(true);
        expect(rows).toBe(format === 'binary' ? all.length - 1 : all.length);
        expect(sink.bytes).toBe(0);
      }),
    );
  });
});

test('Promise 6: pieces are about 256 KiB, whatever comes', () => {
  const sink = new PieceSink('binary');
  const row = Buffer.alloc(1000, 1);
  const sizes: number[] = [];
  for (let i = 0; i < 2000; i++) {
    sink.row(row, 0, row.length);
    const piece = sink.take(false);
    if (piece !== undefined) sizes.push(piece.bytes.length);
  }
  expect(sizes.length).toBeGreaterThan(5);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(SIZE);
  expect(Math.min(...sizes)).toBeGreaterThan(SIZE - 1001);
});

test('Promise 4: a piece is the taker’s until the next one is asked for, whatever comes meanwhile; then its buffer is used again (Promise 6)', () => {
  const sink = new PieceSink('text');
  const buffers = new Set<ArrayBufferLike>();
  let pieces = 0;
  const add = (rows: number, byte: number): void => {
    const row = Buffer.alloc(1000, byte);
    for (let n = 0; n < rows; n++) sink.row(row, 0, row.length);
  };
  for (let round = 0; round < 100; round++) {
    add(600, round);
    for (let piece = sink.take(false); piece !== undefined; piece = sink.take(false)) {
      const asTaken = Buffer.from(piece.bytes);
      pieces += 1;
      buffers.add(piece.bytes.buffer);
      // More than one piece comes while the taker works on the first of a round.
      add(piece.bytes[0] === round ? 20 : 300, round);
      expect(piece.bytes.equals(asTaken)).toBe(true);
    }
  }
  expect(pieces).toBeGreaterThan(200);
  expect(buffers.size).toBeLessThan(10);
});
