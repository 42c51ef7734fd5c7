import type { Position } from '../position.ts';

/** Version of the block format that this code writes. Older ones are read through `upgrade.ts`. */
export const BLOCK_FORMAT = 3;

export type ReplicaIdentity = 'default' | 'nothing' | 'full' | 'index';
export const REPLICA_IDENTITIES: readonly ReplicaIdentity[] = ['default', 'nothing', 'full', 'index'];

/** How the cells of a column are written: as PostgreSQL prints them, or in its binary form. */
export type CellFormat = 'text' | 'binary';
export const CELL_FORMATS: readonly CellFormat[] = ['text', 'binary'];

/** Kinds of change, as numbers: they are the enum's index on the wire. */
export const Op = { insert: 0, update: 1, delete: 2, truncate: 3, schema: 4, message: 5 } as const;
export type Op = (typeof Op)[keyof typeof Op];
export const OP_NAMES = ['insert', 'update', 'delete', 'truncate', 'schema', 'message'] as const;

/** What a cell holds, as numbers: they are the union's index on the wire. */
export const Cell = { null: 0, text: 1, unchanged: 2, bytes: 3 } as const;
export type Cell = (typeof Cell)[keyof typeof Cell];
/**
 * How a row in one piece begins: as the only item of its array, a further branch of the cells' union. Its cells have no kinds of their own: those that are not null
 * are bytes, in a column of texts those of the text.
 */
export const ROW_IMAGE = 8;

/** What came before a change: nothing was sent, the identity's columns only (others are null), or the whole row. */
export const Before = { absent: 0, key: 1, full: 2 } as const;
export type Before = (typeof Before)[keyof typeof Before];

export interface BlockColumn {
  readonly name: string;
  /** Oid at the source; the same everywhere only for built-in types (below 16384). */
  readonly typeOid: number;
  readonly typeSchema: string;
  readonly typeName: string;
  readonly typmod: number;
  /** Part of the replica identity. */
  readonly key: boolean;
  readonly format: CellFormat;
}

/** A table in one shape. A table whose shape changes within a block occurs in it twice. */
export interface BlockTable {
  readonly relationId: number;
  readonly schema: string;
  readonly name: string;
  readonly identity: ReplicaIdentity;
  /** Rows may be at the target or not whatever the operation says: a filter stands before it. */
  readonly tolerant: boolean;
  readonly columns: readonly BlockColumn[];
}

export interface BlockHeader {
  readonly format: number;
  readonly source: string;
  readonly generation: number;
  /** The position this block continues from: who holds less has missed something. */
  readonly after: Position;
  /** Offset of the input block this one was made from; -1n in a reader's topic. */
  readonly inputOffset: bigint;
  readonly tables: readonly BlockTable[];
}

/** Head of a transaction (or of a slice of one) in a block. */
export interface BlockTransaction {
  readonly xid: number;
  readonly commitLsn: bigint;
  /** Microseconds since 1970-01-01 UTC. */
  readonly commitTime: number;
  /** Replication origin, when the transaction came from elsewhere. */
  readonly origin: string | undefined;
}
