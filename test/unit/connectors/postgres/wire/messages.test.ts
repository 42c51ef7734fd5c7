import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCommandTag, readDataRow, readServerError, rowsOfTag } from '#connectors/postgres/wire/backend.ts';
import { Framer } from '#connectors/postgres/wire/framer.ts';
import { FrontendWriter } from '#connectors/postgres/wire/frontend.ts';

function messagesOf(bytes: Buffer): { readonly type: string; readonly body: Buffer }[] {
  const messages: { type: string; body: Buffer }[] = [];
  new Framer('target').push(bytes, (type, buf, start, end) =>
    messages.push({ type: String.fromCharCode(type), body: Buffer.from(buf.subarray(start, end)) }),
  );
  return messages;
}

describe('messages to the server', () => {
  test('the extended protocol, as the documentation of the protocol lays it out', () => {
    const writer = new FrontendWriter(8); // grows
    writer
      .parse('s', 'SELECT $1', [25])
      .bind('', 's', ['é', null, Buffer.from([1, 2])])
      .describeStatement('s')
      .execute('', 5);
    writer.closeStatement('s').flush().sync();
    expect(messagesOf(writer.take())).toEqual([
      { type: 'P', body: Buffer.from('s\0SELECT $1\0\0\x01\0\0\0\x19', 'latin1') },
      {
        type: 'B',
        body: Buffer.from('\0s\0\0\0\0\x03\0\0\0\x02\xc3\xa9\xff\xff\xff\xff\0\0\0\x02\x01\x02\0\0', 'latin1'),
      },
      { type: 'D', body: Buffer.from('Ss\0') },
      { type: 'E', body: Buffer.from('\0\0\0\0\x05', 'latin1') },
      { type: 'C', body: Buffer.from('Ss\0') },
      { type: 'H', body: Buffer.alloc(0) },
      { type: 'S', body: Buffer.alloc(0) },
    ]);
    expect(writer.byteLength).toBe(0);
  });

  test('copy data, whole and in pieces', () => {
    const writer = new FrontendWriter(4);
    writer.query('COPY t FROM STDIN').copyData(Buffer.from('xaby'), 1, 3);
    writer.beginCopyData().append(Buffer.from('c')).append(Buffer.from('xdx'), 1, 2).endCopyData();
    writer.copyDone().copyFail('why').terminate();
    expect(messagesOf(writer.take()).map(({ type, body }) => [type, body.toString()])).toEqual([
      ['Q', 'COPY t FROM STDIN\0'],
      ['d', 'ab'],
      ['d', 'cd'],
      ['c', ''],
      ['f', 'why\0'],
      ['X', ''],
    ]);
  });

  test('what cannot be said is refused, not cut', () => {
    expect(() => new FrontendWriter().query('a\0b')).toThrow(RangeError);
    expect(() => new FrontendWriter().endCopyData()).toThrow();
    expect(() => new FrontendWriter().beginCopyData().beginCopyData()).toThrow();
  });
});

describe('messages from the server', () => {
  test('an error with all its fields', () => {
    const body = Buffer.from('SFEHLER\0VERROR\0C23505\0Mno\0Ddetail\0spublic\0tt\0nkey\0\0');
    expect(readServerError(body, 0, body.length)).toMatchObject({
      message: 'no',
      severity: 'ERROR',
      code: '23505',
      detail: 'detail',
      schema: 'public',
      table: 't',
      constraint: 'key',
    });
  });

  test('arbitrary bytes make an error all the same', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(readServerError(Buffer.from(bytes), 0, bytes.length)).toBeInstanceOf(Error);
      }),
    );
  });

  test('command tags and their rows', () => {
    const body = Buffer.from('COPY 12\0');
    expect(readCommandTag(body, 0, body.length)).toBe('COPY 12');
    expect([rowsOfTag('COPY 12'), rowsOfTag('INSERT 0 5'), rowsOfTag('BEGIN'), rowsOfTag('')]).toEqual([12, 5, 0, 0]);
  });

  test('a row, and one that is cut short', () => {
    const body = Buffer.from('\0\x02\0\0\0\x01a\xff\xff\xff\xff', 'latin1');
    expect(readDataRow(body, 0, body.length)).toEqual(['a', null]);
    for (let end = 0; end < body.length; end++) expect(() => readDataRow(body, 0, end)).toThrow(RangeError);
  });
});
