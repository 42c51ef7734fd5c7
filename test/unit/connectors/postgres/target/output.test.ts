import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeCopyLine } from '#connectors/postgres/target/copy-lines.ts';
import { type Outlet, Output } from '#connectors/postgres/target/output.ts';
import { ColumnArray } from '#connectors/postgres/target/column-array.ts';
import { CellCursor } from '#schemas/block/index.ts';
import { RowBytes } from './support.ts';

/** A socket that holds on to what it is given until it is drained. */
class SlowOutlet implements Outlet {
  readonly #held: Uint8Array[] = [];
  readonly sent: Buffer[] = [];
  #slow = false;

  get bytesToWrite(): number {
    return this.#held.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  write(bytes: Uint8Array): boolean {
    this.#held.push(bytes);
    if (!this.#slow) this.drain();
    return !this.#slow;
  }

  drain(): void {
    for (const bytes of this.#held.splice(0)) this.sent.push(Buffer.from(bytes));
  }

  slow(slow: boolean): void {
    this.#slow = slow;
    if (!slow) this.drain();
  }
}

const act = fc.oneof(
  fc.record({ kind: fc.constant('copy' as const), rows: fc.nat(200), size: fc.nat(2000) }),
  fc.record({ kind: fc.constant('arrays' as const), rows: fc.integer({ min: 1, max: 200 }), size: fc.nat(3000) }),
  fc.record({ kind: fc.constant('texts' as const), rows: fc.nat(3), size: fc.nat(300_000) }),
  fc.record({ kind: fc.constant('bytes' as const), size: fc.oneof(fc.nat(300), fc.nat(500_000)) }),
  fc.record({ kind: fc.constant('slow' as const) }),
  fc.record({ kind: fc.constant('fast' as const) }),
  fc.record({ kind: fc.constant('drain' as const) }),
  fc.record({ kind: fc.constant('flush' as const) }),
);

test('whatever the socket holds back, every message leaves whole, in order and unchanged', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const outlet = new SlowOutlet();
      const output = new Output(outlet);
      const expected: string[] = [];
      let n = 0;
      for (const one of acts) {
        n++;
        if (one.kind === 'slow' || one.kind === 'fast') outlet.slow(one.kind === 'slow');
        else if (one.kind === 'drain') outlet.drain();
        else if (one.kind === 'flush') output.flush();
        else if (one.kind === 'copy') {
          const rows = new RowBytes(Array.from({ length: one.rows }, (_, i) => [`${n}.${i}`, 'x'.repeat(one.size)]));
          const cells = new CellCursor(rows.bytes);
          output.beginCopyData();
          for (const at of rows.at) writeCopyLine(output, rows.bytes, cells, at, { skipped: undefined, forms: [] });
          output.endCopyData();
          output.copyDone();
          expected.push(`d${rows.at.map((_, i) => `${n}.${i}\t${'x'.repeat(one.size)}\n`).join('')}`, 'c');
        } else if (one.kind === 'bytes') {
          const bytes = Buffer.alloc(one.size, `${n}.`);
          expected.push(`d${bytes.toString()}`, 'c');
          output.copyBytes(bytes);
          output.copyDone();
          bytes.fill(0);
        } else if (one.kind === 'arrays') {
          const array = new ColumnArray();
          for (let i = 0; i < one.rows; i++)
            array.add(Buffer.from(`${n}.${i}${'y'.repeat(one.size)}`), 0, `${n}.${i}`.length + one.size);
          array.finish();
          output.bindArrays(`s${n}`, [array, array], n);
          expected.push(`B\0s${n}`);
        } else {
          output.parse(`s${n}`, `SELECT '${'ü'.repeat(one.size / 10)}'`, one.rows, true);
          output.bindTexts(
            `s${n}`,
            Array.from({ length: one.rows }, (_, i) => (i === 1 ? null : 'é'.repeat(one.size))),
          );
          output.execute();
          output.sync();
          expected.push(`Ps${n}`, `B\0s${n}`, 'E', 'S');
        }
      }
      output.flush();
      outlet.drain();
      const messages = gathered(Buffer.concat(outlet.sent));
      expect(messages.length).toBe(expected.length);
      messages.forEach((message, i) => {
        const wanted = expected[i]!;
        const whole = wanted.startsWith('d');
        expect(whole ? message : message.slice(0, wanted.length)).toBe(wanted);
      });
    }),
    { numRuns: 100 },
  );
});

/** Type and body of each message; consecutive CopyData as one. */
function gathered(bytes: Buffer): string[] {
  const messages: string[] = [];
  let pos = 0;
  while (pos < bytes.length) {
    const end = pos + 1 + bytes.readInt32BE(pos + 1);
    const type = String.fromCharCode(bytes[pos]!);
    const body = bytes.toString('latin1', pos + 5, end);
    if (type === 'd' && messages.at(-1)?.startsWith('d') === true) messages.push(messages.pop()! + body);
    else messages.push(type + body);
    pos = end;
  }
  expect(pos).toBe(bytes.length);
  return messages;
}
