import { ROW_IMAGE } from './model.ts';

/**
 * Avro's primitive encodings (specification 1.11, "Binary encoding"), on bytes in place.
 * Numbers within ±2^53 are read and written without BigInt.
 */

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** 28 bits: four bytes of a varint. */
const HALF = 0x10000000;

/** Writes a zig-zag varint for `value` (a safe integer) at `pos`; returns the position after it (at most 8 bytes on). */
export function putLong(buf: Uint8Array, pos: number, value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) {
    let n = ((value << 1) ^ (value >> 31)) >>> 0;
    while (n > 0x7f) {
      buf[pos++] = (n & 0x7f) | 0x80;
      n >>>= 7;
    }
    buf[pos++] = n;
    return pos;
  }
  // In two halves, of which neither leaves the integers of a processor: remainders of doubles and big integers cost more than all the rest.
  const negative = value < 0;
  const magnitude = negative ? -value - 1 : value;
  let high = Math.floor(magnitude / (HALF / 2));
  const low = ((magnitude - high * (HALF / 2)) << 1) | (negative ? 1 : 0);
  buf[pos++] = (low & 0x7f) | 0x80;
  buf[pos++] = ((low >>> 7) & 0x7f) | 0x80;
  buf[pos++] = ((low >>> 14) & 0x7f) | 0x80;
  buf[pos++] = (low >>> 21) | 0x80;
  while (high > 0x7f) {
    buf[pos++] = (high & 0x7f) | 0x80;
    high >>>= 7;
  }
  buf[pos++] = high;
  return pos;
}

/** Like {@link putLong} for the whole 64-bit range (at most 10 bytes). */
export function putBigLong(buf: Uint8Array, pos: number, value: bigint): number {
  // Arithmetic on big integers costs an allocation a step, and hardly a number here needs it.
  if (value >= -SAFE && value <= SAFE) return putLong(buf, pos, Number(value));
  let n = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  while (n > 0x7fn) {
    buf[pos++] = Number(n & 0x7fn) | 0x80;
    n >>= 7n;
  }
  buf[pos++] = Number(n);
  return pos;
}

/** Reads Avro primitives one after the other. Every read past the end throws a RangeError, never yields garbage. */
export class WireReader {
  readonly buf: Buffer;
  pos: number;
  readonly #end: number;

  constructor(buf: Buffer, pos = 0, end = buf.length) {
    this.buf = buf;
    this.pos = pos;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.pos >= this.#end;
  }

  byte(): number {
    if (this.pos >= this.#end) throw new RangeError('the block ends in the middle of a value');
    return this.buf[this.pos++]!;
  }

  boolean(): boolean {
    const byte = this.byte();
    if (byte > 1) throw new RangeError(`${byte} is not a boolean`);
    return byte === 1;
  }

  /** Index of a union of null and one other: 0 is null. */
  present(): boolean {
    const byte = this.byte();
    if (byte !== 0 && byte !== 2) throw new RangeError(`${byte} is not a branch here`);
    return byte === 2;
  }

  /** A zig-zag varint within ±2^53. @throws {RangeError} when it is larger or cut short */
  long(): number {
    const buf = this.buf;
    let pos = this.pos;
    let byte = pos < this.#end ? buf[pos++]! : this.byte();
    if (byte < 0x80) {
      this.pos = pos;
      return (byte >>> 1) ^ -(byte & 1);
    }
    let n = byte & 0x7f;
    let shift = 7;
    do {
      if (pos >= this.#end) throw new RangeError('the block ends in the middle of a number');
      byte = buf[pos++]!;
      if (shift < 28) n |= (byte & 0x7f) << shift;
      else return this.#wideLong();
      shift += 7;
    } while (byte >= 0x80);
    this.pos = pos;
    return (n >>> 1) ^ -(n & 1);
  }

  #wideLong(): number {
    const n = this.#double();
    if (n !== undefined && Number.isSafeInteger(n)) return n;
    throw new RangeError(`${n ?? this.bigLong()} is larger than a number here may be`);
  }

  /**
   * A zig-zag varint within ±2^53, read as a double, which is exact: positions and times as they occur. undefined, and nothing read,
   * when it is larger, or longer than it need be.
   */
  #double(): number | undefined {
    const { buf } = this;
    let pos = this.pos;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 56; shift += 7) {
      if (pos >= this.#end) throw new RangeError('the block ends in the middle of a number');
      const byte = buf[pos++]!;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else high |= (byte & 0x7f) << (shift - 28);
      if (byte >= 0x80) continue;
      if (high >= 2 ** 26) return undefined;
      this.pos = pos;
      const odd = low & 1;
      // Even numbers below 2^54 are exact.
      const half = (high * HALF + (low - odd)) / 2;
      return odd === 0 ? half : -half - 1;
    }
    return undefined;
  }

  /** A zig-zag varint of up to 64 bits. */
  bigLong(): bigint {
    const small = this.#double();
    if (small !== undefined) return BigInt(small);
    let n = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.byte();
      n |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
      shift += 7n;
      if (shift > 63n) throw new RangeError('a number has more than 64 bits');
    }
    n = BigInt.asUintN(64, n);
    return (n >> 1n) ^ -(n & 1n);
  }

  /** Length of a string or bytes value that is wholly in the block; the position is then at its first byte. */
  length(): number {
    const length = this.long();
    if (length < 0 || length > this.#end - this.pos)
      throw new RangeError(`a value of ${length} bytes does not fit the block`);
    return length;
  }

  string(): string {
    const length = this.length();
    const start = this.pos;
    this.pos += length;
    return this.buf.toString('utf8', start, this.pos);
  }

  /** Count of the next run of an Avro array, 0 at its end. Runs with a byte size (negative counts) are read too. */
  run(): number {
    const count = this.long();
    if (count >= 0) return count;
    this.long();
    return -count;
  }

  /** Steps over a row's cells without looking into them; of a row in one piece only whether its cells fill it. */
  skipCells(): void {
    let count = this.run();
    if (count === 1 && this.buf[this.pos] === ROW_IMAGE) {
      this.#skipImage();
      return;
    }
    for (; count > 0; count = this.run()) {
      for (; count > 0; count--) {
        const kind = this.byte();
        // A union's index is a zig-zag number: 0 null, 2 text, 4 unchanged, 6 bytes.
        if (kind === 2 || kind === 6) {
          const length = this.length();
          this.pos += length;
        } else if (kind !== 0 && kind !== 4) throw new RangeError(`${kind} is not a kind of cell`);
      }
    }
  }

  #skipImage(): void {
    this.byte();
    const length = this.length();
    const { buf } = this;
    const end = this.pos + length;
    let pos = this.pos + 2;
    if (pos > end) throw new RangeError(`a row of ${length} bytes`);
    for (let cells = (buf[pos - 2]! << 8) | buf[pos - 1]!; cells > 0; cells--) {
      if (pos + 4 > end) throw new RangeError('a row ends before its last cell');
      const size = (buf[pos]! << 24) | (buf[pos + 1]! << 16) | (buf[pos + 2]! << 8) | buf[pos + 3]!;
      pos += 4;
      if (size > 0) pos += size;
      else if (size < -1) throw new RangeError(`a cell of ${size} bytes`);
    }
    if (pos !== end) throw new RangeError('the cells of a row do not fill it');
    this.pos = end;
    if (this.run() !== 0) throw new RangeError('a row in one piece with more beside it');
  }
}

/** Writes a short text without a call out of the engine. @returns the position after it; -1 when it is not all ASCII, and what was written is of no account */
export function putAscii(text: string, out: Buffer, pos: number): number {
  let at = pos;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return -1;
    out[at++] = code;
  }
  return at;
}
