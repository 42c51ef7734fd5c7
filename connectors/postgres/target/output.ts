import { LastView } from '#schemas/block/view.ts';
import { Frontend } from '../wire/protocol.ts';
import type { ColumnArray } from './column-array.ts';

/** Where the messages go: a `RawConnection`. */
export interface Outlet {
  write(bytes: Uint8Array): boolean;
  /** Bytes written that have not left yet. */
  readonly bytesToWrite: number;
}

/** Bytes of a piece: large enough that a system call costs nothing beside it, small enough that the server can begin early. */
const PIECE = 128 * 1024;
/** Pieces that are kept for the next use. (Promise 6) */
const KEPT_PIECES = 48;
const INT8_OID = 20;

/**
 * Messages to the server, built in pieces that are used again once the socket has let go of them: no object and no string a row.
 * Nothing leaves before a piece is full or `flush` is called.
 */
export class Output {
  readonly #outlet: Outlet;
  /** The piece in hand. Written in place by `writeCopyLine`, which takes the room for it by `copyRoom`. */
  buf: Buffer = Buffer.allocUnsafeSlow(PIECE);
  pos = 0;
  readonly #view = new LastView();
  readonly #source = new LastView();
  /** Where the length of the open CopyData message belongs, -1 when none is open. */
  #copyAt = -1;
  #free: Buffer[] = [];
  #lent: Buffer[] = [];

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** The piece in hand, for more than a byte at a time. */
  get view(): DataView {
    return this.#view.of(this.buf);
  }

  /** The same of the buffer that rows come from. */
  sourceView(bytes: Buffer): DataView {
    return this.#source.of(bytes);
  }

  /** Gives what is built to the socket. */
  flush(): void {
    if (this.pos > 0) this.#next(PIECE);
  }

  /** @param arrays how many parameters are arrays, each with a cast; @param counted whether a bigint follows them; all others are inferred by the server */
  parse(name: string, sql: string, arrays: number, counted: boolean): void {
    const length = Buffer.byteLength(sql);
    this.#need(name.length + length + arrays * 4 + 32);
    const at = this.#begin(Frontend.parse);
    this.#cstring(name);
    this.pos += this.buf.write(sql, this.pos);
    this.buf[this.pos++] = 0;
    this.#int16(arrays + (counted ? 1 : 0));
    // Of what type they are each statement says itself.
    for (let i = 0; i < arrays; i++) this.#int32(0);
    if (counted) this.#int32(INT8_OID);
    this.#end(at);
  }

  closeStatement(name: string): void {
    this.#need(name.length + 16);
    const at = this.#begin(Frontend.close);
    this.buf[this.pos++] = 0x53; // S: a statement
    this.#cstring(name);
    this.#end(at);
  }

  /**
   * Binds to the unnamed portal: arrays as binary parameters, and the count after them when given. The arrays are copied, over as
   * many pieces as they need.
   */
  bindArrays(name: string, arrays: readonly ColumnArray[], count: number | undefined): void {
    // Length, portal, statement, two format codes, number of parameters, at the end the results' format.
    let length = 4 + 1 + name.length + 1 + 4 + 2 + 2 + (count === undefined ? 0 : 12);
    for (const array of arrays) length += 4 + array.length;
    this.#need(name.length + 32);
    this.buf[this.pos++] = Frontend.bind;
    this.#int32(length);
    this.#cstring('');
    this.#cstring(name);
    this.#int16(1); // one format code for all parameters,
    this.#int16(1); // binary
    this.#int16(arrays.length + (count === undefined ? 0 : 1));
    for (const array of arrays) {
      this.#need(4);
      this.#int32(array.length);
      this.#raw(array.bytes, array.length);
    }
    this.#need(16);
    if (count !== undefined) {
      this.#int32(8);
      this.pos = this.buf.writeBigInt64BE(BigInt(count), this.pos);
    }
    this.#int16(0); // results as text
  }

  /** Binds to the unnamed portal: parameters as text. */
  bindTexts(name: string, values: readonly (string | null)[]): void {
    let length = name.length + 48;
    for (const value of values) length += (value === null ? 0 : Buffer.byteLength(value)) + 4;
    this.#need(length);
    const at = this.#begin(Frontend.bind);
    this.#cstring('');
    this.#cstring(name);
    this.#int16(0);
    this.#int16(values.length);
    for (const value of values) {
      if (value === null) {
        this.#int32(-1);
        continue;
      }
      this.pos += 4;
      const written = this.buf.write(value, this.pos);
      this.buf.writeInt32BE(written, this.pos - 4);
      this.pos += written;
    }
    this.#int16(0);
    this.#end(at);
  }

  /** Runs the unnamed portal to its end. */
  execute(): void {
    this.#need(16);
    const at = this.#begin(Frontend.execute);
    this.#cstring('');
    this.#int32(0);
    this.#end(at);
  }

  /** Ends the pipeline's stretch: the server answers all of it and says ReadyForQuery. */
  sync(): void {
    this.#need(8);
    this.#end(this.#begin(Frontend.sync));
  }

  /** Opens COPY's data; rows follow in any number. */
  beginCopyData(): void {
    this.#need(PIECE >>> 2);
    this.#copyAt = this.#begin(Frontend.copyData);
  }

  /** Room for so many bytes of COPY data at `pos`. The caller moves `pos` on. */
  copyRoom(bytes: number): void {
    if (this.pos + bytes <= this.buf.length) return;
    this.#end(this.#copyAt);
    this.#next(bytes + 64);
    this.#copyAt = this.#begin(Frontend.copyData);
  }

  /** Ends the message, not the COPY: more may follow after `beginCopyData`. */
  endCopyData(): void {
    this.#end(this.#copyAt);
    this.#copyAt = -1;
  }

  /** A message of COPY data, or several, of bytes that are copied: they are the caller's again once it returns. */
  copyBytes(bytes: Buffer): void {
    this.beginCopyData();
    for (let from = 0; from < bytes.length;) {
      this.copyRoom(1);
      const copied = bytes.copy(this.buf, this.pos, from);
      this.pos += copied;
      from += copied;
    }
    this.endCopyData();
  }

  /** Ends the COPY. */
  copyDone(): void {
    this.#need(8);
    this.#end(this.#begin(Frontend.copyDone));
  }

  #begin(type: number): number {
    const at = this.pos;
    this.buf[at] = type;
    this.pos = at + 5;
    return at;
  }

  #end(at: number): void {
    this.buf.writeInt32BE(this.pos - at - 1, at + 1);
  }

  #int16(value: number): void {
    this.pos = this.buf.writeInt16BE(value, this.pos);
  }

  #int32(value: number): void {
    this.pos = this.buf.writeInt32BE(value, this.pos);
  }

  /** Names of statements and portals: ASCII. */
  #cstring(text: string): void {
    this.pos += this.buf.write(text, this.pos, 'latin1');
    this.buf[this.pos++] = 0;
  }

  /** Copies bytes of any number, over several pieces where they do not fit into this one. */
  #raw(src: Buffer, length: number): void {
    let from = 0;
    while (from < length) {
      if (this.pos === this.buf.length) this.#next(PIECE);
      const copied = src.copy(this.buf, this.pos, from, length);
      this.pos += copied;
      from += copied;
    }
  }

  #need(bytes: number): void {
    if (this.pos + bytes > this.buf.length) this.#next(bytes);
  }

  #next(bytes: number): void {
    this.#send();
    this.buf = this.#piece(bytes);
  }

  #send(): void {
    if (this.pos > 0) this.#outlet.write(this.buf.subarray(0, this.pos));
    if (this.buf.length === PIECE) this.#lent.push(this.buf);
    this.pos = 0;
  }

  #piece(atLeast: number): Buffer {
    if (atLeast > PIECE) return Buffer.allocUnsafeSlow(atLeast);
    if (this.#free.length === 0 && this.#outlet.bytesToWrite === 0) {
      // The socket has let go of everything it was given.
      this.#free = this.#lent;
      this.#lent = [];
    }
    if (this.#lent.length > KEPT_PIECES) this.#lent = [];
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(PIECE);
  }
}
