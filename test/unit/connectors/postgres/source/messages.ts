/** pgoutput's messages, made by hand after the documentation ("Logical Replication Message Formats"). */

export interface Column {
  readonly name: string;
  readonly type?: number;
  readonly key?: boolean;
}

/** null is NULL, undefined an unchanged TOAST value. */
/** Bytes are a value in binary. */
export type Row = readonly (string | Uint8Array | null | undefined)[];

export const UNCHANGED = undefined;

/** Microseconds between 1970 and 2000. */
const EPOCH = 946_684_800_000_000n;

export function begin(commitLsn: bigint, { xid = 7, time = 1_700_000_000_000_001n } = {}): Buffer {
  return join('B', u64(commitLsn), u64(time - EPOCH), u32(xid));
}

export function commit(commitLsn: bigint, endLsn = commitLsn + 48n): Buffer {
  return join('C', u8(0), u64(commitLsn), u64(endLsn), u64(0n));
}

export function origin(name: string): Buffer {
  return join('O', u64(0n), text(name));
}

export function type(oid: number, schema: string, name: string): Buffer {
  return join('Y', u32(oid), text(schema), text(name));
}

export function relation(
  oid: number,
  columns: readonly Column[],
  { schema = 'public', name = `t${oid}`, identity = 'd' } = {},
): Buffer {
  const each = columns.map((column) =>
    Buffer.concat([u8(column.key === true ? 1 : 0), text(column.name), u32(column.type ?? 25), u32(0xffff_ffff)]),
  );
  return join('R', u32(oid), text(schema), text(name), Buffer.from(identity), u16(columns.length), ...each);
}

export function insert(oid: number, row: Row): Buffer {
  return join('I', u32(oid), Buffer.from('N'), tuple(row));
}

/** @param before with `K` a key, with `O` a whole row */
export function update(oid: number, after: Row, before?: { readonly kind: 'K' | 'O'; readonly row: Row }): Buffer {
  const old = before === undefined ? [] : [Buffer.from(before.kind), tuple(before.row)];
  return join('U', u32(oid), ...old, Buffer.from('N'), tuple(after));
}

export function remove(oid: number, before: { readonly kind: 'K' | 'O'; readonly row: Row }): Buffer {
  return join('D', u32(oid), Buffer.from(before.kind), tuple(before.row));
}

export function truncate(oids: readonly number[], options = 0): Buffer {
  return join('T', u32(oids.length), u8(options), ...oids.map(u32));
}

export function message(prefix: string, content: Uint8Array, transactional = true): Buffer {
  return join('M', u8(transactional ? 1 : 0), u64(99n), text(prefix), u32(content.length), Buffer.from(content));
}

function tuple(row: Row): Buffer {
  const cells = row.map((cell) => {
    if (cell === null) return Buffer.from('n');
    if (cell === undefined) return Buffer.from('u');
    const bytes = Buffer.from(cell);
    return Buffer.concat([Buffer.from(typeof cell === 'string' ? 't' : 'b'), u32(bytes.length), bytes]);
  });
  return Buffer.concat([u16(row.length), ...cells]);
}

function join(type: string, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(type), ...parts]);
}

function u8(value: number): Buffer {
  return Buffer.from([value]);
}

function u16(value: number): Buffer {
  const buf = Buffer.alloc(2);
  buf.writeUInt16BE(value);
  return buf;
}

function u32(value: number): Buffer {
  const buf = Buffer.alloc(4);
  buf.writeUInt32BE(value);
  return buf;
}

function u64(value: bigint): Buffer {
  const buf = Buffer.alloc(8);
  buf.writeBigUInt64BE(BigInt.asUintN(64, value));
  return buf;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}
