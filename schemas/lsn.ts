/** A WAL location of PostgreSQL: 64 bits, printed as two hexadecimal halves ("16/B374D848"). */
export type Lsn = bigint;

/**
 * Reads PostgreSQL's printed form.
 * @throws {RangeError} when the text is not a WAL location.
 */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (!match) throw new RangeError(`"${text}" is not a WAL location`);
  return (BigInt(`0x${match[1]!}`) << 32n) | BigInt(`0x${match[2]!}`);
}

/** PostgreSQL's printed form, as `pg_lsn` shows it. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}
