import { type BinaryForm, COLON, corrupt, DOT, fixed, int64, MINUS, putWhole, putWord, SPACE } from './binary-form.ts';

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

export const date = fixed('date', 4, 16, (src, from, _to, out, pos) => {
  const days = src.readInt32BE(from);
  if (days === END_OF_TIME) return putWord('infinity', out, pos);
  if (days === BEGIN_OF_TIME) return putWord('-infinity', out, pos);
  const put = putDay(days, out, pos);
  return put.beforeChrist ? putWord(' BC', out, put.pos) : put.pos;
});

export const time = fixed('time', 8, 15, (src, from, _to, out, pos) => {
  const us = int64(src, from);
  if (us === undefined || us < 0 || us > DAY_US) return corrupt('time', 8);
  return putTime(us, out, pos);
});

export function timestamp(type: string, zone: string): BinaryForm {
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
