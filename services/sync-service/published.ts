import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import { formatTableName, parseTableName, type TableName } from '#schemas/tables.ts';
import { inForce } from '#services/control/in-force.ts';
import type { SupervisedPair } from './ports.ts';

export interface Published {
  readonly tables: readonly TableName[];
  /**
   * A pair that takes every table knows them by the names they had when its stream came by: one that was renamed since is published, and
   * must stay so.
   */
  readonly keepOthers: boolean;
}

/**
 * What the source publishes: this pair's tables and those of its other pairs. A table of another pair that is gone from the source
 * must not keep this one from starting; that pair tells it by itself.
 */
export async function publishedTables(
  pair: Pick<SupervisedPair, 'id' | 'sourceId' | 'deleted' | 'definition'>,
  own: readonly TableName[],
  source: Source,
  pairs: readonly SupervisedPair[],
  context: ConnectorContext,
): Promise<Published> {
  const others = pairs.filter((other) => other.sourceId === pair.sourceId && other.id !== pair.id && !other.deleted);
  const takesAll = !pair.deleted && pair.definition.tables === undefined;
  const keepOthers = takesAll || others.some(({ definition }) => definition.tables === undefined);
  const tables = new Map(own.map((table) => [formatTableName(table), table]));
  if (others.length === 0 && !takesAll) return { tables: [...tables.values()], keepOthers };
  const all = (await source.describe(undefined, context)).map(({ table }) => ({
    schema: table.schema,
    name: table.name,
  }));
  const there = new Set(all.map(formatTableName));
  for (const other of others) {
    const named = inForce(other).tables?.map((table) => parseTableName(table.source)) ?? all;
    for (const table of named) if (there.has(formatTableName(table))) tables.set(formatTableName(table), table);
  }
  if (takesAll) for (const name of tables.keys()) if (!there.has(name)) tables.delete(name);
  return { tables: [...tables.values()], keepOthers };
}
