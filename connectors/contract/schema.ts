import type { TableName } from '#schemas/tables.ts';

/**
 * A source's schema as data: what its catalog says of some tables and of all they rest on, so that it can be made elsewhere, compared, or
 * altered. Names are plain (unquoted, case as it is); types, expressions and definitions are SQL as the server prints it, every name in
 * them quoted and with its schema, so that they mean the same whatever the other end's search path or list of reserved words. Such texts
 * come from a catalog and nowhere else.
 *
 * A text names the columns of its own table by their names: it holds for a table whose columns keep theirs. What can be carried over to
 * other columns is there in parts as well (key columns, references).
 */
export interface SchemaModel {
  /** As `server_version_num` says: 180004. */
  readonly serverVersion: number;
  readonly extensions: readonly ExtensionModel[];
  readonly collations: readonly CollationModel[];
  /** In an order in which they can be made. */
  readonly types: readonly TypeModel[];
  readonly sequences: readonly SequenceModel[];
  /** Parents before their partitions. */
  readonly tables: readonly TableModel[];
  /** What the tables have that does not go over, and why: by design, or because the role may not see it. */
  readonly notCarried: readonly SkippedObject[];
}

export interface ExtensionModel {
  readonly name: string;
  /** Where its objects live, for texts that name them. */
  readonly schema: string;
  readonly version: string;
}

export interface CollationModel {
  readonly name: TableName;
  /** What stands in the parentheses of CREATE COLLATION. */
  readonly definition: string;
  readonly comment: string | undefined;
}

export type TypeModel = { readonly name: TableName; readonly comment: string | undefined } & (
  | { readonly kind: 'enum'; readonly labels: readonly string[] }
  | {
      readonly kind: 'domain';
      readonly base: string;
      readonly collation: string | undefined;
      readonly notNull: boolean;
      readonly default: string | undefined;
      readonly checks: readonly { readonly name: string; readonly definition: string }[];
    }
  | {
      readonly kind: 'composite';
      readonly attributes: readonly {
        readonly name: string;
        readonly type: string;
        readonly collation: string | undefined;
      }[];
    }
  | {
      readonly kind: 'range';
      readonly subtype: string;
      /** What stands in the parentheses of CREATE TYPE … AS RANGE, the subtype included. */
      readonly definition: string;
    }
);

export interface SequenceModel {
  readonly name: TableName;
  readonly type: string;
  /** Numbers as text: they may be beyond what a double can hold. */
  readonly start: string;
  readonly increment: string;
  readonly minimum: string;
  readonly maximum: string;
  readonly cache: string;
  readonly cycle: boolean;
  /** The column it belongs to and goes with. */
  readonly ownedBy: { readonly table: TableName; readonly column: string } | undefined;
  /** It is the column's identity: made and owned with it, never by itself. */
  readonly identity: boolean;
  /** Undefined: the role may not read it. `called`: `last` has been given out, the next one is the one after. */
  readonly value: { readonly last: string; readonly called: boolean } | undefined;
  readonly comment: string | undefined;
}

export interface TableModel {
  readonly name: TableName;
  readonly unlogged: boolean;
  readonly columns: readonly ColumnModel[];
  /** "RANGE (sold_on)": rows live in its partitions. */
  readonly partitionKey: string | undefined;
  /** It is a partition: "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')", or "DEFAULT". */
  readonly partitionOf: { readonly table: TableName; readonly bound: string } | undefined;
  /** Storage parameters, "fillfactor=70". */
  readonly options: readonly string[];
  readonly replicaIdentity:
    { readonly kind: 'default' | 'full' | 'nothing' } | { readonly kind: 'index'; readonly index: string };
  /** Those it has of itself; what a partition has from its parent comes with it. */
  readonly constraints: readonly ConstraintModel[];
  /** Without those that belong to a constraint, or to an index of the partition's parent. */
  readonly indexes: readonly IndexModel[];
  readonly comment: string | undefined;
}

export interface ColumnModel {
  readonly name: string;
  /** As `format_type` prints it. */
  readonly type: string;
  /** Where it is not the type's own. */
  readonly collation: string | undefined;
  /** True only where the server vouches for every row. */
  readonly notNull: boolean;
  /** The constraint's name where it was chosen. */
  readonly notNullName: string | undefined;
  readonly value:
    | { readonly kind: 'none' }
    | { readonly kind: 'default'; readonly expression: string }
    /** The next number of a sequence and nothing more: goes along when the sequence gets another name. */
    | { readonly kind: 'sequence'; readonly sequence: TableName }
    | { readonly kind: 'identity'; readonly always: boolean; readonly sequence: TableName }
    /** Computed by each end for itself: never written. Virtual ones (18) are not stored. */
    | { readonly kind: 'generated'; readonly expression: string; readonly stored: boolean };
  readonly comment: string | undefined;
}

export type ConstraintModel = { readonly name: string; readonly comment: string | undefined } & (
  | {
      readonly kind: 'primary' | 'unique' | 'exclusion';
      /** Key columns in key order; of an exclusion constraint, and where an expression is part of it, empty. */
      readonly columns: readonly string[];
      /** As `pg_get_constraintdef` prints it. */
      readonly definition: string;
      /** Nothing but its columns: no INCLUDE, WITHOUT OVERLAPS, NULLS NOT DISTINCT, nor waiting. */
      readonly plain: boolean;
    }
  | { readonly kind: 'check' | 'notNull'; readonly columns: readonly string[]; readonly definition: string }
  | ({ readonly kind: 'foreign' } & ForeignKeyModel)
);

export interface ForeignKeyModel {
  readonly columns: readonly string[];
  readonly references: TableName;
  readonly referencedColumns: readonly string[];
  /** The last column of each side is a period (18). */
  readonly period: boolean;
  readonly matchFull: boolean;
  readonly onUpdate: ForeignKeyAction;
  readonly onDelete: ForeignKeyAction;
  /** Of SET NULL and SET DEFAULT; empty: all. */
  readonly onDeleteColumns: readonly string[];
  readonly deferrable: boolean;
  readonly deferred: boolean;
  /** False: NOT VALID, older rows may break it. */
  readonly validated: boolean;
  /** False: NOT ENFORCED (18). */
  readonly enforced: boolean;
}

export type ForeignKeyAction = 'NO ACTION' | 'RESTRICT' | 'CASCADE' | 'SET NULL' | 'SET DEFAULT';

export interface IndexModel {
  readonly name: string;
  readonly unique: boolean;
  /** All that follows the table's name in `pg_get_indexdef`: "USING btree (…) INCLUDE (…) WHERE …". */
  readonly definition: string;
  /** Key columns; empty where an expression is among them. */
  readonly columns: readonly string[];
  /** A btree over its columns and nothing more. */
  readonly plain: boolean;
  readonly comment: string | undefined;
}

/** Something that is not at the target, or not as it is at the source. Nothing is left out without one of these. */
export interface SkippedObject {
  /** Kind and name: "index property_geo_idx of pacs.property". */
  readonly object: string;
  readonly reason: string;
  /** What an operator can do about it; that nothing needs to be done, where it is so by design. */
  readonly fix: string;
}

/**
 * plan: nothing is made, the report says what would be. Whether rows satisfy a constraint is not known before they are there.
 * before: all that the load and the stream need to be right: extensions, types, sequences, tables with columns, defaults, keys, partitions.
 * after: what is better made once the rows are there: indexes, the other constraints, foreign keys, comments; sequences are advanced.
 */
export type SchemaPhase = 'plan' | 'before' | 'after';

export interface SchemaReport {
  /** Made by this call, or by an earlier one that was cut off; kind and name as in {@link SkippedObject}. */
  readonly made: readonly string[];
  /** Was there already, as it should be. */
  readonly found: readonly string[];
  readonly skipped: readonly SkippedObject[];
}

/** Where a sequence stood and stands. */
export interface SequenceAdvance {
  readonly sequence: TableName;
  /** What the source has given out last; undefined when it has given out nothing yet, or may not be read. */
  readonly source: string | undefined;
  /** The target's last number before and after; undefined when none was given out, or there is no such sequence. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Why it could not be advanced. */
  readonly problem: SkippedObject | undefined;
}
