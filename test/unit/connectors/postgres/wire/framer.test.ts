import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Framer } from '#connectors/postgres/wire/framer.ts';

interface Message {
  readonly type: number;
  readonly body: Buffer;
}

const message = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

function encode({ type, body }: Message): Buffer {
  const header = Buffer.alloc(5);
  header[0] = type;
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** Cuts the bytes at these places, in any order. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => Buffer.from(bytes.subarray(start, at[i] ?? bytes.length)));
}

function collect(framer: Framer, chunks: readonly Buffer[]): Message[] {
  const messages: Message[] = [];
  for (const chunk of chunks) {
    framer.push(chunk, (type, buf, start, end) => messages.push({ type, body: Buffer.from(buf.subarray(start, end)) }));
    chunk.fill(0xff); // The framer must not rely on a chunk it has returned.
  }
  return messages;
}

describe('cutting bytes into messages', () => {
  test('however the bytes come, the messages are the same', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 30 }), (messages, places) => {
        const framer = new Framer('source');
        expect(collect(framer, cut(Buffer.concat(messages.map(encode)), places))).toEqual(messages);
        expect(framer.waiting).toBe(0);
      }),
    );
  });

  test('one byte at a time', () => {
    const messages = [
      { type: 1, body: Buffer.from('abc') },
      { type: 2, body: Buffer.alloc(0) },
    ];
    const bytes = Buffer.concat(messages.map(encode));
    expect(
      collect(
        new Framer('source'),
        [...bytes].map((byte) => Buffer.from([byte])),
      ),
    ).toEqual(messages);
  });

  test('a message of many chunks, and small ones after it', () => {
    const messages = [
      { type: 100, body: Buffer.alloc(3_000_000, 'x') },
      { type: 101, body: Buffer.from('after') },
    ];
    const bytes = Buffer.concat(messages.map(encode));
    const chunks = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) =>
      Buffer.from(bytes.subarray(i * 65_536, (i + 1) * 65_536)),
    );
    const got = collect(new Framer('source'), chunks);
    expect(got.map(({ type }) => type)).toEqual([100, 101]);
    expect(got.every(({ body }, i) => body.equals(messages[i]!.body))).toBe(true);
  });

  test.each([0, 3, 0x4000_0001, 0xffff_ffff])('a length of %i is refused', (length) => {
    const bytes = Buffer.alloc(5);
    bytes.writeUInt32BE(length, 1);
    expect(() => collect(new Framer('source'), [bytes])).toThrow(expect.objectContaining({ code: 'SOURCE_PROTOCOL' }));
    expect(() => collect(new Framer('source'), [Buffer.from(bytes.fill(0).subarray(0, 2)), Buffer.alloc(9)])).toThrow();
  });

  test('an announced length is not allocated (Promise 6)', () => {
    const chunk = Buffer.alloc(100_000);
    chunk[0] = 0x77;
    chunk.writeUInt32BE(0x3fff_ffff, 1);
    const framer = new Framer('source');
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 5; i++) framer.push(chunk, () => undefined);
    expect(framer.waiting).toBe(500_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  test('arbitrary bytes: messages or SOURCE_PROTOCOL, and no more held than was sent', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }), (chunks) => {
        const framer = new Framer('source');
        let sent = 0;
        try {
          for (const chunk of chunks) {
            sent += chunk.length;
            framer.push(Buffer.from(chunk), () => undefined);
            expect(framer.waiting).toBeLessThanOrEqual(sent);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'SOURCE_PROTOCOL' });
        }
      }),
    );
  });
});
