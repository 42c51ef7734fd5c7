import { TerraFusionError } from '../errors.ts';
import { type BinaryForm, corrupt, DOT, MINUS, putWhole, putWord, ZERO } from './binary-form.ts';

/** The server's `NUMERIC_POS`, `NUMERIC_NEG` and special values (src/backend/utils/adt/numeric.c). */
export const Sign = { positive: 0, negative: 0x4000, nan: 0xc000, infinity: 0xd000, minusInfinity: 0xf000 } as const;
/** Digits behind the point that the server's form has room for. */
export const MOST_SCALE = 0x3fff;

export const numeric: BinaryForm = {
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
