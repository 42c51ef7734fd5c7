import { type BlockColumn, type BlockTable, isTextInBinary } from '#schemas/block/index.ts';
import type { ColumnInput, TableInput } from '#schemas/pairs.ts';
import { formatTableName } from '#schemas/tables.ts';
import { type ValueForm, valueForm } from './binary-values.ts';
import { ExpressionMistake } from './expressions/ast.ts';
import { compileExpression, type Expression, type ExpressionColumns } from './expressions/expression.ts';
import { member, type Problem } from './problems.ts';
import { RowFailure } from './row-failure.ts';
import type { RowView } from './row-view.ts';
import { compileTransform, runTransforms, type Transform } from './transforms/index.ts';
import {
  builtInNamed,
  encodeValue,
  headerType,
  isCharacterType,
  kindOf,
  type BuiltInName,
  type ValueKind,
} from './values.ts';

/** Where a target column's cells come from. */
export type ColumnStep =
  | { readonly how: 'copy'; readonly source: number }
  | {
      readonly how: 'value';
      /** Source columns that it looks at. */
      readonly inputs: readonly number[];
      /** Whether a row can fail in it. */
      readonly mayFail: boolean;
      /** The cell's text. @throws {RowFailure} */
      readonly run: (row: RowView) => string | null;
      /** What an expression gives, where its text is the cell's as it is: rules need not read that again. @throws {RowFailure} */
      readonly evaluate?: (row: RowView) => unknown;
      /** Type of what `evaluate` gives; undefined where that depends on the row. */
      readonly gives?: BuiltInName | undefined;
    };

export interface PlanColumn {
  readonly step: ColumnStep;
  readonly header: BlockColumn;
  /** How rules read its cells. */
  readonly kind: ValueKind;
  /** How the values of its step are written where the source's rows are in binary; undefined where they are text, and of what is copied. */
  readonly form?: ValueForm;
  /** The source column that it carries on by itself (transforms or not); undefined for concat and compute. */
  readonly keySource: number | undefined;
  /** Built-in type that suits it; undefined when it keeps the source column's. */
  readonly type: BuiltInName | undefined;
  /** The operator's own words for its type. */
  readonly typeWords: string | undefined;
}

export function planColumns(
  input: TableInput,
  shape: BlockTable,
  path: string,
  problems: Problem[],
): { columns: PlanColumn[] } {
  if (input.columns === 'same') return { columns: sameColumns(input, shape, path, problems) };
  if (input.exclude.length > 0) {
    problems.push({ path: `${path}.exclude`, code: 'PAIR_INVALID', message: 'exclude goes with columns "same" only' });
  }
  const entries = Object.entries(input.columns);
  if (entries.length === 0) {
    problems.push({ path: `${path}.columns`, code: 'PAIR_INVALID', message: 'at least one column must be named' });
  }
  const columns = entries.flatMap(
    ([name, column]) => planColumn(name, column, shape, member(`${path}.columns`, name), problems) ?? [],
  );
  return { columns };
}

function sameColumns(input: TableInput, shape: BlockTable, path: string, problems: Problem[]): PlanColumn[] {
  const excluded = new Set(input.exclude);
  const columns = shape.columns.flatMap((column, source) =>
    excluded.delete(column.name) ? [] : [copied(column, source)],
  );
  if (columns.length === 0 && shape.columns.length > 0) {
    problems.push({ path: `${path}.exclude`, code: 'PAIR_INVALID', message: 'every column is excluded' });
  }
  for (const name of excluded) problems.push(missing(name, shape, `${path}.exclude`));
  return columns;
}

function copied(column: BlockColumn, source: number): PlanColumn {
  return {
    step: { how: 'copy', source },
    header: column,
    kind: kindOf(column),
    keySource: source,
    type: undefined,
    typeWords: undefined,
  };
}

function planColumn(
  name: string,
  input: ColumnInput,
  shape: BlockTable,
  path: string,
  problems: Problem[],
): PlanColumn | undefined {
  const transforms = compileTransforms(input, path, problems);
  const mayFail = input.transforms.some(
    (transform) => typeof transform === 'object' && ('replace_pattern' in transform || rejects(transform)),
  );
  if ('from' in input) {
    const source = indexOf(input.from, shape, `${path}.from`, problems);
    if (source === undefined) return undefined;
    const column = shape.columns[source]!;
    if (transforms.length === 0)
      return typed(name, input.type, shape, column, { how: 'copy', source }, source, undefined);
    const step: ColumnStep = {
      how: 'value',
      inputs: [source],
      mayFail,
      run: (row) => wellFormed(runTransforms(transforms, row.text(source))),
    };
    return typed(name, input.type, shape, column, step, source, isCharacterType(column) ? undefined : 'text');
  }
  if ('concat' in input) {
    const inputs = input.concat.flatMap(
      (from, index) => indexOf(from, shape, `${path}.concat[${index}]`, problems) ?? [],
    );
    const { separator } = input;
    const run = (row: RowView) => {
      const parts = inputs.map((source) => row.text(source)).filter((part) => part !== null && part !== '');
      return wellFormed(runTransforms(transforms, parts.join(separator)));
    };
    // With several inputs some may not have been sent while others were: then the value is not known.
    const step: ColumnStep = { how: 'value', inputs, mayFail: mayFail || new Set(inputs).size > 1, run };
    return typed(name, input.type, shape, undefined, step, undefined, 'text');
  }
  const expression = compiled(input.compute, sourceColumns(shape), 'value', `${path}.compute`, problems);
  if (!expression) return undefined;
  const evaluate = (row: RowView) => expression.evaluate(row.value, row.allHaveValues(expression.inputs));
  const run = (row: RowView) => wellFormed(runTransforms(transforms, encodeValue(evaluate(row))));
  const step: ColumnStep = {
    how: 'value',
    inputs: expression.inputs,
    mayFail: true,
    run,
    ...(transforms.length === 0 ? { evaluate, gives: expression.type } : {}),
  };
  return typed(
    name,
    input.type,
    shape,
    undefined,
    step,
    undefined,
    transforms.length > 0 ? 'text' : (expression.type ?? 'text'),
  );
}

/**
 * The columns as they are where the source's rows are in binary, and stay so; undefined when one of them has to go by its text: one that is copied into a
 * column of another type, or made for a type of which only the server can tell whether the value fits.
 */
export function binaryColumns(columns: readonly PlanColumn[], shape: BlockTable): readonly PlanColumn[] | undefined {
  const made = columns.map((column) => binaryColumn(column, shape));
  return made.every((column) => column !== undefined) ? made : undefined;
}

/** Whether the column can be expected to be one of {@link binaryColumns}, as far as its definition tells. */
export function keepsForm(input: ColumnInput): boolean {
  if (input.type === undefined) return true;
  // Copied, and as a rule into another type than the source's.
  if ('from' in input) return false;
  const type = builtInNamed(input.type);
  const gives = 'compute' in input && input.transforms.length === 0 ? type : undefined;
  return type !== undefined && valueForm(headerType(type).typeOid, gives) !== undefined;
}

function binaryColumn(column: PlanColumn, { columns }: BlockTable): PlanColumn | undefined {
  const { header, step } = column;
  if (step.how === 'value') {
    const form = valueForm(header.typeOid, step.gives);
    return form && { ...column, form, header: { ...header, format: form.isText ? 'text' : 'binary' } };
  }
  const { typeOid, format } = columns[step.source]!;
  if (typeOid !== header.typeOid && !(isTextInBinary(typeOid) && isTextInBinary(header.typeOid))) return undefined;
  return { ...column, header: { ...header, format } };
}

export function sourceColumns(shape: BlockTable): ExpressionColumns {
  return {
    describe: `table ${formatTableName(shape)}`,
    names: shape.columns.map(({ name }) => name),
    kinds: shape.columns.map(kindOf),
  };
}

/** Compiles an expression; a mistake in it becomes a problem. */
export function compiled(
  source: string,
  columns: ExpressionColumns,
  wants: 'condition' | 'value',
  path: string,
  problems: Problem[],
): Expression | undefined {
  try {
    return compileExpression(source, columns, wants);
  } catch (error) {
    if (!(error instanceof ExpressionMistake)) throw error;
    problems.push({ path, code: 'PAIR_EXPRESSION_INVALID', message: error.message });
    return undefined;
  }
}

/** Completes a column: the operator's type where it is a built-in one, else the natural one. */
function typed(
  name: string,
  typeWords: string | undefined,
  shape: BlockTable,
  source: BlockColumn | undefined,
  step: ColumnStep,
  keySource: number | undefined,
  natural: BuiltInName | undefined,
): PlanColumn {
  const type = (typeWords === undefined ? undefined : builtInNamed(typeWords)) ?? natural;
  const like = type === undefined ? source : headerType(type);
  const { typeOid, typeSchema, typeName, typmod, format } = like ?? headerType('text');
  // With REPLICA IDENTITY FULL whole rows are compared, so every column takes part.
  const key = shape.identity === 'full' || (source?.key ?? false);
  const header = { name, typeOid, typeSchema, typeName, typmod, format, key };
  return { step, header, kind: kindOf(header), keySource, type, typeWords };
}

function compileTransforms(input: ColumnInput, path: string, problems: Problem[]): Transform[] {
  return input.transforms.flatMap((transform, index) => {
    try {
      return [compileTransform(transform)];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push({ path: `${path}.transforms[${index}]`, code: 'PAIR_INVALID', message: error.message });
      return [];
    }
  });
}

function rejects(transform: object): boolean {
  return 'lookup' in transform && (transform.lookup as { otherwise: string }).otherwise === 'reject';
}

function indexOf(name: string, shape: BlockTable, path: string, problems: Problem[]): number | undefined {
  const index = shape.columns.findIndex((column) => column.name === name);
  if (index >= 0) return index;
  problems.push(missing(name, shape, path));
  return undefined;
}

function missing(name: string, shape: BlockTable, path: string): Problem {
  return {
    path,
    code: 'SOURCE_COLUMN_MISSING',
    message: `table ${formatTableName(shape)} has no column ${JSON.stringify(name)}`,
  };
}

function wellFormed(text: string | null): string | null {
  if (text !== null && !text.isWellFormed())
    throw new RowFailure('a transform cut the value in the middle of a character');
  return text;
}
