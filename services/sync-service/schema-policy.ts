import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { HeldTable } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatPosition, type Position } from '#schemas/position.ts';
import type { SourceTable } from '#schemas/source-tables.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { SchemaChange } from '#services/writer/schema-gate.ts';
import type { SchemaOptions } from '#services/writer/writer.ts';
import type { WorkEnvironment } from './environment.ts';
import type { PlannedTable } from './plan.ts';
import type { SupervisedPair } from './ports.ts';

/** What a pair's writer does when the source's tables change: what its settings allow goes on, the rest waits for somebody. */
export function schemaOptions(
  pair: SupervisedPair,
  source: Source,
  env: WorkEnvironment,
  context: ConnectorContext,
): SchemaOptions {
  const { control, log } = env;
  const reported = new Set<number>();
  return {
    definition: pair.definition,
    catalog: {
      tableStates: (ids) => source.tableStates(ids, context),
      typeNames: (types) => source.typeNames(types, context),
    },
    readAgain: (request) => source.readColumns(request, context),
    decide: async (change) => {
      const state = await control.noteSchemaChange(pair.id, recordOf(change), isAllowed(pair, change));
      if (state !== 'waiting') return;
      const what = change.steps.map((step) => [step.what, ...step.sql].join('; ')).join('. ');
      throw new TerraFusionError('SCHEMA_CHANGE_NEEDS_APPROVAL', what, {
        details: { change: change.id, position: formatPosition(change.position), steps: change.steps.map(stepOf) },
      });
    },
    applied: async (position) => {
      await settle(pair, position, env);
    },
    newTable: async (table) => {
      if (reported.has(table.relation_id)) return;
      reported.add(table.relation_id);
      await reportNewTable(pair, table, env);
    },
    // Nothing is gone when it cannot be told: it is told at the next start.
    failedToTell: (error) => {
      log.warn({ pair: pair.name, error }, 'An applied schema change could not be noted.');
    },
  };
}

function isAllowed({ definition: { config } }: SupervisedPair, { steps }: SchemaChange): boolean {
  if (config.schema_changes === 'halt') return false;
  return config.destructive_changes === 'apply' || steps.every(({ kind }) => kind === 'additive');
}

const stepOf = ({ kind, what, sql }: SchemaChange['steps'][number]) => ({ kind, what, sql });

function recordOf({ id, position, steps }: SchemaChange) {
  return { id, position: formatPosition(position), steps: steps.map(stepOf) };
}

/** Notes what the target has passed; after a kill in between, this is how it comes to be known. (Promise 9) */
async function settle(pair: SupervisedPair, position: Position, { control, log }: WorkEnvironment): Promise<void> {
  for (const change of await control.settleSchemaChanges(pair.id, formatPosition(position))) {
    log.info({ pair: pair.name, change: change.id }, "The target's tables were altered as the source's were.");
  }
}

async function reportNewTable(
  pair: SupervisedPair,
  table: SourceTable,
  { control, log }: WorkEnvironment,
): Promise<void> {
  const { new_tables } = pair.definition.config;
  const follows = (new_tables ?? (pair.definition.tables === undefined ? 'follow' : 'ignore')) === 'follow';
  if (!follows) return;
  const name = formatTableName(table);
  log.warn(
    { pair: pair.name, table: name, code: 'SOURCE_TABLE_NEW' },
    'The source has a new table. It is taken up with the next resync of the pair.',
  );
  await control.audit('pair.new_table', pair.id, { table: name });
}

/** What a load's tables look like at the source as it begins: what the stream brings later is compared with it. */
export async function tablesToHold(
  tables: readonly PlannedTable[],
  source: Source,
  context: ConnectorContext,
): Promise<HeldTable[]> {
  const states = await source.tableStates(
    tables.map(({ shape }) => shape.table.relationId),
    context,
  );
  const byId = new Map(states.map((state) => [state.relation_id, state]));
  return tables.flatMap(({ shape, target }) => {
    const state = byId.get(shape.table.relationId);
    return state ? [{ source: state, target, unread: [] }] : [];
  });
}

/** @throws {TerraFusionError} SOURCE_TABLE_CHANGED when a table is not what it was when the load was planned: its snapshot shows another one */
export async function assertUnchanged(
  held: readonly HeldTable[],
  source: Source,
  context: ConnectorContext,
): Promise<void> {
  const ids = held.map((table) => table.source.relation_id);
  const now = new Map((await source.tableStates(ids, context)).map((state) => [state.relation_id, state]));
  const changed = held.filter((table) => shapeOf(now.get(table.source.relation_id)) !== shapeOf(table.source));
  if (changed.length === 0) return;
  const names = changed.map((table) => formatTableName(table.source)).join(', ');
  throw new TerraFusionError('SOURCE_TABLE_CHANGED', `At the source ${names} was altered as its load began`);
}

const shapeOf = (table: SourceTable | undefined): string | undefined => table && JSON.stringify(table);
