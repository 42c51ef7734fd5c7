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

/** Types whose bytes are their text: text, varchar, char(n), json. Their cells are text in either form. */
const texts: ReadonlySet<number> = new Set([25, 1043, 1042, 114]);

/** Whether the values of a built-in type are the same bytes as text and in binary. */
export const isTextInBinary = (typeOid: number): boolean => texts.has(typeOid);

/** The form of a built-in type, by its oid. undefined: only its text is known here. */
export const binaryFormOf = (typeOid: number): BinaryForm | undefined => forms.get(typeOid);

/** Oids of all types that a stream in binary may bring. */
export const binaryTypes = (): readonly number[] => [...texts, ...forms.keys()];

/** A value's text as a string. For tools, dead letters and tests; not for the hot path. */
export function textOf(form: BinaryForm, src: Buffer, from: number, to: number): string {
  const out = Buffer.allocUnsafe(form.most(src, from, to));
  return out.toString('utf8', 0, form.put(src, from, to, out, 0));
}

const ZERO = 0x30;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const SPACE = 0x20;

function corrupt(type: string, length: number): never {
  throw new TerraFusionError('BLOCK_CORRUPT', `${length} bytes are no value of type ${type}`);
}

/** A type whose values all have one length, and texts of at most `most` bytes. */
function fixed(type: string, length: number, most: number, put: BinaryForm['put']): BinaryForm {
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

function putByte(byte: number, out: Buffer, pos: number): number {
  out[pos++] = hex[byte >>> 4]!;
  out[pos++] = hex[byte & 15]!;
  return pos;
}

function putWord(word: string, out: Buffer, pos: number): number {
  return pos + out.write(word, pos, 'latin1');
}

/** A whole number from 0 to 2^53, with leading zeros up to `width` digits. */
function putWhole(value: number, out: Buffer, pos: number, width = 1): number {
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

function putInt32(value: number, out: Buffer, pos: number): number {
  if (value >= 0) return putWhole(value, out, pos);
  out[pos++] = MINUS;
  return putWhole(-value, out, pos);
}

/** A whole number of 64 bits as a double; undefined where that would not be exact. */
function int64(src: Buffer, at: number): number | undefined {
  const high = src.readInt32BE(at);
  // Within ±2^53.
  if (high >= 0x200000 || high < -0x200000) return undefined;
  return high * 0x100000000 + src.readUInt32BE(at + 4);
}

const int8 = fixed('int8', 8, 20, (src, from, _to, out, pos) => {
  const value = int64(src, from);
  if (value === undefined) return putWord(String(src.readBigInt64BE(from)), out, pos);
  if (value >= 0) return putWhole(value, out, pos);
  out[pos++] = MINUS;
  return putWhole(-value, out, pos);
});

/** The server's `NUMERIC_POS`, `NUMERIC_NEG` and special values (src/backend/utils/adt/numeric.c). */
const Sign = { positive: 0, negative: 0x4000, nan: 0xc000, infinity: 0xd000, minusInfinity: 0xf000 } as const;
/** Digits behind the point that the server's form has room for. */
const MOST_SCALE = 0x3fff;

const numeric: BinaryForm = {
  most(src, from, to) {
    if (to - from < 8) corrupt('numeric', to - from);
    const weight = src.readInt16BE(from + 2);
    return 16 + (weight < 0 ? 0 : (weight + 1) * 4) + src.readUInt16BE(from + 6) + 4;
  },
  put(src, from, to, out, pos) {
    if (to - from < 8) corrupt('numeric', to - from);
    // More than a signed number holds: 131,072 digits before the point and 16,383 behind it.
    const count = src.readUInt16BE(from);
    const weight = src.readInt16BE(from + 2);
    const sign = src.readUInt16BE(from + 4);
    const scale = src.readUInt16BE(from + 6);
    if (to - from !== 8 + count * 2 || scale > MOST_SCALE) corrupt('numeric', to - from);
    if (sign === Sign.nan) return putWord('NaN', out, pos);
    if (sign === Sign.infinity) return putWord('Infinity', out, pos);
    if (sign === Sign.minusInfinity) return putWord('-Infinity', out, pos);
    if (sign === Sign.negative) out[pos++] = MINUS;
    else if (sign !== Sign.positive) corrupt('numeric', to - from);
    // Digits to the base of 10,000, the first of which stands for 10,000^weight.
    const digits = from + 8;
    let place = 0;
    if (weight < 0) {
      out[pos++] = ZERO;
      place = weight + 1;
    } else {
      for (; place <= weight; place++) {
        const digit = place < count ? digitAt(src, digits + place * 2) : 0;
        pos = putWhole(digit, out, pos, place === 0 ? 1 : 4);
      }
    }
    if (scale === 0) return pos;
    out[pos++] = DOT;
    const end = pos + scale;
    for (; pos < end; place++) {
      const digit = place >= 0 && place < count ? digitAt(src, digits + place * 2) : 0;
      pos = putWhole(digit, out, pos, 4);
    }
    return end;
  },
};

function digitAt(src: Buffer, at: number): number {
  const digit = (src[at]! << 8) | src[at + 1]!;
  if (digit > 9999) throw new TerraFusionError('BLOCK_CORRUPT', `${digit} is no digit of a numeric`);
  return digit;
}

/** Days from the beginning of the Julian calendar to 2000-01-01, PostgreSQL's first day. */
const FIRST_DAY = 2_451_545;
const DAY_US = 86_400_000_000;
const DAY_US_BIG = 86_400_000_000n;

/** A day, counted from 2000-01-01. @returns whether it is before Christ, which is told at the end */
function dayOf(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  // The server's `j2date` (src/backend/utils/adt/datetime.c), in doubles: its numbers are unsigned and of 32 bits.
  let julian = days + FIRST_DAY + 32_044;
  let quad = Math.floor(julian / 146_097);
  const extra = (julian - quad * 146_097) * 4 + 3;
  julian += 60 + quad * 3 + Math.floor(extra / 146_097);
  quad = Math.floor(julian / 1461);
  julian -= quad * 1461;
  let year = Math.floor((julian * 4) / 1461);
  julian = year === 0 ? ((julian + 306) % 366) + 123 : ((julian + 305) % 365) + 123;
  year += quad * 4;
  quad = Math.floor((julian * 2141) / 65_536);
  return {
    year: year - 4800,
    month: ((quad + 10) % 12) + 1,
    day: julian - Math.floor((7834 * quad) / 256),
  };
}

/** @returns the position after the date; the year is a positive one */
function putDay(days: number, out: Buffer, pos: number): { readonly pos: number; readonly beforeChrist: boolean } {
  const { year, month, day } = dayOf(days);
  const beforeChrist = year <= 0;
  pos = putWhole(beforeChrist ? 1 - year : year, out, pos, 4);
  out[pos++] = MINUS;
  pos = putWhole(month, out, pos, 2);
  out[pos++] = MINUS;
  return { pos: putWhole(day, out, pos, 2), beforeChrist };
}

/** Microseconds of a day, from 0 to 24 hours. */
function putTime(us: number, out: Buffer, pos: number): number {
  const seconds = Math.floor(us / 1_000_000);
  let fraction = us - seconds * 1_000_000;
  pos = putWhole((seconds / 3600) | 0, out, pos, 2);
  out[pos++] = COLON;
  pos = putWhole(((seconds / 60) | 0) % 60, out, pos, 2);
  out[pos++] = COLON;
  pos = putWhole(seconds % 60, out, pos, 2);
  if (fraction === 0) return pos;
  out[pos++] = DOT;
  let width = 6;
  while (fraction % 10 === 0) {
    fraction /= 10;
    width--;
  }
  return putWhole(fraction, out, pos, width);
}

const END_OF_TIME = 0x7fffffff;
const BEGIN_OF_TIME = -0x80000000;

const date = fixed('date', 4, 16, (src, from, _to, out, pos) => {
  const days = src.readInt32BE(from);
  if (days === END_OF_TIME) return putWord('infinity', out, pos);
  if (days === BEGIN_OF_TIME) return putWord('-infinity', out, pos);
  const put = putDay(days, out, pos);
  return put.beforeChrist ? putWord(' BC', out, put.pos) : put.pos;
});

const time = fixed('time', 8, 15, (src, from, _to, out, pos) => {
  const us = int64(src, from);
  if (us === undefined || us < 0 || us > DAY_US) return corrupt('time', 8);
  return putTime(us, out, pos);
});

function timestamp(type: string, zone: string): BinaryForm {
  return fixed(type, 8, 40, (src, from, _to, out, pos) => {
    let days: number;
    let us: number;
    const value = int64(src, from);
    if (value !== undefined) {
      days = Math.floor(value / DAY_US);
      us = value - days * DAY_US;
    } else {
      const high = src.readInt32BE(from);
      const low = src.readUInt32BE(from + 4);
      if (high === END_OF_TIME && low === 0xffffffff) return putWord('infinity', out, pos);
      if (high === BEGIN_OF_TIME && low === 0) return putWord('-infinity', out, pos);
      const big = src.readBigInt64BE(from);
      const rest = ((big % DAY_US_BIG) + DAY_US_BIG) % DAY_US_BIG;
      us = Number(rest);
      days = Number((big - rest) / DAY_US_BIG);
    }
    const put = putDay(days, out, pos);
    ({ pos } = put);
    out[pos++] = SPACE;
    pos = putTime(us, out, pos);
    if (zone !== '') pos = putWord(zone, out, pos);
    return put.beforeChrist ? putWord(' BC', out, pos) : pos;
  });
}

const uuid = fixed('uuid', 16, 36, (src, from, to, out, pos) => {
  for (let at = from; at < to; at++) {
    const byte = at - from;
    if (byte === 4 || byte === 6 || byte === 8 || byte === 10) out[pos++] = MINUS;
    pos = putByte(src[at]!, out, pos);
  }
  return pos;
});

const bytea: BinaryForm = {
  most: (_src, from, to) => 2 + (to - from) * 2,
  put(src, from, to, out, pos) {
    pos = putWord(String.raw`\x`, out, pos);
    for (let at = from; at < to; at++) pos = putByte(src[at]!, out, pos);
    return pos;
  },
};

/** The version of jsonb's binary form, before its text. */
const JSONB_VERSION = 1;

const jsonb: BinaryForm = {
  most(src, from, to) {
    if (to === from || src[from] !== JSONB_VERSION) corrupt('jsonb', to - from);
    return to - from;
  },
  put(src, from, to, out, pos) {
    if (to === from || src[from] !== JSONB_VERSION) corrupt('jsonb', to - from);
    return pos + src.copy(out, pos, from + 1, to);
  },
};

const forms: ReadonlyMap<number, BinaryForm> = new Map([
  [
    16,
    fixed('bool', 1, 1, (src, from, _to, out, pos) => {
      out[pos] = src[from] === 0 ? 0x66 : 0x74;
      return pos + 1;
    }),
  ],
  [17, bytea],
  [20, int8],
  [21, fixed('int2', 2, 6, (src, from, _to, out, pos) => putInt32(src.readInt16BE(from), out, pos))],
  [23, fixed('int4', 4, 11, (src, from, _to, out, pos) => putInt32(src.readInt32BE(from), out, pos))],
  [26, fixed('oid', 4, 10, (src, from, _to, out, pos) => putWhole(src.readUInt32BE(from), out, pos))],
  [1082, date],
  [1083, time],
  [1114, timestamp('timestamp', '')],
  [1184, timestamp('timestamptz', '+00')],
  [1700, numeric],
  [2950, uuid],
  [3802, jsonb],
]);
