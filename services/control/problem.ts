import type { TerraFusionError } from '#schemas/errors.ts';
import { maskText } from '#services/kernel/masking.ts';

/** Why a pair stands still, as it is kept and shown. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  /** ISO 8601. */
  readonly since: string;
}

/** An error in the form in which it is kept; secrets masked. (Promise 8) */
export function problemOf(error: TerraFusionError, at: Date): Problem {
  return { code: error.code, message: maskText(error.message), fix: error.fix, since: at.toISOString() };
}
