import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source, TableShape } from '#connectors/contract/source.ts';
import type { TableToCreate } from '#connectors/contract/target.ts';
import type { PairDefinition, TableInput } from '#schemas/pairs.ts';
import { parseTableName, type TableName } from '#schemas/tables.ts';
import { keepsForm } from '#services/stream-processor/columns.ts';
import { targetColumns } from '#services/stream-processor/target-columns.ts';

/** One table of a pair with what the source's catalog says of it. */
export interface PlannedTable {
  /** undefined: as it is, under the same name. */
  readonly input: TableInput | undefined;
  readonly shape: TableShape;
  readonly target: TableName;
  /** Rows go over as they are: same columns, no filter, no rule. */
  readonly identity: boolean;
  /** Rows are at the target or not by what is in them. */
  readonly filtered: boolean;
}

/** The pair's tables as they stand at the source now. @throws SOURCE_TABLE_MISSING naming all that are missing */
export async function planTables(
  definition: PairDefinition,
  source: Source,
  context: ConnectorContext,
): Promise<PlannedTable[]> {
  if (definition.tables === undefined) {
    const shapes = await source.describe(undefined, context);
    return shapes.map((shape) => ({ input: undefined, shape, target: nameOf(shape), identity: true, filtered: false }));
  }
  const names = definition.tables.map((table) => parseTableName(table.source));
  const shapes = await source.describe(names, context);
  return definition.tables.map((input, index) => {
    const name = names[index]!;
    const shape = shapes.find(({ table }) => table.schema === name.schema && table.name === name.name);
    if (!shape) throw new Error(`the source described everything but ${input.source}`);
    return {
      input,
      shape,
      target: targetOf(input),
      identity: isIdentity(input),
      filtered: input.where !== undefined,
    };
  });
}

export const sourceTables = (tables: readonly PlannedTable[]): TableName[] => tables.map(({ shape }) => nameOf(shape));

/** What has to be there at the target before rows can come. */
export function tablesToCreate(tables: readonly PlannedTable[]): TableToCreate[] {
  return tables.map(({ input, shape, target }) => {
    if (input === undefined || (input.columns === 'same' && input.exclude.length === 0)) {
      return {
        table: target,
        columns: shape.table.columns.map(({ name }) => ({
          name,
          type: shape.typeNames.get(name)!,
          notNull: shape.notNull.has(name),
        })),
        primaryKey: shape.primaryKey,
      };
    }
    return targetColumns(input, shape);
  });
}

function targetOf(input: TableInput): TableName {
  return parseTableName(input.target ?? input.source);
}

function nameOf({ table }: TableShape): TableName {
  return { schema: table.schema, name: table.name };
}

/**
 * Whether the pair can do with values in binary: its chain reads them, and makes what it makes in the same form. Told from the definition alone. Where
 * that is not right after all, the chain makes text of what it is given.
 */
export function takesBinaryCells({ tables }: PairDefinition): boolean {
  return (
    tables === undefined || tables.every(({ columns }) => columns === 'same' || Object.values(columns).every(keepsForm))
  );
}

function isIdentity(input: TableInput): boolean {
  return (
    input.columns === 'same' && input.exclude.length === 0 && input.where === undefined && input.rules.length === 0
  );
}
