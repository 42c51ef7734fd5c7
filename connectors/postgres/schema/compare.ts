import { isDeepStrictEqual } from 'node:util';
import type {
  ColumnModel,
  ConstraintModel,
  IndexModel,
  SequenceModel,
  TableModel,
  TypeModel,
} from '#connectors/contract/schema.ts';
import { columnDefinition, constraintDefinition, createIndex, createType, VIRTUAL_SINCE } from './ddl.ts';

/** Comments are no difference, nor is where a sequence stands. */
export const sameType = (one: TypeModel, other: TypeModel): boolean => createType(one) === createType(other);

export function sameSequence(one: SequenceModel, other: SequenceModel): boolean {
  const shape = (sequence: SequenceModel): unknown => ({
    ...sequence,
    value: undefined,
    comment: undefined,
    ownedBy: undefined,
  });
  return isDeepStrictEqual(shape(one), shape(other));
}

export const sameConstraint = (one: ConstraintModel, other: ConstraintModel): boolean =>
  constraintDefinition(one) === constraintDefinition(other);

export const sameIndex = (table: TableModel, one: IndexModel, other: IndexModel): boolean =>
  createIndex(table.name, one) === createIndex(table.name, other);

/** How a table that was there before us differs from the one we would make, each in a few words; what it has beyond that is its own matter. */
export function differences(there: TableModel, wanted: TableModel): string[] {
  const told: string[] = [];
  const columns = new Map(there.columns.map((column) => [column.name, column]));
  for (const column of wanted.columns) {
    const other = columns.get(column.name);
    if (!other) told.push(`no column ${column.name}`);
    else if (columnText(other) !== columnText(column))
      told.push(`column ${column.name} is ${columnText(other)}, not ${columnText(column)}`);
  }
  if (there.partitionKey !== wanted.partitionKey && wanted.partitionKey !== undefined)
    told.push(`not partitioned by ${wanted.partitionKey}`);
  for (const constraint of wanted.constraints)
    if (!there.constraints.some((other) => other.kind === constraint.kind && sameBut(other, constraint)))
      told.push(`no ${constraintDefinition(constraint)}`);
  for (const index of wanted.indexes)
    if (!there.indexes.some((other) => other.unique === index.unique && other.definition === index.definition))
      told.push(`no index ${index.name}`);
  return told;
}

/** The same constraint by whatever name. */
function sameBut(one: ConstraintModel, other: ConstraintModel): boolean {
  return sameConstraint({ ...one, name: other.name }, other);
}

function columnText(column: ColumnModel): string {
  const { value } = column;
  // Sequences have names of their own at each end.
  const shown: ColumnModel['value'] = value.kind === 'sequence' ? { kind: 'none' } : value;
  return columnDefinition({ ...column, notNullName: undefined, value: shown }, { serverVersion: VIRTUAL_SINCE });
}
