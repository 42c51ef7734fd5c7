import type { TableShape } from '#connectors/contract/source.ts';
import type { TableToCreate } from '#connectors/contract/target.ts';
import type { TableInput } from '#schemas/pairs.ts';
import { parseTableName } from '#schemas/tables.ts';
import { isNonEmpty, problemsError, type Problem } from './problems.ts';
import { planTable } from './table-plan.ts';

/**
 * The target table that suits a table of a pair: a column's type is the one that the operator named, else the source column's for a
 * value that goes over as it is (or a text that stays one), else what the expression gives, else text. NOT NULL and primary key come
 * from the source's columns that go over.
 * @throws {TerraFusionError} PAIR_INVALID, PAIR_EXPRESSION_INVALID, SOURCE_COLUMN_MISSING with all that is wrong
 */
export function targetColumns(input: TableInput, shape: TableShape): TableToCreate {
  const problems: Problem[] = [];
  const plan = planTable(input, shape.table, { on_invalid: 'quarantine' }, `table ${input.source}`, problems);
  if (isNonEmpty(problems)) throw problemsError(problems);
  const names = shape.table.columns.map(({ name }) => name);
  const columns = plan!.columns.map(({ header, type, typeWords, keySource, step }) => {
    const source = keySource === undefined ? undefined : names[keySource]!;
    const natural = type ?? (source === undefined ? 'text' : (shape.typeNames.get(source) ?? 'text'));
    const notNull = step.how === 'copy' && source !== undefined && shape.notNull.has(source);
    return { name: header.name, type: typeWords ?? natural, notNull, source };
  });
  const identity =
    shape.table.identity === 'full' ? [] : shape.table.columns.filter(({ key }) => key).map(({ name }) => name);
  const key = keyAt(columns, shape.primaryKey) ?? keyAt(columns, identity) ?? [];
  return {
    table: parseTableName(input.target ?? input.source),
    columns: columns.map(({ name, type, notNull }) => ({ name, type, notNull })),
    primaryKey: key,
  };
}

/** The target's columns for a key of the source, undefined when one of its columns does not go over. */
function keyAt(
  columns: readonly { readonly name: string; readonly source: string | undefined }[],
  key: readonly string[],
): string[] | undefined {
  if (key.length === 0) return undefined;
  const found = key.map((name) => columns.find(({ source }) => source === name)?.name);
  return found.every((name) => name !== undefined) ? found : undefined;
}
