import { type BinaryForm, corrupt, fixed, int64, MINUS, putByte, putInt32, putWhole, putWord } from './binary-form.ts';
import { date, time, timestamp } from './binary-moments.ts';
import { numeric } from './binary-numeric.ts';

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

const int8 = fixed('int8', 8, 20, (src, from, _to, out, pos) => {
  const value = int64(src, from);
  if (value === undefined) return putWord(String(src.readBigInt64BE(from)), out, pos);
  if (value >= 0) return putWhole(value, out, pos);
  out[pos++] = MINUS;
  return putWhole(-value, out, pos);
});

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
