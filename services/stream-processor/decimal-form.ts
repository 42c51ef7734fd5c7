import { MOST_SCALE, Sign } from '#schemas/block/binary-numeric.ts';
import { Decimal } from './expressions/decimal.ts';
import { RowFailure } from './row-failure.ts';

/*
 * PostgreSQL's binary form of a numeric (`numeric_send`, src/backend/utils/adt/numeric.c): 16 bits each for the number of digits, the weight of the first
 * one, the sign and the digits after the point; then digits to the base of 10,000.
 */

/** Bytes before the digits. */
const HEAD = 8;
const MOST_WEIGHT = 0x7fff;

const tens: readonly number[] = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

/** The value as a decimal where its digits are few enough for a number; undefined for all others, among them NaN and what is not well formed. */
export function smallNumeric(bytes: Buffer, from: number, to: number): Decimal | undefined {
  if (to - from < HEAD) return undefined;
  const count = (bytes[from]! << 8) | bytes[from + 1]!;
  // Three digits are below 10^12.
  if (count > 3 || to - from !== HEAD + count * 2) return undefined;
  const weight = bytes.readInt16BE(from + 2);
  const sign = (bytes[from + 4]! << 8) | bytes[from + 5]!;
  const scale = (bytes[from + 6]! << 8) | bytes[from + 7]!;
  if ((sign !== Sign.positive && sign !== Sign.negative) || scale > MOST_SCALE) return undefined;
  let units = 0;
  for (let at = from + HEAD; at < to; at += 2) {
    const digit = (bytes[at]! << 8) | bytes[at + 1]!;
    if (digit > 9999) return undefined;
    units = units * 10_000 + digit;
  }
  if (units !== 0) {
    // What the last digit stands for, in units of the scale.
    const exponent = (weight - count + 1) * 4 + scale;
    const factor = tens[Math.abs(exponent)];
    if (factor === undefined) return undefined;
    units = exponent < 0 ? units / factor : units * factor;
    if (!Number.isSafeInteger(units)) return undefined;
  }
  return new Decimal(sign === Sign.negative ? 0 - units : units, scale);
}

/** Bytes that {@link putNumeric} writes at most. */
export function numericRoom(value: Decimal): number {
  // The sixteen digits of a number are in six groups at most.
  return value.small === undefined ? HEAD + value.toString().length + 8 : HEAD + 12;
}

/** Writes the value as the server would. @returns the position after it @throws {RowFailure} when a numeric has no room for it */
export function putNumeric(value: Decimal, out: Buffer, pos: number): number {
  const { small, scale } = value;
  if (scale > MOST_SCALE) throw new RowFailure(`the result has more than ${MOST_SCALE} digits after the point`);
  // The fraction in whole groups of four.
  const units = small === undefined ? Infinity : Math.abs(small) * tens[(4 - (scale % 4)) % 4]!;
  if (!Number.isSafeInteger(units)) return putLarge(value, out, pos);
  let groups = 0;
  for (let left = units; left > 0; left = Math.floor(left / 10_000)) groups++;
  const weight = groups === 0 ? 0 : groups - Math.ceil(scale / 4) - 1;
  let rest = units;
  let count = groups;
  for (; count > 0 && rest % 10_000 === 0; count--) rest /= 10_000;
  const end = putHead(out, pos, count, weight, small! < 0, scale) + count * 2;
  for (let at = end - 2; at >= pos + HEAD; at -= 2) {
    const higher = Math.floor(rest / 10_000);
    const digit = rest - higher * 10_000;
    out[at] = digit >>> 8;
    out[at + 1] = digit;
    rest = higher;
  }
  return end;
}

function putLarge(value: Decimal, out: Buffer, pos: number): number {
  const [whole = '', fraction = ''] = value.abs().toString().split('.');
  const digits = `${'0'.repeat((4 - (whole.length % 4)) % 4)}${whole}${fraction}${'0'.repeat((4 - (fraction.length % 4)) % 4)}`;
  const groups = digits.match(/\d{4}/g)!.map(Number);
  const first = groups.findIndex((group) => group > 0);
  const last = groups.findLastIndex((group) => group > 0);
  const weight = first < 0 ? 0 : Math.ceil(whole.length / 4) - 1 - first;
  if (weight > MOST_WEIGHT) throw new RowFailure('the result has more digits before the point than a numeric can hold');
  const significant = first < 0 ? [] : groups.slice(first, last + 1);
  let at = putHead(out, pos, significant.length, weight, value.units < 0n, value.scale);
  for (const group of significant) at = out.writeUInt16BE(group, at);
  return at;
}

function putHead(out: Buffer, pos: number, count: number, weight: number, isNegative: boolean, scale: number): number {
  out[pos] = count >>> 8;
  out[pos + 1] = count;
  out[pos + 2] = weight >> 8;
  out[pos + 3] = weight;
  out[pos + 4] = isNegative ? Sign.negative >>> 8 : Sign.positive;
  out[pos + 5] = 0;
  out[pos + 6] = scale >>> 8;
  out[pos + 7] = scale;
  return pos + HEAD;
}
