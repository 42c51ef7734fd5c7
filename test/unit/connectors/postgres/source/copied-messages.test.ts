import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopiedMessages } from '#connectors/postgres/source/copied-messages.ts';

const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const trailer = Buffer.from([0xff, 0xff]);

function row(value: Buffer): Buffer {
  const head = Buffer.alloc(6);
  head.writeInt16BE(1, 0);
  head.writeInt32BE(value.length, 2);
  return Buffer.concat([head, value]);
}

function collector(): {
  readonly copied: CopiedMessages;
  readonly seen: string[];
  readonly data: (bytes: Buffer) => void;
} {
  const seen: string[] = [];
  const copied = new CopiedMessages((buf, start, end) => void seen.push(buf.toString('hex', start, end)));
  // Messages lie anywhere in the socket's chunk.
  const data = (bytes: Buffer) => {
    const chunk = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
    copied.data(chunk, 6, 6 + bytes.length);
  };
  return { copied, seen, data };
}

test('every message of every COPY is handed over as it is, with the header before the first row or by itself (property)', () => {
  const message = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  const copy = fc.record({ messages: fc.array(message, { maxLength: 6 }), alone: fc.boolean() });
  fc.assert(
    fc.property(fc.array(copy, { maxLength: 4 }), (copies) => {
      const { copied, seen, data } = collector();
      for (const { messages, alone } of copies) {
        const rows = [...messages.map(row), trailer];
        if (alone) data(header);
        else rows[0] = Buffer.concat([header, rows[0]!]);
        for (const bytes of rows) data(bytes);
        expect(copied.messages).toBe(messages.length);
        copied.next();
      }
      expect(seen).toEqual(copies.flatMap(({ messages }) => messages.map((bytes) => bytes.toString('hex'))));
    }),
  );
});

test('an extension of the header is stepped over', () => {
  const { seen, data } = collector();
  const extended = Buffer.concat([header, Buffer.from('xyz')]);
  extended.writeUInt32BE(3, header.length - 4);
  data(Buffer.concat([extended, row(Buffer.from([1]))]));
  expect(seen).toEqual(['01']);
});

test.each([
  ['not a COPY', Buffer.from('SELECT 1 and some more'), /does not begin like one/],
  ['a header that does not end', Buffer.concat([header.subarray(0, -4), Buffer.from([0, 0, 0, 9])]), /does not end/],
  ['half a number', Buffer.concat([header, Buffer.from([0])]), /without its number of columns/],
  ['two columns', Buffer.concat([header, Buffer.from([0, 2, 0, 0, 0, 0])]), /2 columns/],
  ['NULL', Buffer.concat([header, Buffer.from([0, 1, 255, 255, 255, 255])]), /another length/],
  ['a value cut short', Buffer.concat([header, row(Buffer.from('long')).subarray(0, -1)]), /another length/],
])('%s is SOURCE_PROTOCOL', (_, bytes, message) => {
  const { data } = collector();
  expect(() => {
    data(bytes);
  }).toThrow(
    expect.objectContaining({ code: 'SOURCE_PROTOCOL', message: expect.stringMatching(message) as string }) as Error,
  );
});

test('no bytes make it hang or fail otherwise (property)', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, valid) => {
      const { data } = collector();
      try {
        data(valid ? Buffer.concat([header, bytes]) : Buffer.from(bytes));
      } catch (error) {
        expect(error).toMatchObject({ code: 'SOURCE_PROTOCOL' });
      }
    }),
  );
});
