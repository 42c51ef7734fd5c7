import type { ErrorCode } from '#schemas/errors.ts';

/** One precondition, looked at. */
export interface Check {
  /** Short and stable, for programs: "wal_level", "login", "privilege:public.parcel". */
  readonly name: string;
  readonly ok: boolean;
  /** False: the pair runs all the same, somebody should know. */
  readonly required: boolean;
  /** What was found. */
  readonly message: string;
  readonly code?: ErrorCode;
  readonly fix?: string;
}
