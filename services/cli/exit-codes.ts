import type { ErrorCode, TerraFusionError } from '#schemas/errors.ts';
import { exitCodes as processCodes } from '#services/kernel/lifecycle.ts';

/** How a command ends: what processes end with, and what scripts ask of a command. The one table; `--help` and the reference show it. */
export const exitCodes = {
  ...processCodes,
  /** `apply --dry-run`: the gateway is not as the file says. */
  CHANGES: 2,
  /** Nobody answers: no gateway, or a part of the product that the answer needs. Trying again later may help. */
  NOT_REACHABLE: 3,
  /** No key, a wrong one, or one without the role. */
  NOT_ALLOWED: 4,
  /** What was waited for did not happen in time. */
  TIMED_OUT: 5,
} as const;

/** The table as people read it, in order. */
export const exitCodeTable: readonly (readonly [code: number, meaning: string])[] = [
  [exitCodes.OK, 'done, or stopped as asked'],
  [exitCodes.FAILED, 'failed, for the reason in the last line; or what was looked at is not as it should be'],
  [exitCodes.CHANGES, 'apply --dry-run: there is something to change'],
  [exitCodes.NOT_REACHABLE, 'no gateway answers, or a part of the product that is needed does not'],
  [exitCodes.NOT_ALLOWED, 'no key, a wrong one, or one without the role'],
  [exitCodes.TIMED_OUT, 'what was waited for did not happen in time; it may still'],
  [exitCodes.USAGE, 'wrong arguments'],
  [exitCodes.DEFECT, 'a defect of this program'],
  [exitCodes.CONFIG, 'wrong settings'],
  [exitCodes.INTERRUPTED, 'a second signal cut the stopping short'],
];

const byError: Partial<Record<ErrorCode, number>> = {
  GATEWAY_UNREACHABLE: exitCodes.NOT_REACHABLE,
  SERVICE_UNAVAILABLE: exitCodes.NOT_REACHABLE,
  CONTROL_DATABASE_UNREACHABLE: exitCodes.NOT_REACHABLE,
  UNAUTHENTICATED: exitCodes.NOT_ALLOWED,
  FORBIDDEN: exitCodes.NOT_ALLOWED,
  FENCE_TIMEOUT: exitCodes.TIMED_OUT,
  OPERATION_TIMEOUT: exitCodes.TIMED_OUT,
  CONFIG_INVALID: exitCodes.CONFIG,
  INTERNAL: exitCodes.DEFECT,
};

/** The code with which an error ends a command. A defect of the gateway is a failure here, one of this program is not. */
export function exitCodeOf(error: TerraFusionError): number {
  if (error.code === 'INTERNAL' && 'request_id' in error.details) return exitCodes.FAILED;
  return byError[error.code] ?? exitCodes.FAILED;
}
