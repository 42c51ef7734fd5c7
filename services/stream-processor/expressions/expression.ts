import {
  EvaluationError,
  ParseError,
  TypeError as CelTypeError,
  type ASTNode,
  type ParseResult,
} from '@marcbachmann/cel-js';
import { RowFailure } from '../row-failure.ts';
import type { BuiltInName, CelValue, ValueKind } from '../values.ts';
import { ExpressionMistake, fieldName, literalsBeside, prepare, typeOf } from './ast.ts';
import { compileDirect } from './direct.ts';
import { looseEnvironment, Row, strictEnvironment } from './environment.ts';

/** The columns that an expression may name. */
export interface ExpressionColumns {
  /** For messages: "table pacs.property". */
  readonly describe: string;
  readonly names: readonly string[];
  readonly kinds: readonly ValueKind[];
}

/** A compiled CEL expression over one row. Only the columns that it names are ever looked at, each when evaluation comes to it. */
export interface Expression {
  readonly source: string;
  /** Indexes of the columns that it names. */
  readonly inputs: readonly number[];
  /** PostgreSQL type that suits its result; undefined when that depends on the row. */
  readonly type: BuiltInName | undefined;
  /**
   * @param read the value of a column; what it throws goes through, unless the result does not depend on it (`true || …`)
   * @param noNulls whether none of its columns is NULL in this row: then types are known, and evaluation is quicker
   * @throws {RowFailure} when the expression cannot be evaluated for this row
   */
  evaluate(read: (column: number) => CelValue, noNulls?: boolean): unknown;
}

const typesByCel: Readonly<Record<string, BuiltInName>> = {
  int: 'bigint',
  uint: 'numeric',
  double: 'double precision',
  bool: 'boolean',
  string: 'text',
  bytes: 'bytea',
  decimal: 'numeric',
  timestamp: 'timestamp with time zone',
  'google.protobuf.Duration': 'interval',
};

const celByKind: Readonly<Record<ValueKind, string>> = {
  int: 'int',
  decimal: 'decimal',
  money: 'decimal',
  double: 'double',
  bool: 'bool',
  bytes: 'bytes',
  string: 'string',
};

/** Rounds of reading literals as decimals; each finds at least one more. */
const MAX_ROUNDS = 100;

/**
 * @param wants what the result is for: a condition must be a bool, a value anything that a cell can hold
 * @throws {ExpressionMistake} showing where the expression goes wrong
 */
export function compileExpression(
  source: string,
  columns: ExpressionColumns,
  wants: 'condition' | 'value',
): Expression {
  const indexes = new Map(columns.names.map((name, index) => [name, index]));
  const fields = Object.fromEntries(columns.kinds.map((kind, index) => [fieldName(index), celByKind[kind]]));
  const strict = strictEnvironment(fields);
  const decimals = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const checked = parsed(() => strict.parse(source), source);
    const { inputs } = prepare(checked.ast, source, (name) => indexes.get(name), columns.describe, decimals);
    const result = checked.check();
    if (!result.valid) {
      const more = literalsMeantAsDecimals(result.error).filter((start) => !decimals.has(start));
      if (more.length === 0) throw mistakeFrom(result.error, source);
      for (const start of more) decimals.add(start);
      continue;
    }
    const celType = typeOf(checked.ast, result.type ?? 'dyn');
    checkResult(celType, wants, source, checked.ast);

    const run = parsed(() => looseEnvironment.parse(source), source);
    prepare(run.ast, source, (name) => indexes.get(name), columns.describe, decimals);
    const loose = run.check();
    if (!loose.valid) throw mistakeFrom(loose.error, source);
    const direct = compileDirect(checked.ast, columns.kinds);
    const evaluate = evaluator(checked, run, direct, inputs, columns.names);
    return { source, inputs, type: typesByCel[celType], evaluate };
  }
  throw new ExpressionMistake('the expression mixes decimals and doubles in too many places', source, 0);
}

function parsed(parse: () => ParseResult, source: string): ParseResult {
  try {
    return parse();
  } catch (error) {
    throw mistakeFrom(error, source);
  }
}

/** @param typed for rows without NULL; @param dynamic for any row; @param direct instead of `typed`, where it is there */
function evaluator(
  typed: ParseResult,
  dynamic: ParseResult,
  direct: ReturnType<typeof compileDirect>,
  inputs: readonly number[],
  names: readonly string[],
): Expression['evaluate'] {
  let current: (column: number) => CelValue;
  const getters = inputs.map((index) => [fieldName(index), { get: () => current(index), enumerable: true }] as const);
  const context = { row: Object.create(Row.prototype, Object.fromEntries(getters)) as Row };
  return (read, noNulls = false) => {
    current = read;
    try {
      if (noNulls && direct !== undefined) return direct(read);
      return (noNulls ? typed(context) : dynamic(context)) as unknown;
    } catch (error) {
      if (error instanceof RowFailure) throw error;
      // Whatever else comes out of an expression has its reason in the row: a wrong type, an overflow, a value that a function refuses.
      const reason = error instanceof EvaluationError ? plain(error.summary) : (error as Error).message;
      throw new RowFailure(`${reason}${nullNote(inputs, names, read)}`, { cause: error });
    }
  };
}

/** NULL is what most failures come from, and the library's message names types only. */
function nullNote(inputs: readonly number[], names: readonly string[], read: (column: number) => CelValue): string {
  const nulls = inputs.filter((index) => {
    try {
      return read(index) === null;
    } catch {
      return false;
    }
  });
  return nulls.length === 0 ? '' : ` (${nulls.map((index) => `row.${names[index]!}`).join(', ')} is NULL)`;
}

function checkResult(celType: string, wants: 'condition' | 'value', source: string, ast: ASTNode): void {
  if (celType === 'dyn') return;
  if (wants === 'condition' && celType !== 'bool')
    throw new ExpressionMistake(`the expression must be true or false, but gives ${celType}`, source, ast.start);
  if (wants === 'value' && celType !== 'null' && !Object.hasOwn(typesByCel, celType))
    throw new ExpressionMistake(`the expression gives ${celType}; a column holds a single value`, source, ast.start);
}

function literalsMeantAsDecimals(error: unknown): number[] {
  if (!(error instanceof CelTypeError) || !/\bdecimal\b/.test(error.summary) || !error.node) return [];
  return literalsBeside(error.node);
}

function mistakeFrom(error: unknown, source: string): ExpressionMistake {
  if (error instanceof ExpressionMistake) return error;
  if (error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError) {
    const mixed = /\bdecimal\b/.test(error.summary) && /\bdouble\b/.test(error.summary);
    const hint = mixed ? '; decimals are exact and do not mix with doubles: write decimal(…) around the double' : '';
    return new ExpressionMistake(`${plain(error.summary)}${hint}`, source, error.range?.start ?? 0);
  }
  if (error instanceof RangeError) return new ExpressionMistake('the expression is nested too deep', source, 0);
  return new ExpressionMistake(error instanceof Error ? error.message : String(error), source, 0);
}

/** A message of the library in the words of who wrote the expression. */
function plain(summary: string): string {
  return summary
    .replaceAll('timestamp_exact', 'timestamp')
    .replaceAll('matches_bounded', 'matches')
    .replaceAll(/\bdyn<([\w.]+)>/g, '$1');
}
