import type { ConnectorContext, Log } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { HeldTable, Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { laidOverUntil, snapshotsOf, type LoadedTables } from '#schemas/loaded.ts';
import { formatPosition, type Position } from '#schemas/position.ts';
import type { SourceTable } from '#schemas/source-tables.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { parseSnapshot } from '#schemas/visibility.ts';
import type { IsLoaded } from '#services/writer/held-tables.ts';
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
  let first = true;
  return {
    definition: pair.definition,
    catalog: {
      tableStates: (ids) => source.tableStates(ids, context),
      typeNames: (types) => source.typeNames(types, context),
    },
    readAgain: (request) => source.readColumns(request, context),
    decide: async (change) => {
      const state = await control.noteSchemaChange(pair.id, recordOf(change), isAllowed(pair, change));
      if (state === 'waiting') throw needsApproval(change);
    },
    applied: async (position) => {
      const changed = await settle(pair, position, env);
      // Killed in between it is seen to at the next start.
      if (changed || first) await noteHeld(pair, source, env, context, first);
      first = false;
    },
    newTable: async (table, held) => {
      if (followsNewTables(pair)) await takeIn(pair, table, held, env);
    },
    ...(pair.load.loaded && { isLoaded: loadedBy(pair.load.loaded) }),
    // Nothing is gone when it cannot be told: it is told at the next start.
    failedToTell: (error) => {
      log.warn({ pair: pair.name, error }, 'An applied schema change could not be noted.');
    },
  };
}

/**
 * The same for tables that go apart. What the pair's settings allow is done at once; what would have to wait for somebody ends the sync:
 * a resync begins from the table as it is by then.
 */
export function schemaOptionsApart(
  pair: SupervisedPair,
  loaded: LoadedTables | undefined,
  source: Source,
  env: WorkEnvironment,
  context: ConnectorContext,
): SchemaOptions {
  const { control, log } = env;
  let done: SchemaChange[] = [];
  return {
    ...schemaOptions(pair, source, env, context),
    decide: (change) => {
      if (!isAllowed(pair, change)) throw needsApproval(change);
      done.push(change);
      return Promise.resolve();
    },
    applied: async () => {
      const changes = done;
      done = [];
      for (const change of changes) {
        await control.audit('pair.schema_changed', pair.id, { ...recordOf(change), decided_by: 'policy' });
        log.info({ pair: pair.name, change: change.id }, 'A table that goes apart was altered as at the source.');
      }
    },
    ...(loaded && { isLoaded: loadedBy(loaded) }),
    // The pair's own stream comes upon them, too.
    newTable: () => Promise.resolve(),
  };
}

/** A load's tables are compared once its snapshot is taken: they are held as the last one shows them. */
function loadedBy(loaded: LoadedTables): IsLoaded {
  const until = laidOverUntil(loaded);
  return (table, { xid, commitLsn }) => {
    if (commitLsn >= until) return false;
    const last = snapshotsOf(loaded, formatTableName(table))?.[1];
    if (last === undefined || commitLsn >= last.until) return false;
    return last.shown === undefined || parseSnapshot(last.shown).shows(xid);
  };
}

function needsApproval(change: SchemaChange): TerraFusionError {
  const what = change.steps.map((step) => [step.what, ...step.sql].join('; ')).join('. ');
  return new TerraFusionError('SCHEMA_CHANGE_NEEDS_APPROVAL', what, {
    details: { change: change.id, position: formatPosition(change.position), steps: change.steps.map(stepOf) },
  });
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
async function settle(pair: SupervisedPair, position: Position, { control, log }: WorkEnvironment): Promise<boolean> {
  const changes = await control.settleSchemaChanges(pair.id, formatPosition(position));
  for (const change of changes) {
    log.info({ pair: pair.name, change: change.id }, "The target's tables were altered as the source's were.");
  }
  return changes.length > 0;
}

/** Which tables a pair without a list has, and what they are called: the target knows, since it is altered where the stream says so. */
async function noteHeld(
  pair: SupervisedPair,
  source: Source,
  env: WorkEnvironment,
  context: ConnectorContext,
  begins: boolean,
): Promise<void> {
  if (pair.definition.tables !== undefined) return;
  const target = await env.control.openTarget(pair.targetId);
  await env.control.noteHeldTables(pair.id, async () =>
    (await target.heldTables(pair.id, context)).map((table) => table.source),
  );
  if (!begins || !followsNewTables(pair)) return;
  // One that was made just before the stream began is in neither load nor stream.
  const held = await target.heldTables(pair.id, context);
  const known = new Set(held.map((table) => table.source.relation_id));
  const apart = (await target.applied(pair.id, context))?.division?.apart ?? [];
  const names = [...held, ...apart.flatMap(({ tables }) => tables)].map((table) => table.source);
  const missed = (await source.describe(undefined, context)).map(({ table }) => table.relationId);
  const states = await source.tableStates(
    missed.filter((relationId) => !known.has(relationId)),
    context,
  );
  if (held.length > 0) for (const table of states) await takeIn(pair, table, names, env);
}

/** By itself when the pair follows; otherwise, and when it cannot be, somebody is told. */
async function takeIn(
  pair: SupervisedPair,
  table: SourceTable,
  held: readonly TableName[],
  { control, log }: WorkEnvironment,
): Promise<void> {
  const name = formatTableName(table);
  // Published like this, it would fail its own updates. (Promise 7) Its key may come with the next command.
  if (table.identity !== 'f' && !table.columns.some(({ key }) => key)) {
    const error = new TerraFusionError(
      'SOURCE_TABLE_WITHOUT_KEY',
      `The source has a new table ${name}, whose rows cannot be told apart: it is taken in once it has a primary key`,
    );
    if (!(await control.noteRefusedTable(pair.id, table, error))) return;
    log.warn({ pair: pair.name, table: name, code: error.code }, error.message);
    await control.audit('pair.new_table', pair.id, { table: name, code: error.code });
    return;
  }
  if (!(await control.addTable(pair.id, table, held))) return;
  log.info({ pair: pair.name, table: name }, 'The source has a new table: it is loaded beside the stream.');
  await control.audit('pair.new_table', pair.id, { table: name });
}

export function followsNewTables({ definition }: SupervisedPair): boolean {
  return (definition.config.new_tables ?? (definition.tables === undefined ? 'follow' : 'ignore')) === 'follow';
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

/**
 * For a load that goes on: tables that were altered at the source since the last try begin anew, in the shape that they have now. To be called
 * before anything of the target is looked at. (CHECKLIST 20)
 * @returns the tables as they are now, to be held; undefined when some begin anew, or nothing of the load is at the target
 */
export async function beginAlteredAnew(
  key: string,
  tables: readonly PlannedTable[],
  { source, target, log }: { readonly source: Source; readonly target: Target; readonly log: Log },
  context: ConnectorContext,
): Promise<readonly HeldTable[] | undefined> {
  const inputs = new Map(tables.map(({ shape, input }) => [shape.table.relationId, input]));
  const held = await tablesToHold(tables, source, context);
  const now = held.map((table) => {
    const { exclude = [], columns = 'same' } = inputs.get(table.source.relation_id) ?? {};
    return { ...table, exclude, follows: columns === 'same' };
  });
  const anew = await target.alterLoaded(key, now, context);
  if (anew === undefined) return undefined;
  if (anew.length === 0) return held;
  log.warn(
    { load: key, tables: anew.map(formatTableName) },
    'Tables were altered at the source since they were loaded in part; their load begins anew.',
  );
  return undefined;
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
