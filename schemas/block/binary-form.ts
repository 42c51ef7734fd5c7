import { TerraFusionError } from '../errors.ts';

/**
 * A type whose values may travel in PostgreSQL's binary form (what its send function gives), and how their text is made of it: byte for byte what
 * the server prints with the session settings that readers use (ISO dates, UTC, hexadecimal bytea). (Promise 4)
 */
export interface BinaryForm {
  /** Bytes that the text of the value takes at most. @throws {TerraFusionError} BLOCK_CORRUPT for bytes that are no value of the type */
  most(src: Buffer, from: number, to: number): number;
  /** Writes the text at `pos`, where there is room for {@link most}. @returns the position after it @throws {TerraFusionError} BLOCK_CORRUPT, as above */
  put(src: Buffer, from: number, to: number, out: Buffer, pos: number): number;
}

export const ZERO = 0x30;
export const MINUS = 0x2d;
export const DOT = 0x2e;
export const COLON = 0x3a;
export const SPACE = 0x20;

export function corrupt(type: string, length: number): never {
  throw new TerraFusionError('BLOCK_CORRUPT', `${length} bytes are no value of type ${type}`);
}

/** A type whose values all have one length, and texts of at most `most` bytes. */
export function fixed(type: string, length: number, most: number, put: BinaryForm['put']): BinaryForm {
  const check = (from: number, to: number): void => {
    if (to - from !== length) corrupt(type, to - from);
  };
  return {
    most(_src, from, to) {
      check(from, to);
      return most;
    },
    put(src, from, to, out, pos) {
      check(from, to);
      return put(src, from, to, out, pos);
    },
  };
}

const hex = Buffer.from('0123456789abcdef', 'latin1');

export function putByte(byte: number, out: Buffer, pos: number): number {
  out[pos++] = hex[byte >>> 4]!;
  out[pos++] = hex[byte & 15]!;
  return pos;
}

export function putWord(word: string, out: Buffer, pos: number): number {
  return pos + out.write(word, pos, 'latin1');
}

/** A whole number from 0 to 2^53, with leading zeros up to `width` digits. */
export function putWhole(value: number, out: Buffer, pos: number, width = 1): number {
  if (value >= 1e9) {
    const high = Math.floor(value / 1e9);
    return putWhole(value - high * 1e9, out, putWhole(high, out, pos, width - 9), 9);
  }
  let digits = 1;
  for (let power = 10; digits < 9 && value >= power; power *= 10) digits++;
  if (digits < width) digits = width;
  const end = pos + digits;
  let left = value | 0;
  for (let at = end - 1; at >= pos; at--) {
    const rest = (left / 10) | 0;
    out[at] = ZERO + left - rest * 10;
    left = rest;
  }
  return end;
}

export function putInt32(value: number, out: Buffer, pos: number): number {
  if (value >= 0) return putWhole(value, out, pos);
  out[pos++] = MINUS;
  return putWhole(-value, out, pos);
}

/** A whole number of 64 bits as a double; undefined where that would not be exact. */
export function int64(src: Buffer, at: number): number | undefined {
  const high = src.readInt32BE(at);
  // Within ±2^53.
  if (high >= 0x200000 || high < -0x200000) return undefined;
  return high * 0x100000000 + src.readUInt32BE(at + 4);
}
