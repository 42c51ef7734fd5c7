import type { Check } from '#connectors/contract/check.ts';
import { type ErrorCode, errorKinds, TerraFusionError } from '#schemas/errors.ts';
import { type Role, translateError } from './errors.ts';

/** Versions whose pgoutput and catalogs we know. */
export const OLDEST_VERSION = 140_000;
export const NEWEST_VERSION = 189_999;

export function good(name: string, message: string): Check {
  return { name, ok: true, required: true, message };
}

/** Without it the pair cannot run. */
export function check(
  name: string,
  ok: boolean,
  message: string,
  bad: { readonly code?: ErrorCode; readonly fix?: string },
): Check {
  if (ok) return good(name, message);
  const fix = bad.fix ?? (bad.code === undefined ? undefined : errorKinds[bad.code].fix);
  return {
    name,
    ok,
    required: true,
    message,
    ...(bad.code && { code: bad.code }),
    ...(fix !== undefined && { fix }),
  };
}

/** The pair runs all the same. */
export function advice(name: string, ok: boolean, message: string, fix: string): Check {
  return { name, ok, required: false, message, ...(ok ? {} : { fix }) };
}

/** What could not be looked at. */
export function failed(role: Role, name: string, error: unknown): Check {
  const { message, code, fix } =
    error instanceof TerraFusionError ? error : translateError(error, role, `Could not look at the ${role}`);
  return { name, ok: false, required: true, message, code, fix };
}

export function versionCheck(role: Role, version: number, text: string): Check {
  if (version > NEWEST_VERSION) {
    return advice(
      'version',
      false,
      `The ${role} is PostgreSQL ${text}, which is newer than what this version was tried with.`,
      'Try it where nothing depends on it, or update this product.',
    );
  }
  return check('version', version >= OLDEST_VERSION, `The ${role} is PostgreSQL ${text}.`, {
    fix: `Update the ${role} to PostgreSQL 14 or newer.`,
  });
}
