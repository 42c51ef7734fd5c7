import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { SchemaModel, SchemaReport } from '#connectors/contract/schema.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { formatTableName } from '#schemas/tables.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { inForce } from '#services/control/in-force.ts';
import type { WorkEnvironment } from './environment.ts';
import { planTables, sourceTables, tablesToCreate, type PlannedTable } from './plan.ts';
import type { SupervisedPair } from './ports.ts';
import { targetSchema } from '#services/pair-check/schema-mapping.ts';

interface Ends {
  readonly source: Source;
  readonly target: Target;
  readonly env: WorkEnvironment;
  readonly context: ConnectorContext;
}

/** The pair's schema as the target should have it; undefined when the source has none to tell, or the target cannot make one. */
export async function wantedSchema(
  definition: PairDefinition,
  tables: readonly PlannedTable[],
  { source, target }: Pick<Ends, 'source' | 'target'>,
  context: ConnectorContext,
): Promise<SchemaModel | undefined> {
  if (!source.describeSchema || !target.createSchema) return undefined;
  const model = await source.describeSchema(sourceTables(tables), context);
  return targetSchema(model, tables, definition.config);
}

/** Before the load: everything that it and the stream need to be right. What an earlier try has made is left as it is. */
export async function prepareTargetSchema(
  pair: SupervisedPair,
  tables: readonly PlannedTable[],
  ends: Ends,
): Promise<void> {
  if (!pair.definition.config.create_tables) return;
  const { target, env, context } = ends;
  const model = await wantedSchema(pair.definition, tables, ends, context);
  if (model === undefined) {
    const made = await target.createTables(tablesToCreate(tables), context);
    if (made.length > 0)
      env.log.info({ pair: pair.name, tables: made.map(formatTableName) }, 'Tables were created at the target.');
    return;
  }
  const report = await target.createSchema!(model, 'before', context);
  await env.control.recordSchema(pair.id, 'before', report);
  tell(pair, report, env, 'Tables were created at the target.');
}

/**
 * Once the rows are there, before the pair counts as loaded: indexes, constraints, comments, where sequences stand. Called again after a
 * kill it goes on where it was. The schema is read anew: sequences have gone on meanwhile.
 */
export async function completeTargetSchema(pair: SupervisedPair, ends: Ends): Promise<void> {
  if (!pair.definition.config.create_tables) return;
  const { source, target, env, context } = ends;
  const tables = await planTables(await stillThere(pair, source, context), source, context);
  const model = await wantedSchema(pair.definition, tables, ends, context);
  if (model === undefined) return;
  crashPoint(crashPoints.SUPERVISOR_LOADED_NOT_COMPLETED);
  const report = await target.createSchema!(model, 'after', context);
  crashPoint(crashPoints.SUPERVISOR_COMPLETED_NOT_NOTED);
  await env.control.recordSchema(pair.id, 'after', report);
  tell(pair, report, env, 'Indexes and constraints were created at the target.');
}

/** A pair that takes every table, without those that are gone at the source: their end is still on its way. */
export async function stillThere(
  pair: Pick<SupervisedPair, 'definition' | 'members'>,
  source: Source,
  context: ConnectorContext,
): Promise<PairDefinition> {
  const definition = inForce(pair);
  if (pair.definition.tables !== undefined || definition.tables === undefined) return definition;
  const there = new Set((await source.describe(undefined, context)).map(({ table }) => formatTableName(table)));
  return { ...definition, tables: definition.tables.filter((input) => there.has(input.source)) };
}

function tell(
  { name }: SupervisedPair,
  { made, skipped }: SchemaReport,
  { log }: WorkEnvironment,
  message: string,
): void {
  if (made.length > 0) log.info({ pair: name, made: made.length, skipped: skipped.length }, message);
  if (skipped.length > 0)
    log.warn(
      {
        pair: name,
        skipped: skipped.slice(0, 20).map(({ object, reason }) => `${object}: ${reason}`),
        more: Math.max(0, skipped.length - 20),
      },
      "Not all of the source's schema is at the target; GET /api/sync-pairs/<id>/schema tells what and why.",
    );
}
