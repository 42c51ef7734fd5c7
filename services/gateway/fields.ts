import type { z } from 'zod';
import type { FieldProblem } from '#schemas/http/common.ts';
import { errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** A field as people write it: `tables[0].columns.tax_year.compute`; names that are no identifiers in quotes. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = String(part);
    if (!/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/**
 * What zod found, by field, in sentences. Of the branches of a union only the one that was meant is told: a wrong argument of one
 * transform should not be reported as twelve other transforms that it is not.
 */
export function fieldProblems(issues: readonly Issue[]): FieldProblem[] {
  return issues
    .flatMap((issue) => flatten(issue, []))
    .map(({ path, message }) => ({
      path: formatPath(path),
      code: 'REQUEST_INVALID' as const,
      message,
      fix: errorKinds.REQUEST_INVALID.fix,
    }));
}

/**
 * Texts, names of fields included, that PostgreSQL cannot hold: with a NUL, or with half of a surrogate pair. Told at the edge, by their field;
 * behind it they would be a statement that fails. (CHECKLIST 40)
 */
export function unstorableTexts(value: unknown, path: Path = []): FieldProblem[] {
  if (typeof value === 'string') return isStorable(value) ? [] : [unstorable(path)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) =>
    isStorable(name)
      ? unstorableTexts(field, [...path, Array.isArray(value) ? Number(name) : name])
      : [unstorable([...path, '?'])],
  );
}

const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes('\0');

const unstorable = (path: Path): FieldProblem => ({
  path: formatPath(path),
  code: 'REQUEST_INVALID',
  message: 'must not hold a NUL character or half of a surrogate pair',
  fix: errorKinds.REQUEST_INVALID.fix,
});

/** The error that tells the caller about all of them at once; `mixed` is its code when they have several. */
export function invalidFields(
  problems: readonly FieldProblem[],
  where = 'body',
  mixed: ErrorCode = 'REQUEST_INVALID',
): TerraFusionError {
  const told = problems
    .slice(0, 5)
    .map(({ path, message }) => (path === '' ? `The ${where}: ${message}` : `${path}: ${message}`));
  const rest = problems.length - told.length;
  // One kind of problem keeps its own code, so that programs need not look into the details.
  const codes = new Set(problems.map(({ code }) => code));
  const [code] = codes;
  return new TerraFusionError(
    codes.size === 1 && code !== undefined ? code : mixed,
    `${told.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`,
    { details: { fields: problems } },
  );
}

interface Told {
  readonly path: Path;
  readonly message: string;
}

function flatten(issue: Issue, base: Path): Told[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: 'there is no field of this name here' }));
  }
  if (issue.code === 'invalid_union') return flattenUnion(issue, path);
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path, message: `is missing (expected ${issue.expected})` }];
  }
  return [{ path, message: issue.message }];
}

function flattenUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path): Told[] {
  const branches: readonly (readonly Issue[])[] = issue.errors;
  const meant = branches.filter((branch) => branch.length > 0 && !branch.some(isOtherForm));
  const best = meant.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
  if (best) return best.flatMap((inner) => flatten(inner, path));
  const forms = new Set(branches.flatMap((branch) => branch.filter(({ path: at }) => at.length === 0).map(formOf)));
  return [{ path, message: forms.size === 0 ? issue.message : `must be ${[...forms].join(', or ')}` }];
}

/** The branch wanted something of another form altogether. */
function isOtherForm(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  return issue.code === 'invalid_type' || issue.code === 'unrecognized_keys' || issue.code === 'invalid_value';
}

function formOf(issue: Issue): string {
  if (issue.code === 'invalid_type')
    return issue.expected === 'string' ? 'a text' : `an ${issue.expected}`.replace('an record', 'an object');
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(', ');
  if (issue.code === 'unrecognized_keys') return `an object without ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  return issue.message;
}

const depth = (branch: readonly Issue[]): number => Math.max(0, ...branch.map(({ path }) => path.length));
