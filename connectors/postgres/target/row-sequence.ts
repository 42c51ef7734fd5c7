import { Op } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { Expectation, RowChange } from './table-changes.ts';
import type { TablePlan } from './table-plan.ts';

/** The changes of a table without a key since the last flush, in order: nothing tells which of them belong together. */
export class RowSequence {
  readonly plan: TablePlan;
  readonly expectation: Expectation;
  /** By change. */
  readonly op: Op[] = [];
  readonly source: number[] = [];
  readonly beforeAt: number[] = [];
  readonly at: number[] = [];

  constructor(plan: TablePlan, expectation: Expectation) {
    this.plan = plan;
    this.expectation = expectation;
  }

  get size(): number {
    return this.op.length;
  }

  /** @throws {TerraFusionError} TARGET_STATEMENT_FAILED for an update or delete without an old row to look for */
  take(op: Op, change: RowChange): void {
    if (op !== Op.insert && (this.plan.matching !== 'whole-row' || change.beforeAt === -1)) throw noKey(this.plan);
    this.op.push(op);
    this.source.push(change.source);
    this.beforeAt.push(change.beforeAt);
    this.at.push(change.afterAt);
  }
}

/** PostgreSQL itself refuses such a change at the source; a mapping that leaves the key out makes it possible. */
export function noKey(plan: TablePlan): TerraFusionError {
  return new TerraFusionError(
    'TARGET_STATEMENT_FAILED',
    `An update or delete for ${formatTableName(plan.table)} has no key by which to find its row: the pair leaves the key's columns out`,
  );
}
