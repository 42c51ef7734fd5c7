import { Frontend } from './protocol.ts';

/** A parameter's or cell's value in text format: text, bytes that already are its text, or NULL. */
export type TextValue = string | Buffer | null;

/**
 * Builds messages to the server one after the other in one growing buffer: `take` gives them as one piece to write. No object a
 * message. All values are in text format unless told.
 */
export class FrontendWriter {
  #buf: Buffer;
  #pos = 0;
  readonly #capacity: number;
  #copyDataAt = -1;

  /** @param capacity bytes to start each piece with; grows as needed */
  constructor(capacity = 16 * 1024) {
    this.#capacity = capacity;
    this.#buf = Buffer.allocUnsafeSlow(capacity);
  }

  get byteLength(): number {
    return this.#pos;
  }

  /** The messages built since the last `take`. The bytes are the caller's. */
  take(): Buffer {
    const taken = this.#buf.subarray(0, this.#pos);
    this.#buf = Buffer.allocUnsafeSlow(this.#capacity);
    this.#pos = 0;
    return taken;
  }

  /** A simple query. */
  query(sql: string): this {
    const at = this.#begin(Frontend.query);
    this.#cstring(sql);
    return this.#end(at);
  }

  /** @param name of the prepared statement, '' for the unnamed one. @param parameterTypes oids, 0 lets the server infer */
  parse(name: string, sql: string, parameterTypes: readonly number[] = []): this {
    const at = this.#begin(Frontend.parse);
    this.#cstring(name);
    this.#cstring(sql);
    this.#int16(parameterTypes.length);
    for (const oid of parameterTypes) this.#int32(oid);
    return this.#end(at);
  }

  /** Binds text values; results come as text. */
  bind(portal: string, statement: string, values: readonly TextValue[] = []): this {
    const at = this.#begin(Frontend.bind);
    this.#cstring(portal);
    this.#cstring(statement);
    this.#int16(0); // all parameters are text
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    this.#int16(0); // all results are text
    return this.#end(at);
  }

  describeStatement(name: string): this {
    const at = this.#begin(Frontend.describe);
    this.#byte(0x53); // S
    this.#cstring(name);
    return this.#end(at);
  }

  /** @param maxRows 0: all */
  execute(portal = '', maxRows = 0): this {
    const at = this.#begin(Frontend.execute);
    this.#cstring(portal);
    this.#int32(maxRows);
    return this.#end(at);
  }

  closeStatement(name: string): this {
    const at = this.#begin(Frontend.close);
    this.#byte(0x53); // S
    this.#cstring(name);
    return this.#end(at);
  }

  flush(): this {
    return this.#end(this.#begin(Frontend.flush));
  }

  sync(): this {
    return this.#end(this.#begin(Frontend.sync));
  }

  /** A whole CopyData message of bytes that exist already. */
  copyData(bytes: Uint8Array, start = 0, end = bytes.length): this {
    const at = this.#begin(Frontend.copyData);
    this.#raw(bytes, start, end);
    return this.#end(at);
  }

  copyDone(): this {
    return this.#end(this.#begin(Frontend.copyDone));
  }

  copyFail(reason: string): this {
    const at = this.#begin(Frontend.copyFail);
    this.#cstring(reason);
    return this.#end(at);
  }

  terminate(): this {
    return this.#end(this.#begin(Frontend.terminate));
  }

  /** Opens a CopyData message that `append` fills; `endCopyData` closes it. */
  beginCopyData(): this {
    if (this.#copyDataAt !== -1) throw new Error('a CopyData message is open already');
    this.#copyDataAt = this.#begin(Frontend.copyData);
    return this;
  }

  append(bytes: Uint8Array, start = 0, end = bytes.length): this {
    this.#raw(bytes, start, end);
    return this;
  }

  endCopyData(): this {
    const at = this.#copyDataAt;
    if (at === -1) throw new Error('no CopyData message is open');
    this.#copyDataAt = -1;
    return this.#end(at);
  }

  #begin(type: number): number {
    this.#need(5);
    const at = this.#pos;
    this.#buf[at] = type;
    this.#pos = at + 5;
    return at;
  }

  #end(at: number): this {
    this.#buf.writeInt32BE(this.#pos - at - 1, at + 1);
    return this;
  }

  #byte(value: number): void {
    this.#need(1);
    this.#buf[this.#pos++] = value;
  }

  #int16(value: number): void {
    this.#need(2);
    this.#pos = this.#buf.writeUInt16BE(value, this.#pos);
  }

  #int32(value: number): void {
    this.#need(4);
    this.#pos = this.#buf.writeUInt32BE(value >>> 0, this.#pos);
  }

  #cstring(text: string): void {
    if (text.includes('\0')) throw new RangeError('a text for PostgreSQL cannot hold a NUL');
    this.#need(Buffer.byteLength(text) + 1);
    this.#pos += this.#buf.write(text, this.#pos, 'utf8');
    this.#buf[this.#pos++] = 0;
  }

  #value(value: TextValue): void {
    if (value === null) {
      this.#int32(-1);
    } else if (typeof value === 'string') {
      const length = Buffer.byteLength(value);
      this.#int32(length);
      this.#need(length);
      this.#pos += this.#buf.write(value, this.#pos, 'utf8');
    } else {
      this.#int32(value.length);
      this.#raw(value, 0, value.length);
    }
  }

  #raw(bytes: Uint8Array, start: number, end: number): void {
    this.#need(end - start);
    this.#buf.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#pos);
    this.#pos += end - start;
  }

  #need(bytes: number): void {
    if (this.#pos + bytes <= this.#buf.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buf.length * 2, this.#pos + bytes));
    this.#buf.copy(larger, 0, 0, this.#pos);
    this.#buf = larger;
  }
}
