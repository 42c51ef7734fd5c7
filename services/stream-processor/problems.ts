import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';

/** Something in a pair's definition that cannot work. */
export interface Problem {
  /** Where: `tables[0].columns.tax_year.compute`. */
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Path of a named member; in brackets where a dot would mislead. */
export function member(path: string, name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

/** All of the problems in one error, under the first one's code. */
export function problemsError(problems: readonly [Problem, ...Problem[]]): TerraFusionError {
  const text = problems.map(({ path, message }) => `${path}: ${message}`).join('\n');
  return new TerraFusionError(problems[0].code, text, { details: { problems } });
}

export function isNonEmpty<T>(items: readonly T[]): items is readonly [T, ...T[]] {
  return items.length > 0;
}
