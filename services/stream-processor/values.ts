import { isUtf8 } from 'node:buffer';
import type { BlockColumn } from '#schemas/block/index.ts';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { Decimal } from './expressions/decimal.ts';
import { Timestamp } from './expressions/timestamp.ts';
import { RowFailure } from './row-failure.ts';

/**
 * What an expression sees of a PostgreSQL value. Numbers that are no binary floats at the source are never doubles.
 * Dates, times and everything not named here are text, as PostgreSQL prints it; `timestamp()` reads a date or timestamp with its microseconds.
 */
export type ValueKind = 'int' | 'decimal' | 'money' | 'double' | 'bool' | 'bytes' | 'string';

/** What an expression can yield for a cell. */
export type CelValue = bigint | number | boolean | string | null | Decimal | Timestamp | Uint8Array;

/** A built-in type as it stands in a block's header. */
interface BuiltIn {
  readonly oid: number;
  readonly name: string;
  readonly kind: ValueKind;
}

const builtIns = {
  boolean: { oid: 16, name: 'bool', kind: 'bool' },
  bytea: { oid: 17, name: 'bytea', kind: 'bytes' },
  bigint: { oid: 20, name: 'int8', kind: 'int' },
  smallint: { oid: 21, name: 'int2', kind: 'int' },
  integer: { oid: 23, name: 'int4', kind: 'int' },
  oid: { oid: 26, name: 'oid', kind: 'int' },
  real: { oid: 700, name: 'float4', kind: 'double' },
  'double precision': { oid: 701, name: 'float8', kind: 'double' },
  money: { oid: 790, name: 'money', kind: 'money' },
  numeric: { oid: 1700, name: 'numeric', kind: 'decimal' },
  text: { oid: 25, name: 'text', kind: 'string' },
  character: { oid: 1042, name: 'bpchar', kind: 'string' },
  'character varying': { oid: 1043, name: 'varchar', kind: 'string' },
  date: { oid: 1082, name: 'date', kind: 'string' },
  'timestamp without time zone': { oid: 1114, name: 'timestamp', kind: 'string' },
  'timestamp with time zone': { oid: 1184, name: 'timestamptz', kind: 'string' },
  interval: { oid: 1186, name: 'interval', kind: 'string' },
} as const satisfies Record<string, BuiltIn>;
export type BuiltInName = keyof typeof builtIns;

const aliases: Readonly<Record<string, BuiltInName>> = {
  bool: 'boolean',
  int8: 'bigint',
  int2: 'smallint',
  int: 'integer',
  int4: 'integer',
  float4: 'real',
  float8: 'double precision',
  float: 'double precision',
  decimal: 'numeric',
  char: 'character',
  bpchar: 'character',
  varchar: 'character varying',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
};

const kindsByOid = new Map<number, ValueKind>(Object.values(builtIns).map(({ oid, kind }) => [oid, kind]));
/** text, varchar, bpchar, name, "char": a transform's result still fits what they are. */
const characterOids = new Set([25, 1043, 1042, 19, 18]);

export function kindOf(column: Pick<BlockColumn, 'typeOid'>): ValueKind {
  return kindsByOid.get(column.typeOid) ?? 'string';
}

export function isCharacterType(column: Pick<BlockColumn, 'typeOid' | 'typeName'>): boolean {
  return characterOids.has(column.typeOid) || column.typeName === 'citext';
}

type HeaderType = Pick<BlockColumn, 'typeOid' | 'typeSchema' | 'typeName' | 'typmod' | 'format'>;

/** How a built-in type stands in a block's header. */
export function headerType(name: BuiltInName): HeaderType {
  const { oid, name: typeName } = builtIns[name];
  return { typeOid: oid, typeSchema: 'pg_catalog', typeName, typmod: -1, format: 'text' };
}

/** The built-in type that an operator's words name ("numeric(14,2)", "int"), undefined for any other type and for arrays. */
export function builtInNamed(words: string): BuiltInName | undefined {
  const plain = words
    .toLowerCase()
    .replace(/\([^)]*\)/, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replace(/^pg_catalog\./, '');
  if (Object.hasOwn(builtIns, plain)) return plain as BuiltInName;
  return Object.hasOwn(aliases, plain) ? aliases[plain] : undefined;
}

/** Digits that a double holds exactly, whatever they are. */
const SHORT = 15;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/**
 * Reads a cell straight from a block's bytes as what expressions see: short numbers without a string in between, since filters and sums
 * over them are what expressions are mostly about.
 * @throws {RowFailure} naming the column when the text cannot be read so
 */
export function decodeBytes(bytes: Buffer, from: number, to: number, kind: ValueKind, column: string): CelValue {
  if ((kind === 'int' || kind === 'decimal') && to - from <= SHORT) {
    const first = bytes[from] === MINUS ? from + 1 : from;
    let value = 0;
    let point = -1;
    let at = first;
    for (; at < to; at++) {
      const byte = bytes[at]!;
      if (byte >= ZERO && byte <= ZERO + 9) value = value * 10 + byte - ZERO;
      else if (byte === POINT && point < 0 && kind === 'decimal') point = at;
      else break;
    }
    if (at === to && to - first > (point < 0 ? 0 : 1)) {
      const units = first === from ? value : 0 - value;
      return kind === 'int' ? BigInt(units) : new Decimal(units, point < 0 ? 0 : to - 1 - point);
    }
  }
  return decodeText(readText(bytes, from, to), kind, column);
}

/** What a decoder puts where bytes are no UTF-8. */
const REPLACED = '\ufffd';

/**
 * The text of a cell. Bytes that are none (servers before 16 print a "char" beyond ASCII so) must not go on as another text. (Promise 4)
 * @throws {RowFailure}
 */
export function readText(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('utf8', from, to);
  if (text.includes(REPLACED) && !isUtf8(bytes.subarray(from, to)))
    throw new RowFailure('a value holds bytes that are no text in UTF-8');
  return text;
}

/** Whether a value is what a column of this kind gives. */
export function isOfKind(value: unknown, kind: ValueKind): boolean {
  switch (kind) {
    case 'int':
      return typeof value === 'bigint';
    case 'decimal':
    case 'money':
      return value instanceof Decimal;
    case 'double':
      return typeof value === 'number';
    case 'bool':
      return typeof value === 'boolean';
    case 'string':
      return typeof value === 'string';
    case 'bytes':
      return value instanceof Uint8Array;
  }
}

/** Reads a cell's text as what expressions see. @throws {RowFailure} naming the column when the text cannot be read so */
export function decodeText(text: string, kind: ValueKind, column: string): CelValue {
  switch (kind) {
    case 'string':
      return text;
    case 'int':
      if (!/^-?\d+$/.test(text)) throw new RowFailure(`${column} holds ${shown(text)}, which is no whole number`);
      return BigInt(text);
    case 'bool':
      if (text === 't' || text === 'true') return true;
      if (text === 'f' || text === 'false') return false;
      throw new RowFailure(`${column} holds ${shown(text)}, which is neither true nor false`);
    case 'double': {
      const value = Number(text);
      if (text === '' || (Number.isNaN(value) && text !== 'NaN'))
        throw new RowFailure(`${column} holds ${shown(text)}, which is no number`);
      return value;
    }
    case 'decimal':
    case 'money':
      try {
        return kind === 'money' ? Decimal.parseMoney(text) : Decimal.parse(text);
      } catch (cause) {
        throw new RowFailure(`${column}: ${(cause as RangeError).message}`, { cause });
      }
    case 'bytes':
      if (!/^\\x(?:[0-9a-fA-F]{2})*$/.test(text)) throw new RowFailure(`${column} does not hold bytes in hex form`);
      return Buffer.from(text.slice(2), 'hex');
  }
}

/** Text of an expression's result, as PostgreSQL reads it into a column. @throws {RowFailure} when a cell cannot hold it */
export function encodeValue(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new RowFailure('the result is cut in the middle of a character');
      return value;
    case 'bigint':
      return value.toString();
    case 'boolean':
      return value ? 't' : 'f';
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'object':
      if (value === null) return null;
      if (value instanceof Decimal || value instanceof Timestamp) return value.toString();
      if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
      if (value instanceof Duration) return `${value.seconds} seconds ${Math.trunc(value.nanos / 1000)} microseconds`;
      break;
    default:
  }
  throw new RowFailure('the result is a list, a map or a type: a column holds a single value');
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
