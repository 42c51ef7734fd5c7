import { Before, Cell, Op } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { ServerError } from '../wire/backend.ts';
import { noValue } from './copy-lines.ts';
import { deadLetter } from './dead-letters.ts';
import { Emitter } from './emit.ts';
import { isUnknownName, reasonOf, rowFailure } from './failures.ts';
import type { Pipeline } from './pipeline.ts';
import { RowRunner } from './row-runner.ts';
import { RowScan } from './row-scan.ts';
import { noKey } from './row-sequence.ts';
import { Rows } from './rows.ts';
import { type Counts, expectationOf, type OpenBlock, type Overlay } from './set-apply.ts';
import { TableCounts } from './table-counts.ts';
import type { Expectation } from './table-changes.ts';
import type { TablePlan } from './table-plan.ts';
import { TruncateGroup } from './truncate.ts';

/** Changes that share a savepoint at most: when one fails, those before it are sent again. */
const MOST_TOGETHER = 256;

/** One change, or all of a TRUNCATE's. */
interface Step {
  readonly plan: TablePlan;
  readonly op: Op;
  readonly expectation: Expectation;
  readonly generation: number;
  readonly commitLsn: Lsn;
  readonly commitTime: number;
  readonly ordinal: number;
  readonly source: number;
  readonly before: Before;
  readonly beforeAt: number;
  readonly afterAt: number;
  readonly truncate: TruncateGroup | undefined;
}

interface Failure {
  readonly tried: readonly Step[];
  /** Which of them. */
  readonly at: number;
  readonly error: ServerError;
}

export interface OrderedOutcome {
  readonly counts: Counts;
  readonly letters: readonly DeadLetter[];
}

/**
 * Applies blocks change by change in the source's order: what set-based apply could not, for which a constraint in between was in the
 * way. A change that fails in its place, with all before it applied, is left out and becomes a dead letter. Changes are sent in
 * groups, each behind a savepoint, without waiting for each answer.
 */
export class OrderedApplier {
  readonly #pipeline: Pipeline;
  readonly #runner: RowRunner;
  readonly #scan = new RowScan();
  readonly #betweenChanges: (() => void) | undefined;
  #rows = new Rows();
  #emitter: Emitter;
  /** Tables, by oid, from which the source transaction in hand has deleted, or in which it has changed keys. */
  #touched = new Set<string>();
  #touchedBy = -1n;

  constructor(pipeline: Pipeline, betweenChanges: (() => void) | undefined) {
    this.#pipeline = pipeline;
    this.#betweenChanges = betweenChanges;
    this.#runner = new RowRunner(pipeline);
    this.#emitter = new Emitter(pipeline, this.#rows, this.#runner);
  }

  /** @throws {ServerError} what is not the fault of a change */
  async apply(blocks: readonly OpenBlock[], overlay: Overlay): Promise<OrderedOutcome> {
    this.#rows = new Rows();
    this.#emitter = new Emitter(this.#pipeline, this.#rows, this.#runner);
    const steps = this.#read(blocks, overlay);
    const counts = { inserted: 0, updated: 0, deleted: 0, tables: new TableCounts() };
    const letters: DeadLetter[] = [];
    let together = MOST_TOGETHER;
    /** Those that have passed, and were rolled back with the one behind them, which has not. */
    let again: readonly Step[] = [];
    let undo = false;
    for (let first = 0; first < steps.length || again.length > 0 || undo;) {
      const next = steps.slice(first, first + together);
      const failed = await this.#attempt(again, next, undo);
      undo = failed !== undefined;
      if (failed === undefined) {
        for (const step of [...again, ...next]) count(counts, step);
        again = [];
        first += next.length;
        together = Math.min(together * 2, MOST_TOGETHER);
      } else {
        const { at, error, tried } = failed;
        if (tried === next) {
          for (const step of again) count(counts, step);
          first += at + 1;
          together = Math.min(Math.max(at, 1) * 2, MOST_TOGETHER);
        } else steps.splice(first, 0, ...again.slice(at + 1));
        // Everything before it was there when it failed: it has been tried in its place.
        letters.push(this.#refused(tried[at]!, error));
        again = tried.slice(0, at);
      }
      this.#betweenChanges?.();
    }
    return { counts, letters };
  }

  /**
   * @param again what is sent once more, in a savepoint of its own
   * @param next what is tried now
   * @param undo the last attempt's savepoint is rolled back first
   * @returns the first change that failed, of the steps that shared its savepoint: none of these is applied; `again` is, when it is another one's
   */
  async #attempt(again: readonly Step[], next: readonly Step[], undo: boolean): Promise<Failure | undefined> {
    const pipeline = this.#pipeline;
    const before = pipeline.commands;
    if (undo) {
      pipeline.run('ROLLBACK TO SAVEPOINT changes');
      pipeline.run('RELEASE SAVEPOINT changes');
    }
    const first = pipeline.commands - before;
    const parts = [again, next].map((tried) => ({ tried, until: this.#writeAll(tried, before) }));
    const fresh = pipeline.freshStatements;
    const { tags, error } = await pipeline.sync();
    if (error === undefined) return undefined;
    const failed = parts
      .map(({ tried, until }) => ({ tried, error, at: until.findIndex((commands) => commands > tags.length) }))
      .find(({ at }) => at !== -1);
    // Its savepoint is there: the failure is not one of a command in between.
    if (tags.length <= first || failed === undefined || rowFailure(error) === undefined) throw error;
    // A truncate brings no values: it is the table that is missing.
    if (failed.tried[failed.at]!.op === Op.truncate && isUnknownName(error)) throw error;
    pipeline.recover(fresh);
    return failed;
  }

  /** @returns for each step: how many commands there are up to its end */
  #writeAll(steps: readonly Step[], before: number): number[] {
    if (steps.length === 0) return [];
    const pipeline = this.#pipeline;
    pipeline.run('SAVEPOINT changes');
    const until = steps.map((step) => {
      this.#write(step);
      return pipeline.commands - before;
    });
    pipeline.run('RELEASE SAVEPOINT changes');
    return until;
  }

  #write(step: Step): void {
    const { plan, op, source, beforeAt, afterAt, expectation } = step;
    if (this.#touchedBy !== step.commitLsn) {
      this.#touched.clear();
      this.#touchedBy = step.commitLsn;
    }
    if (op === Op.truncate) step.truncate!.send(this.#pipeline);
    else if (op === Op.insert) this.#insert(plan, expectation, source, afterAt);
    else if (plan.matching !== 'key') {
      if (plan.matching === 'none' || beforeAt === -1) throw noKey(plan);
      this.#emitter.wholeRow(plan, op, source, beforeAt, afterAt, expectation !== 'overlay');
    } else if (op === Op.update) this.#update(step);
    else this.#delete(plan, source, beforeAt, expectation === 'strict' && !this.#cascaded(plan, 'onDelete'));
  }

  #insert(plan: TablePlan, expectation: Expectation, source: number, at: number): void {
    if (plan.matching === 'key' && expectation !== 'strict') this.#emitter.put(plan, source, at);
    else if (expectation === 'overlay') this.#emitter.insertIfNew(plan, source, at);
    else this.#runner.one(plan.statements.insert(), this.#rows, -1, -1, source, at);
  }

  #delete(plan: TablePlan, source: number, at: number, checked: boolean): void {
    this.#touched.add(plan.table.oid);
    this.#runner.one(plan.statements.delete(checked), this.#rows, source, at, -1, -1);
  }

  #update({ plan, expectation, source: given, before, beforeAt, afterAt }: Step): void {
    const rows = this.#rows;
    const scan = this.#scan;
    let source = given;
    let at = afterAt;
    scan.read(plan, rows, source, at);
    if (scan.partial && before !== Before.absent) {
      at = rows.merge(given, afterAt, given, beforeAt, before === Before.full ? undefined : plan.isKey);
      source = rows.mergedIn;
      scan.read(plan, rows, source, at);
    }
    if (scan.keyMissing) throw noValue(Cell.unchanged);
    const { key, partial } = scan;
    let oldKey = key;
    if (before !== Before.absent) {
      scan.read(plan, rows, given, beforeAt);
      oldKey = scan.key;
    }
    const strict = expectation === 'strict';
    const checked = expectation !== 'overlay';
    const unchanged = partial ? rows.unchanged(source, at, plan.shape.columns.length) : undefined;
    if (oldKey === key) {
      if (!strict && !partial) this.#emitter.put(plan, source, at);
      else this.#run(plan.statements.update(unchanged, checked), source, at, source, at);
      return;
    }
    // A key that the target makes by itself cannot be set; and rows that may be at either key are best left at none, then put.
    if (!partial && (!strict || plan.keys.some(({ column }) => column.identityAlways))) {
      this.#delete(plan, given, beforeAt, strict);
      this.#insert(plan, expectation, source, at);
      return;
    }
    const cascaded = this.#cascaded(plan, 'onUpdate');
    this.#touched.add(plan.table.oid);
    if (!checked) {
      this.#emitter.moveAnyway(plan, given, beforeAt, source, at);
      return;
    }
    this.#run(plan.statements.move(unchanged, !cascaded), given, beforeAt, source, at);
    // The target may have moved the row by itself, along with its parent: then it is found by the new key.
    if (cascaded) this.#run(plan.statements.update(unchanged, true), source, at, source, at);
  }

  #run(
    statement: Parameters<RowRunner['one']>[0] | undefined,
    keySource: number,
    keyAt: number,
    source: number,
    at: number,
  ): void {
    if (statement !== undefined) this.#runner.one(statement, this.#rows, keySource, keyAt, source, at);
  }

  /** Whether the target may have done the change already, by a foreign key that cascades. The source tells both, the parent's first. */
  #cascaded({ table }: TablePlan, when: 'onDelete' | 'onUpdate'): boolean {
    return table.foreignKeys.some((foreign) => foreign[when] === 'c' && this.#touched.has(foreign.references));
  }

  #read(blocks: readonly OpenBlock[], overlay: Overlay): Step[] {
    const steps: Step[] = [];
    let truncate = new TruncateGroup();
    for (const { reader, plans } of blocks) {
      const source = this.#rows.add(reader.bytes);
      reader.rewind();
      while (reader.nextTransaction()) {
        const { commitLsn, commitTime } = reader.transaction;
        while (reader.nextChange()) {
          const plan = reader.op > Op.truncate ? undefined : plans[reader.table];
          if (plan === undefined) continue;
          if (reader.op === Op.truncate) {
            const another = !truncate.isEmpty && truncate.belongs(reader);
            if (!another) truncate = new TruncateGroup();
            truncate.add(reader, plan);
            if (another) continue;
          }
          steps.push({
            plan,
            op: reader.op,
            expectation: expectationOf(plan, commitLsn, overlay),
            generation: reader.header.generation,
            commitLsn,
            commitTime,
            ordinal: reader.ordinal,
            source,
            before: reader.beforeKind,
            beforeAt: reader.beforeStart,
            afterAt: reader.afterStart,
            truncate: reader.op === Op.truncate ? truncate : undefined,
          });
        }
      }
    }
    return steps;
  }

  #refused(step: Step, error: ServerError): DeadLetter {
    const { generation, commitLsn, ordinal } = step;
    return deadLetter(
      {
        ...step,
        position: { generation, commitLsn, ordinal },
        shape: step.plan.shape,
        bytes: this.#rows.buffer(step.source),
        afterAt: step.op === Op.truncate ? -1 : step.afterAt,
      },
      rowFailure(error)!,
      reasonOf(error),
      error.code,
    );
  }
}

function count(counts: Counts, { op, plan, commitTime }: Step): void {
  if (op === Op.truncate) return;
  counts.tables.one(plan, commitTime);
  if (op === Op.insert) counts.inserted++;
  else if (op === Op.update) counts.updated++;
  else counts.deleted++;
}
