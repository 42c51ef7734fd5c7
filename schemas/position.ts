import { formatLsn, parseLsn, type Lsn } from './lsn.ts';

/**
 * Where in a source's history: orders all changes of a source.
 *
 * An LSN alone is not enough: several changes share one, and change LSNs run backwards between interleaved
 * transactions. Commit LSNs do not.
 */
export interface Position {
  /** Which slot; grows by one whenever a slot is created for the source. From 1; 0 only in {@link ORIGIN}. */
  readonly generation: number;
  /** The transaction's final LSN as Begin announces it, so it is known before the commit arrives. */
  readonly commitLsn: Lsn;
  /** Number of the change within its transaction, from 0; {@link LAST_ORDINAL} once the transaction is complete; -1 before its first change. */
  readonly ordinal: number;
}

/** Past every change of a transaction: "all of it". */
export const LAST_ORDINAL = Number.MAX_SAFE_INTEGER;

/** Before everything. */
export const ORIGIN: Position = { generation: 0, commitLsn: 0n, ordinal: 0 };

/** Negative when `a` is before `b`, zero when equal, positive when after. */
export function comparePositions(a: Position, b: Position): number {
  if (a.generation !== b.generation) return a.generation - b.generation;
  if (a.commitLsn !== b.commitLsn) return a.commitLsn < b.commitLsn ? -1 : 1;
  return a.ordinal - b.ordinal;
}

/** The end of a transaction: what a stage holds once it has all of it. */
export function endOf(generation: number, commitLsn: Lsn): Position {
  return { generation, commitLsn, ordinal: LAST_ORDINAL };
}

/**
 * Everything that was committed before `lsn`, and nothing else: where a stream begins (a slot's consistent or confirmed point).
 * Not {@link endOf}: a commit record may start exactly at that LSN, and its transaction is still to come.
 */
export function before(generation: number, lsn: Lsn): Position {
  return { generation, commitLsn: lsn, ordinal: -1 };
}

/** "generation:lsn:ordinal", the ordinal left out once the transaction is complete: "1:0/16B3748" or "1:0/16B3748:42". */
export function formatPosition(position: Position): string {
  const head = `${position.generation}:${formatLsn(position.commitLsn)}`;
  return position.ordinal === LAST_ORDINAL ? head : `${head}:${position.ordinal}`;
}

/**
 * Reads what {@link formatPosition} wrote.
 * @throws {RangeError} when the text is not a position.
 */
export function parsePosition(text: string): Position {
  const match = /^(\d{1,9}):([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})(?::(-1|\d{1,15}))?$/.exec(text);
  if (!match) throw new RangeError(`"${text}" is not a position`);
  return {
    generation: Number(match[1]),
    commitLsn: parseLsn(match[2]!),
    ordinal: match[3] === undefined ? LAST_ORDINAL : Number(match[3]),
  };
}
