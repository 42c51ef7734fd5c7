import type { TableOutcome } from '#connectors/contract/target.ts';
import type { TablePlan } from './table-plan.ts';

/**
 * Changes applied, by table. While a block is gone through they are counted by the table's index in its header, in arrays of numbers;
 * names come in once a block.
 */
export class TableCounts {
  readonly #tables = new Map<string, { -readonly [K in keyof TableOutcome]: TableOutcome[K] }>();

  /** Empty figures for a block of so many tables. */
  static tally(tables: number): Tally {
    return { changes: new Int32Array(tables), commitTimes: new Float64Array(tables) };
  }

  /** Takes in what was counted in a block. */
  add(plans: readonly (TablePlan | undefined)[], { changes, commitTimes }: Tally): void {
    for (let index = 0; index < plans.length; index++) {
      const count = changes[index]!;
      if (count > 0) this.#add(plans[index]!, count, commitTimes[index]!);
    }
  }

  /** Takes in one change. */
  one(plan: TablePlan, commitTime: number): void {
    this.#add(plan, 1, commitTime);
  }

  done(): TableOutcome[] {
    return [...this.#tables.values()];
  }

  #add({ table }: TablePlan, changes: number, lastCommitTime: number): void {
    const known = this.#tables.get(table.oid);
    if (known) {
      known.changes += changes;
      known.lastCommitTime = Math.max(known.lastCommitTime, lastCommitTime);
    } else {
      this.#tables.set(table.oid, { table: { schema: table.schema, name: table.name }, changes, lastCommitTime });
    }
  }
}

/** By index of the table in the block's header. */
export interface Tally {
  readonly changes: Int32Array;
  /** When the last one was committed at the source, µs since 1970. */
  readonly commitTimes: Float64Array;
}
