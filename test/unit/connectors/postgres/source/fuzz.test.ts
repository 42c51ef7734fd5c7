import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SourceBlock } from '#connectors/contract/source.ts';
import { PgoutputDecoder } from '#connectors/postgres/source/pgoutput.ts';
import { Framer } from '#connectors/postgres/wire/framer.ts';
import { BlockReader, type CellFormat, readRow } from '#schemas/block/index.ts';
import { before, comparePositions } from '#schemas/position.ts';
import { damage, damaged, FUZZ_TIMEOUT, fuzzRuns, withinBounds } from '#test/support/fuzz.ts';
import * as pgoutput from './messages.ts';

/** The second: a type of which only the text is known. */
const codes = ['SOURCE_PROTOCOL', 'SOURCE_DISCONNECTED'] as const;
const BLOCK_BYTES = 200;

/** A decoder, and what it has closed. */
function decoderOf(format: CellFormat): { readonly decoder: PgoutputDecoder; readonly blocks: SourceBlock[] } {
  const blocks: SourceBlock[] = [];
  const decoder = new PgoutputDecoder({
    format,
    sourceId: 's',
    generation: 1,
    from: before(1, 0n),
    builtinTypes: new Map([[25, 'text']]),
    blockBytes: BLOCK_BYTES,
    onBlock: (block) => blocks.push(block),
  });
  return { decoder, blocks };
}

/** Blocks that were closed before something went wrong are whole, and follow one on the other. */
function expectWhole(blocks: readonly SourceBlock[]): void {
  let after = before(1, 0n);
  for (const { bytes, last } of blocks) {
    const reader = BlockReader.open(bytes);
    expect(comparePositions(reader.header.after, after)).toBe(0);
    while (reader.nextTransaction()) {
      while (reader.nextChange()) {
        if (reader.beforeStart >= 0) readRow(reader.bytes, reader.beforeStart);
        if (reader.afterStart >= 0) readRow(reader.bytes, reader.afterStart);
      }
    }
    after = last;
  }
}

const given = fc.oneof(fc.string({ maxLength: 30 }), fc.uint8Array({ maxLength: 30 }));
const cell = fc.option(given, { nil: undefined });
const value = fc.option(given, { nil: null });
const format = fc.constantFrom<CellFormat[]>('text', 'binary');
/** What a server may say within a transaction, of table 1 with two columns. */
const said = fc.oneof(
  fc.tuple(value, value).map((row) => pgoutput.insert(1, row)),
  fc.tuple(value, cell).map((row) => pgoutput.update(1, row)),
  fc.tuple(value, cell).map((row) => pgoutput.update(1, row, { kind: 'K', row: ['1', null] })),
  fc.tuple(value, value).map((row) => pgoutput.remove(1, { kind: 'O', row })),
  fc.constantFrom(1, 2, 3).map((options) => pgoutput.truncate([1, 1], options)),
  fc.uint8Array({ maxLength: 40 }).map((content) => pgoutput.message('p', content)),
  fc.constant(pgoutput.type(16_500, 's', 'kind')),
  fc.tuple(fc.constantFrom('d', 'f', 'n'), fc.constantFrom(16_500, 20, 25)).map(([identity, type]) =>
    pgoutput.relation(
      1,
      [
        { name: 'id', key: true },
        { name: 'name', type },
      ],
      { identity },
    ),
  ),
);
const stream = fc.array(fc.array(said, { maxLength: 6 }), { minLength: 1, maxLength: 5 }).map((transactions) => [
  pgoutput.relation(1, [{ name: 'id', key: true }, { name: 'name' }]),
  ...transactions.flatMap((changes, i) => {
    const lsn = BigInt(100 * (i + 1));
    return [pgoutput.begin(lsn), ...changes, pgoutput.commit(lsn)];
  }),
]);

describe('whatever a source sends (Promise 6)', () => {
  test(
    'messages that were damaged: a code, in time, and no memory for what is only announced',
    () => {
      const place = fc.tuple(fc.nat(), fc.array(damage, { minLength: 1, maxLength: 3 }));
      fc.assert(
        fc.property(stream, format, fc.array(place, { minLength: 1, maxLength: 3 }), (messages, how, places) => {
          const sent = [...messages];
          for (const [nth, changes] of places) sent[nth % sent.length] = damaged(sent[nth % sent.length]!, changes);
          const { decoder, blocks } = decoderOf(how);
          const size = sent.reduce((sum, { length }) => sum + length, 0);
          withinBounds(codes, () => {
            for (const message of sent) {
              decoder.message(message, 0, message.length);
              expect(decoder.openBytes).toBeLessThan(BLOCK_BYTES + 10 * size + 1000);
            }
          });
          expectWhole(blocks);
        }),
        { numRuns: fuzzRuns(1000) },
      );
    },
    FUZZ_TIMEOUT,
  );

  test(
    'a connection whose bytes were damaged, in any chunks',
    () => {
      fc.assert(
        fc.property(
          stream,
          format,
          fc.array(damage, { minLength: 1, maxLength: 4 }),
          fc.integer({ min: 1, max: 400 }),
          (messages, how, changes, chunk) => {
            const framed = messages.map((message) => {
              const head = Buffer.alloc(5);
              head[0] = 0x64;
              head.writeUInt32BE(message.length + 4, 1);
              return Buffer.concat([head, message]);
            });
            const bytes = damaged(Buffer.concat(framed), changes);
            const { decoder, blocks } = decoderOf(how);
            const framer = new Framer('source');
            withinBounds(codes, () => {
              for (let at = 0; at < bytes.length; at += chunk) {
                framer.push(Buffer.from(bytes.subarray(at, at + chunk)), (_type, buf, start, end) => {
                  decoder.message(buf, start, end);
                });
              }
            });
            expect(framer.waiting).toBeLessThanOrEqual(bytes.length);
            expectWhole(blocks);
          },
        ),
        { numRuns: fuzzRuns(1000) },
      );
    },
    FUZZ_TIMEOUT,
  );

  /** The message with this number in place of the four bytes there. */
  const claiming = (message: Buffer, at: number, count: number): Buffer => {
    const bytes = Buffer.from(message);
    bytes.writeUInt32BE(count, at);
    return bytes;
  };

  test.each([0x7fff_ffff, 0x8000_0000, 0xffff_ffff])('a length or a count of %i that does not come', (count) => {
    const insert = pgoutput.insert(1, ['1', 'abc']);
    const messages = [
      // The length of a value, the number of tables, the length of a content.
      claiming(insert, insert.length - 7, count),
      claiming(pgoutput.truncate([1]), 1, count),
      claiming(pgoutput.message('p', Buffer.from('abc')), 12, count),
    ];
    for (const message of messages) {
      const { decoder } = decoderOf('text');
      const relation = pgoutput.relation(1, [{ name: 'id', key: true }, { name: 'name' }]);
      const begin = pgoutput.begin(100n);
      for (const good of [relation, begin]) decoder.message(good, 0, good.length);
      expect(
        withinBounds(codes, () => {
          decoder.message(message, 0, message.length);
        }),
      ).toBe('SOURCE_PROTOCOL');
    }
  });
});
