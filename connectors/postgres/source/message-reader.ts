import { TerraFusionError } from '#schemas/errors.ts';
import { POSTGRES_EPOCH_S } from '../wire/protocol.ts';

/** @throws {TerraFusionError} SOURCE_PROTOCOL */
export function malformed(what: string): never {
  throw new TerraFusionError('SOURCE_PROTOCOL', `The source sent ${what}`);
}

/** A WAL location; 63 bits are more than any server will ever write. */
export function lsnAt(buf: Buffer, at: number): bigint {
  const value = buf.readBigUInt64BE(at);
  return buf[at]! < 0x80 ? value : malformed('a WAL location beyond 63 bits');
}

/** A PostgreSQL time (µs since 2000) as µs since 1970. */
export function timeAt(buf: Buffer, at: number): number {
  const micros = buf.readInt32BE(at) * 2 ** 32 + buf.readUInt32BE(at + 4) + POSTGRES_EPOCH_S * 1_000_000;
  return Number.isSafeInteger(micros) ? micros : malformed('a time outside of all calendars');
}

/** Reads the fields of one message one after the other, never past its end. For what is rare: rows are decoded in place. */
export class MessageReader {
  readonly #buf: Buffer;
  #pos: number;
  readonly #end: number;

  constructor(buf: Buffer, start: number, end: number) {
    this.#buf = buf;
    this.#pos = start;
    this.#end = end;
  }

  get position(): number {
    return this.#pos;
  }

  uint8(): number {
    return this.#buf[this.#take(1)]!;
  }

  uint16(): number {
    return this.#buf.readUInt16BE(this.#take(2));
  }

  uint32(): number {
    return this.#buf.readUInt32BE(this.#take(4));
  }

  int32(): number {
    return this.#buf.readInt32BE(this.#take(4));
  }

  lsn(): bigint {
    return lsnAt(this.#buf, this.#take(8));
  }

  /** Ends with a zero byte. */
  string(): string {
    const stop = this.#buf.indexOf(0, this.#pos);
    if (stop === -1 || stop >= this.#end) malformed('a message that ends within a text');
    const text = this.#buf.toString('utf8', this.#pos, stop);
    this.#pos = stop + 1;
    return text;
  }

  /** Steps over so many bytes. @returns where they begin */
  skip(bytes: number): number {
    return this.#take(bytes);
  }

  expectEnd(): void {
    if (this.#pos !== this.#end) malformed(`a message with ${this.#end - this.#pos} bytes too many`);
  }

  #take(bytes: number): number {
    const at = this.#pos;
    if (this.#end - at < bytes) malformed('a message that ends within a field');
    this.#pos = at + bytes;
    return at;
  }
}
