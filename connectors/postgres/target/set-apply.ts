import { type BlockReader, Op } from '#schemas/block/index.ts';
import type { Lsn } from '#schemas/lsn.ts';
import { formatTableName } from '#schemas/tables.ts';
import { Emitter } from './emit.ts';
import type { Pipeline } from './pipeline.ts';
import type { PlanBook } from './plan-book.ts';
import { RowRunner } from './row-runner.ts';
import { RowSequence } from './row-sequence.ts';
import { Rows } from './rows.ts';
import { TableCounts } from './table-counts.ts';
import { type Expectation, type RowChange, TableChanges } from './table-changes.ts';
import type { TablePlan } from './table-plan.ts';
import { TruncateGroup } from './truncate.ts';

/** A block and, by table of its header, the plan; undefined for tables that are never written. */
export interface OpenBlock {
  readonly reader: BlockReader;
  readonly plans: readonly (TablePlan | undefined)[];
}

/** Changes applied, by operation; a truncate counts as none. */
export interface Counts {
  inserted: number;
  updated: number;
  deleted: number;
  readonly tables: TableCounts;
}

/** Until when a first load is being laid over. */
export interface Overlay {
  /** All tables: the source could not tell what its snapshot shows. */
  readonly until: Lsn;
  /** Tables that were not read in one snapshot, by name: until the last one of theirs. */
  readonly tables: ReadonlyMap<string, Lsn>;
}

/** How much a change may expect of the target. */
export function expectationOf(plan: TablePlan, commitLsn: Lsn, { until, tables }: Overlay): Expectation {
  if (commitLsn <= until) return 'overlay';
  if (tables.size > 0 && commitLsn < (tables.get(formatTableName(plan.table)) ?? 0n)) return 'overlay';
  return plan.shape.tolerant ? 'tolerant' : 'strict';
}

/**
 * Applies blocks set-based: changes are collected and reduced by key, then written a statement a table and kind. What cannot be
 * reordered (a truncate, a key change of a row that is not whole) is preceded by what was collected before it.
 */
export class SetApplier {
  readonly #pipeline: Pipeline;
  readonly #book: PlanBook;
  readonly #runner: RowRunner;
  readonly #hopeful: boolean;
  #rows = new Rows();
  #emitter: Emitter;
  /** What is collected, by the table's oid. */
  #tables = new Map<string, TableChanges | RowSequence>();
  readonly #change = { source: 0, before: 0, beforeAt: -1, afterAt: -1 } as {
    -readonly [K in keyof RowChange]: RowChange[K];
  };

  /** @param hopeful whether somebody repeats in source order what the target refuses, see {@link TableChanges} */
  constructor(pipeline: Pipeline, book: PlanBook, hopeful: boolean) {
    this.#pipeline = pipeline;
    this.#book = book;
    this.#hopeful = hopeful;
    this.#runner = new RowRunner(pipeline);
    this.#emitter = new Emitter(pipeline, this.#rows, this.#runner);
  }

  /** Writes all changes of the blocks as statements, without waiting. */
  apply(blocks: readonly OpenBlock[], overlay: Overlay): Counts {
    const counts = { inserted: 0, updated: 0, deleted: 0, tables: new TableCounts() };
    const truncates = new TruncateGroup();
    for (const { reader, plans } of blocks) {
      const source = this.#rows.add(reader.bytes);
      const { changes, commitTimes } = TableCounts.tally(plans.length);
      reader.rewind();
      while (reader.nextTransaction()) {
        const { commitLsn, commitTime } = reader.transaction;
        while (reader.nextChange()) {
          const { op } = reader;
          if (op > Op.truncate) continue;
          const plan = plans[reader.table];
          if (plan === undefined) continue;
          if (op === Op.truncate) {
            this.#flush();
            if (!truncates.belongs(reader)) truncates.flush(this.#pipeline);
            truncates.add(reader, plan);
            continue;
          }
          truncates.flush(this.#pipeline);
          this.#take(plan, expectationOf(plan, commitLsn, overlay), reader, source);
          if (op === Op.insert) counts.inserted++;
          else if (op === Op.update) counts.updated++;
          else counts.deleted++;
          changes[reader.table]!++;
          commitTimes[reader.table] = commitTime;
        }
      }
      counts.tables.add(plans, { changes, commitTimes });
    }
    truncates.flush(this.#pipeline);
    this.#flush();
    // The batch is written: its blocks are not to be held until the next one comes. (Promise 6)
    this.#rows = new Rows();
    this.#emitter = new Emitter(this.#pipeline, this.#rows, this.#runner);
    return counts;
  }

  #take(plan: TablePlan, expectation: Expectation, reader: BlockReader, source: number): void {
    const change = this.#change;
    change.source = source;
    change.before = reader.beforeKind;
    change.beforeAt = reader.beforeStart;
    change.afterAt = reader.afterStart;
    const { op } = reader;
    for (;;) {
      const changes = this.#collection(plan, expectation);
      if (changes instanceof RowSequence) {
        changes.take(op, change);
        return;
      }
      const taken =
        op === Op.insert
          ? changes.insert(source, change.afterAt)
          : op === Op.update
            ? changes.update(change)
            : changes.delete(source, change.beforeAt);
      if (taken === 'done') return;
      this.#flush();
      if (taken === 'move') {
        this.#move(plan, expectation, source, change.beforeAt, change.afterAt);
        return;
      }
    }
  }

  /** Where the table's changes are collected. Changes of another shape, or from which other is expected, wait for those before them. */
  #collection(plan: TablePlan, expectation: Expectation): TableChanges | RowSequence {
    const { oid } = plan.table;
    const found = this.#tables.get(oid);
    if (found !== undefined) {
      if (found.plan === plan && found.expectation === expectation) return found;
      this.#flush();
    }
    const made =
      plan.matching === 'key'
        ? new TableChanges(plan, expectation, this.#rows, this.#hopeful && plan.refusesTwice)
        : new RowSequence(plan, expectation);
    this.#tables.set(oid, made);
    return made;
  }

  #move(plan: TablePlan, expectation: Expectation, source: number, beforeAt: number, afterAt: number): void {
    if (expectation === 'overlay') {
      // Of a key of several columns one may be stored out of line, and not have changed.
      const at = this.#rows.merge(source, afterAt, source, beforeAt, plan.isKey);
      this.#emitter.moveAnyway(plan, source, beforeAt, this.#rows.mergedIn, at);
      return;
    }
    const unchanged = this.#rows.unchanged(source, afterAt, plan.shape.columns.length);
    this.#runner.one(plan.statements.move(unchanged, true), this.#rows, source, beforeAt, source, afterAt);
  }

  /** Deletes first, children before parents; then updates and inserts, parents before children. (CHECKLIST 38) */
  #flush(): void {
    if (this.#tables.size === 0) return;
    const tables = [...this.#tables.values()];
    this.#tables.clear();
    if (tables.length > 1) tables.sort((a, b) => this.#book.rank(a.plan.table) - this.#book.rank(b.plan.table));
    for (const changes of tables.toReversed()) {
      if (changes instanceof TableChanges) this.#emitter.deletes(changes);
    }
    for (const changes of tables) {
      if (changes instanceof RowSequence) {
        this.#emitter.sequence(changes);
        continue;
      }
      this.#emitter.updates(changes);
      this.#emitter.inserts(changes);
    }
  }
}
