import { binaryFormOf, isTextInBinary, textOf } from '#schemas/block/index.ts';
import { putAscii } from '#schemas/block/wire.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Decimal } from './expressions/decimal.ts';
import { putNumeric, numericRoom, smallNumeric } from './decimal-form.ts';
import { type BuiltInName, type CelValue, decodeText, type ValueKind } from './values.ts';

/*
 * Values of cells in PostgreSQL's binary form, as what expressions see and as what they make. Whatever has no short way here goes by its text, so that an
 * expression gives the same for either form of a block. (Promise 4)
 */

/** Oids of types whose binary form is read and made here. */
const Oid = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, oid: 26, numeric: 1700 } as const;

/** The text of a value in binary: what the server would have printed. @throws {TerraFusionError} BLOCK_CORRUPT */
export function binaryText(bytes: Buffer, from: number, to: number, typeOid: number): string {
  const form = binaryFormOf(typeOid);
  if (form === undefined)
    throw new TerraFusionError('BLOCK_CORRUPT', `a cell is in binary, of type ${typeOid}, which nobody can read`);
  return textOf(form, bytes, from, to);
}

/**
 * Reads a value in binary as what expressions see.
 * @throws {RowFailure} naming the column when it cannot be computed with
 * @throws {TerraFusionError} BLOCK_CORRUPT
 */
export function decodeBinary(
  bytes: Buffer,
  from: number,
  to: number,
  typeOid: number,
  kind: ValueKind,
  column: string,
): CelValue {
  const length = to - from;
  switch (typeOid) {
    case Oid.int4:
      if (length === 4) return BigInt(bytes.readInt32BE(from));
      break;
    case Oid.int8:
      if (length === 8) return bytes.readBigInt64BE(from);
      break;
    case Oid.int2:
      if (length === 2) return BigInt(bytes.readInt16BE(from));
      break;
    case Oid.oid:
      if (length === 4) return BigInt(bytes.readUInt32BE(from));
      break;
    case Oid.numeric: {
      const value = smallNumeric(bytes, from, to);
      if (value !== undefined) return value;
      break;
    }
    case Oid.bool:
      if (length === 1) return bytes[from] !== 0;
      break;
    case Oid.bytea:
      // A copy: the block's bytes must not be held by what an expression keeps.
      return Buffer.from(bytes.subarray(from, to));
  }
  return decodeText(binaryText(bytes, from, to, typeOid), kind, column);
}

/** How the values that a column's step makes are written in a row in binary. */
export interface ValueForm {
  /** Cells are texts, whose bytes are the same in either form; otherwise they are in binary. */
  readonly isText: boolean;
  /** Bytes that a value takes at most. */
  room(value: CelValue): number;
  /** Writes a value that is not null, without its length. @returns the position after it @throws {RowFailure} when the type cannot hold it */
  put(value: CelValue, out: Buffer, pos: number): number;
}

const text: ValueForm = {
  isText: true,
  // Of a long one exactly: three times its length would be room for nothing.
  room: (value) =>
    (value as string).length < 1024 ? (value as string).length * 3 : Buffer.byteLength(value as string),
  put(value, out, pos) {
    const string = value as string;
    const end = string.length < 64 ? putAscii(string, out, pos) : -1;
    return end >= 0 ? end : pos + out.write(string, pos, 'utf8');
  },
};

const bool: ValueForm = {
  isText: false,
  room: () => 1,
  put(value, out, pos) {
    out[pos] = value === true ? 1 : 0;
    return pos + 1;
  },
};

const int8: ValueForm = {
  isText: false,
  room: () => 8,
  put: (value, out, pos) => out.writeBigInt64BE(value as bigint, pos),
};

const numeric: ValueForm = {
  isText: false,
  room: (value) => numericRoom(value as Decimal),
  put: (value, out, pos) => putNumeric(value as Decimal, out, pos),
};

/**
 * The form in which a target column of this type takes what its step makes; undefined where only the server can tell whether the value fits.
 * @param gives type of what the step's expression gives, where it has one and that does not depend on the row
 */
export function valueForm(typeOid: number, gives: BuiltInName | undefined): ValueForm | undefined {
  if (isTextInBinary(typeOid)) return text;
  if (typeOid === Oid.bool && gives === 'boolean') return bool;
  if (typeOid === Oid.int8 && gives === 'bigint') return int8;
  return typeOid === Oid.numeric && gives === 'numeric' ? numeric : undefined;
}
