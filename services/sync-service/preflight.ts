import type { Check } from '#connectors/contract/check.ts';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import { checkPair } from '#services/stream-processor/check.ts';
import { isNonEmpty, problemsError } from '#services/stream-processor/problems.ts';
import { sourceTables, tablesToCreate, type PlannedTable } from './plan.ts';
import type { SupervisedPair } from './ports.ts';

/**
 * Looks at everything that must be so before a pair can run, before anything is made at either end: what cannot work leaves nothing
 * half-made behind.
 * @throws {TerraFusionError} the first thing that is wrong, with what else is wrong of its kind in the details
 */
export async function assertPossible(
  { definition }: SupervisedPair,
  tables: readonly PlannedTable[],
  { source, target }: { readonly source: Source; readonly target: Target },
  context: ConnectorContext,
): Promise<void> {
  const problems = checkPair(
    definition,
    tables.map(({ shape }) => shape.table),
  );
  if (isNonEmpty(problems)) throw problemsError(problems);
  demand(await source.check(sourceTables(tables), context));
  demand(
    await target.check(
      tables.map((table) => table.target),
      context,
    ),
  );
  await assertTargetFits(tables, definition.config.create_tables, target, context);
}

/** The required preconditions are met. */
function demand(checks: readonly Check[]): void {
  const failed = checks.filter(({ ok, required }) => required && !ok);
  const first = failed[0];
  if (!first) return;
  throw new TerraFusionError(first.code ?? 'PAIR_INVALID', first.message, {
    details: { checks: failed.map(({ name, message, fix }) => ({ name, message, fix })) },
  });
}

/** Target tables are there or will be made, and those that are there have the columns that are to be written. */
async function assertTargetFits(
  tables: readonly PlannedTable[],
  createTables: boolean,
  target: Target,
  context: ConnectorContext,
): Promise<void> {
  const names = tables.map((table) => table.target);
  const there = new Map((await target.describe(names, context)).map((table) => [formatTableName(table.table), table]));
  const missingTables = names.map(formatTableName).filter((name) => !there.has(name));
  if (missingTables.length > 0 && !createTables) {
    throw new TerraFusionError(
      'TARGET_TABLE_MISSING',
      `The target has no ${missingTables.join(', ')}, and config.create_tables is false`,
      { details: { tables: missingTables } },
    );
  }
  const missing = tablesToCreate(tables).flatMap(({ table, columns }) => {
    const name = formatTableName(table);
    const known = there.get(name)?.columns.map((column) => column.name);
    return known
      ? columns.filter((column) => !known.includes(column.name)).map((column) => `${name}.${column.name}`)
      : [];
  });
  if (missing.length === 0) return;
  throw new TerraFusionError('TARGET_COLUMN_MISSING', `The target has no column ${missing.join(', ')}`, {
    details: { columns: missing },
  });
}
