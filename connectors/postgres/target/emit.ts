import { Op } from '#schemas/block/index.ts';
import { BytesToEscape } from './bytes-to-escape.ts';
import { writeCopyLine } from './copy-lines.ts';
import { beginCopyRows, endCopyRows, writeCopyBytes } from './copy-rows.ts';
import type { Pipeline } from './pipeline.ts';
import type { RowRunner } from './row-runner.ts';
import type { RowSequence } from './row-sequence.ts';
import type { Rows } from './rows.ts';
import { type ReceivedTypes, requireTypesSql, requireTypesValues } from './same-types.ts';
import { State, type TableChanges } from './table-changes.ts';
import type { TablePlan } from './table-plan.ts';

/** From so many rows on COPY is cheaper than INSERT: it is planned anew each time, but costs less a row. */
const COPY_FROM = 8;
/** From so many on, COPY of bytes is cheaper than COPY of lines with the look at the types behind it. */
const COPY_BYTES_FROM = 64;

/** Writes collected changes as statements, without waiting for answers. */
export class Emitter {
  readonly #pipeline: Pipeline;
  readonly #rows: Rows;
  readonly #runner: RowRunner;

  constructor(pipeline: Pipeline, rows: Rows, runner: RowRunner) {
    this.#pipeline = pipeline;
    this.#rows = rows;
    this.#runner = runner;
  }

  deletes(changes: TableChanges): void {
    if (changes.onlyInserts) return;
    const { keySource, keyAt } = changes;
    this.#runner.begin(changes.plan.statements.delete(changes.expectation === 'strict'));
    for (const i of changes.entries(State.delete, State.replace))
      this.#runner.add(this.#rows, keySource[i]!, keyAt[i]!, -1, -1);
    this.#runner.end();
  }

  /** Updates, a statement for each set of columns that have values. */
  updates(changes: TableChanges): void {
    if (changes.onlyInserts) return;
    const { source, at, plan } = changes;
    const groups = new Map<string, number[]>();
    for (const i of changes.entries(State.update)) {
      const unchanged = this.#rows.unchanged(source[i]!, at[i]!, plan.shape.columns.length);
      const group = unchanged?.join('') ?? '';
      const entries = groups.get(group);
      if (entries === undefined) groups.set(group, [i]);
      else entries.push(i);
    }
    for (const entries of groups.values()) {
      const first = entries[0]!;
      const unchanged = this.#rows.unchanged(source[first]!, at[first]!, plan.shape.columns.length);
      const statement = plan.statements.update(unchanged, changes.expectation !== 'overlay');
      if (statement === undefined) continue;
      this.#runner.begin(statement);
      for (const i of entries) this.#runner.add(this.#rows, source[i]!, at[i]!, source[i]!, at[i]!);
      this.#runner.end();
    }
  }

  inserts(changes: TableChanges): void {
    const { plan, source, at } = changes;
    // Few rows are put for the same price, and nothing has to be repeated should one be there.
    if (changes.expectation !== 'strict' && changes.size < COPY_FROM) changes.doubt();
    if (changes.onlyInserts) {
      this.#insert(plan, source, at);
      return;
    }
    const chosen = (entries: readonly number[]) =>
      [entries.map((i) => source[i]!), entries.map((i) => at[i]!)] as const;
    this.#insert(plan, ...chosen(changes.entries(State.insert, State.replace)));
    this.#putAll(plan, ...chosen(changes.entries(State.put)));
  }

  /** Changes of a table without a key: one after the other, runs of inserts together. */
  sequence(sequence: RowSequence): void {
    const { plan, op, source, at, beforeAt, expectation } = sequence;
    const checked = expectation !== 'overlay';
    for (let i = 0; i < sequence.size;) {
      let end = i + 1;
      if (op[i] === Op.insert) {
        while (end < sequence.size && op[end] === Op.insert) end++;
        if (checked) this.#insert(plan, source.slice(i, end), at.slice(i, end));
        else for (let k = i; k < end; k++) this.insertIfNew(plan, source[k]!, at[k]!);
      } else this.wholeRow(plan, op[i]!, source[i]!, beforeAt[i]!, at[i]!, checked);
      i = end;
    }
  }

  /** A row of a table without a key that a first load may have brought already: at most one of equal rows is kept. */
  insertIfNew(plan: TablePlan, source: number, at: number): void {
    this.#runner.one(plan.statements.insertRowIfNew(), this.#rows, source, at, source, at);
  }

  /** Updates or deletes one row that equals the old one in all columns. (CHECKLIST 17) */
  wholeRow(plan: TablePlan, op: Op, source: number, beforeAt: number, at: number, checked: boolean): void {
    const { statements, shape } = plan;
    const statement =
      op === Op.delete
        ? statements.deleteRow(checked)
        : statements.updateRow(this.#rows.unchanged(source, at, shape.columns.length), checked);
    if (statement !== undefined) this.#runner.one(statement, this.#rows, source, beforeAt, source, at);
  }

  /**
   * A key changes of a row that is not whole, which may be at its old key, at its new one, at both or at neither: of both the new one stays.
   * At neither it was read after it had gone again: its end follows. (CHECKLIST 16)
   */
  moveAnyway(plan: TablePlan, keySource: number, beforeAt: number, source: number, at: number): void {
    const { statements, shape } = plan;
    const unchanged = this.#rows.unchanged(source, at, shape.columns.length);
    this.#runner.one(statements.deleteMoved(), this.#rows, keySource, beforeAt, source, at);
    this.#runner.one(statements.move(unchanged, false), this.#rows, keySource, beforeAt, source, at);
    const update = statements.update(unchanged, false);
    if (update !== undefined) this.#runner.one(update, this.#rows, source, at, source, at);
  }

  /** Inserts one row, or sets it where it is there already. */
  put(plan: TablePlan, source: number, at: number): void {
    this.#putAll(plan, [source], [at]);
  }

  #putAll(plan: TablePlan, source: readonly number[], at: readonly number[]): void {
    if (source.length === 0) return;
    const { statements } = plan;
    const upsert = statements.upsert();
    // Without an index that decides: update what is there, then insert what is not.
    const steps = upsert === undefined ? [statements.update(undefined, false), statements.insertMissing()] : [upsert];
    for (const step of steps) {
      if (step === undefined) continue;
      this.#runner.begin(step);
      for (let i = 0; i < source.length; i++) this.#runner.add(this.#rows, source[i]!, at[i]!, source[i]!, at[i]!);
      this.#runner.end();
    }
  }

  #insert(plan: TablePlan, source: readonly number[], at: readonly number[]): void {
    if (source.length >= COPY_BYTES_FROM && plan.bytes !== undefined) {
      this.#copyBytes(plan, plan.bytes, source, at);
      return;
    }
    if (source.length >= COPY_FROM && plan.copyable) {
      this.#copy(plan, source, at);
      return;
    }
    this.#runner.begin(plan.statements.insert());
    for (let i = 0; i < source.length; i++) this.#runner.add(this.#rows, -1, -1, source[i]!, at[i]!);
    this.#runner.end();
  }

  #copy(plan: TablePlan, source: readonly number[], at: readonly number[]): void {
    const { out } = this.#pipeline;
    this.#pipeline.run(plan.statements.copy);
    out.beginCopyData();
    let buffer = -1;
    let bytes = this.#rows.buffer(source[0]!);
    let cells = this.#rows.cursor(source[0]!);
    let toEscape = new BytesToEscape(bytes);
    for (let i = 0; i < source.length; i++) {
      if (source[i] !== buffer) {
        buffer = source[i]!;
        bytes = this.#rows.buffer(buffer);
        cells = this.#rows.cursor(buffer);
        toEscape = new BytesToEscape(bytes);
      }
      writeCopyLine(out, bytes, cells, at[i]!, plan, toEscape);
    }
    out.endCopyData();
    out.copyDone();
  }

  #copyBytes(plan: TablePlan, required: ReceivedTypes, source: readonly number[], at: readonly number[]): void {
    const { out } = this.#pipeline;
    const { skipped, written } = plan;
    this.#pipeline.run(plan.statements.copyBytes);
    out.beginCopyData();
    beginCopyRows(out);
    for (let i = 0; i < source.length; i++) {
      const buffer = source[i]!;
      writeCopyBytes(out, this.#rows.buffer(buffer), this.#rows.cursor(buffer), at[i]!, skipped, written.length);
    }
    endCopyRows(out);
    out.endCopyData();
    out.copyDone();
    this.#pipeline.run(requireTypesSql, requireTypesValues(required));
  }
}
