/** Which transactions a snapshot of PostgreSQL shows. */
export interface Visibility {
  /** Whether the transaction had committed before the snapshot was taken. `xid`: 32 bits, as the stream tells it. */
  shows(xid: number): boolean;
}

/**
 * Reads `pg_snapshot`'s text, "xmin:xmax:xip,xip,…" (64-bit numbers; PostgreSQL manual, "Transaction ID and Snapshot Information Functions").
 * A stream tells 32 bits of a transaction's number; the rest follows from its being within two thousand million of the snapshot.
 * @throws {RangeError} when the text is not a snapshot
 */
export function parseSnapshot(text: string): Visibility {
  const match = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text);
  if (!match) throw new RangeError(`"${text}" is not a snapshot`);
  const xmin = BigInt(match[1]!);
  const xmax = BigInt(match[2]!);
  const running = new Set(match[3] === '' ? [] : match[3]!.split(',').map(BigInt));
  return {
    shows: (xid) => {
      const full = widen(xid, xmax);
      return full < xmin || (full < xmax && !running.has(full));
    },
  };
}

/** The 64-bit number nearest to `near` that ends in the 32 bits. */
function widen(xid: number, near: bigint): bigint {
  const half = 1n << 31n;
  let full = (near & ~0xffffffffn) | BigInt(xid >>> 0);
  if (full > near + half) full -= 1n << 32n;
  else if (full < near - half) full += 1n << 32n;
  return full;
}
