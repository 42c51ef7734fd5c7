import type { ErrorCode } from '#schemas/errors.ts';

/** A column's type as a source's catalog has it (`TableShape`). */
export interface ProbeType {
  readonly typeOid: number;
  readonly typmod: number;
  /** As `format_type` prints it. */
  readonly printed: string;
}

/** Boundary values of a type: the smallest, the largest, the empty, what is awkward to quote. */
export interface ProbeValues {
  /** Each as the source prints it, in a copy and in the stream. Empty when none is known. */
  readonly values: readonly string[];
  /** NULL is no value of the type, whatever the column says. */
  readonly neverNull?: boolean;
  /** Why there are none, or what was left out. */
  readonly note?: string;
}

/** A column to be written for proof: a type at the target, and rows that have been through the pair's chain. */
export interface ProbeColumn {
  /** The column's name in the block. */
  readonly name: string;
  /** The type that it has at the target, or that it would be created with. */
  readonly type: string;
  /** Inserts of one table whose only column this is. */
  readonly block: Buffer;
}

/** What became of one insert of the block. */
export type ProbeRow =
  { readonly arrived: true; readonly text: string | null } | { readonly arrived: false; readonly reason: string };

export interface ProbeOutcome {
  /** One an insert, in order. Empty when `failure` says why none could be tried. */
  readonly rows: readonly ProbeRow[];
  readonly failure?: { readonly code: ErrorCode; readonly message: string };
}

/** Outcomes in the order of the columns; or why the target cannot be tried at all. */
export type ProbeAnswer =
  | { readonly outcomes: readonly ProbeOutcome[] }
  | { readonly impossible: { readonly message: string; readonly fix: string } };
