import type { Target } from '#connectors/contract/target.ts';
import { formatTableName } from '#schemas/tables.ts';
import { errorKinds } from '#schemas/errors.ts';
import type { FieldProblem } from '#schemas/http/common.ts';
import type { Repositories } from '#services/control/control.ts';
import { followTables, tableDifferences } from '#services/control/pair-members.ts';
import { refuseBusy } from '#services/control/table-commands.ts';
import type { PairOverview, PairRecord } from '#services/control/pair-records.ts';
import { look, type EndTools } from '../ends.ts';

/**
 * Follows a change of a loaded pair's tables, in the change's transaction: see `followTables`.
 * @throws CONFLICTING_STATE when a table that is changed or taken out is being loaded
 */
export async function applyTableChange(
  transaction: Repositories,
  before: PairOverview,
  after: PairOverview,
  by: { readonly requestedBy: string; readonly changedToo: boolean },
): Promise<void> {
  const differences = tableDifferences(before, after);
  refuseBusy(before, [...differences.changed, ...differences.removed]);
  await followTables(transaction, before.id, differences, by);
}

/** As for a new pair: a table that is new in it must not find rows at the target, unless they may be replaced. */
export async function filledTables(
  target: Target,
  before: PairOverview,
  after: Pick<PairRecord, 'definition' | 'members'>,
  tools: EndTools,
): Promise<FieldProblem[]> {
  if (after.definition.config.existing_rows !== 'refuse') return [];
  const { added } = tableDifferences(before, after);
  if (added.length === 0) return [];
  const found = await look('target', tools, (context) =>
    target.describe(
      added.map((table) => table.target),
      context,
    ),
  );
  const filled = new Set(found.filter(({ hasRows }) => hasRows).map(({ table }) => formatTableName(table)));
  return added.flatMap((table) => {
    const name = formatTableName(table.target);
    if (!filled.has(name)) return [];
    const source = formatTableName(table.source);
    const index = after.definition.tables?.findIndex((input) => input.source === source) ?? -1;
    return {
      path: index < 0 ? 'tables' : `tables[${index}].target`,
      code: 'TARGET_TABLE_NOT_EMPTY' as const,
      message: `The target already holds rows in ${name}`,
      fix: errorKinds.TARGET_TABLE_NOT_EMPTY.fix,
    };
  });
}
