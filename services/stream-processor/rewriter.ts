import { Before, Op, type BlockReader, type BlockWriter } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { CellIndex } from './cells.ts';
import type { PlanColumn } from './columns.ts';
import { RowFailure } from './row-failure.ts';
import { RowView, type ViewColumns } from './row-view.ts';
import { RowWriter, type Made } from './row-writer.ts';
import type { PlanRule, TablePlan } from './table-plan.ts';
import { decodeText, encodeValue, isOfKind, type CelValue } from './values.ts';

/** What became of a change. */
export interface Verdict {
  /** out: written. filtered: no row of the target is concerned. rejected: it must go to the dead letters. */
  readonly fate: 'out' | 'filtered' | 'rejected';
  /** The rule that refused the row, when one did. */
  readonly rule?: PlanRule;
  readonly reason?: string;
}

const OUT: Verdict = { fate: 'out' };
const FILTERED: Verdict = { fate: 'filtered' };

/**
 * Takes a table's changes through its chain: filter, map, transform, compute, validate, write. One change at a time, and nothing of a
 * change is written before all of it is known to be good.
 *
 * A filter makes operations relative to the target: a row that leaves it is deleted there, one that enters is inserted. Whether the
 * old row was inside is known when the source sends it whole (REPLICA IDENTITY FULL), or when the filter names key columns only;
 * otherwise the target's table is tolerant: an update may find no row, a delete too.
 */
export class TableRewriter {
  readonly #plan: TablePlan;
  readonly #warn: (rule: string) => void;
  readonly #after: CellIndex;
  readonly #before: CellIndex;
  readonly #row: RowView;
  readonly #old: RowView;
  readonly #rows: RowWriter;
  readonly #keyColumns: readonly number[];
  readonly #valueColumns: readonly number[];
  /** How many cells of an inserted row are looked at; the others are only copied. */
  readonly #cellsNeeded: number;
  readonly #made: Made;
  readonly #oldMade: Made;
  /** By target column: what its expression gave for the row of `#made`. */
  readonly #values: unknown[];

  /** @param warn is told of every row that breaks a rule whose policy is "warn" */
  constructor(plan: TablePlan, warn: (rule: string) => void) {
    this.#plan = plan;
    this.#warn = warn;
    const { columns } = plan.source;
    const view: ViewColumns = {
      names: columns.map(({ name }) => name),
      kinds: plan.sourceKinds,
      isKey: columns.map(({ key }) => key),
    };
    this.#after = new CellIndex(columns);
    this.#before = new CellIndex(columns);
    this.#row = new RowView(view);
    this.#old = new RowView(view);
    this.#rows = new RowWriter(plan);
    this.#keyColumns = plan.target.columns.flatMap(({ key }, index) => (key ? [index] : []));
    this.#valueColumns = plan.columns.flatMap(({ step }, index) => (step.how === 'value' ? [index] : []));
    const inputs = [plan.where, ...plan.rules.map(({ check }) => check)].flatMap((check) => check?.inputs ?? []);
    this.#cellsNeeded = plan.sameCells ? Math.max(0, ...inputs.map((index) => index + 1)) : columns.length;
    this.#made = plan.columns.map(() => undefined);
    this.#oldMade = plan.columns.map(() => undefined);
    this.#values = plan.columns.map(() => undefined);
  }

  /** @param table index of the target table in the block that is written */
  rewrite(block: BlockReader, writer: BlockWriter, table: () => number): Verdict {
    const { op } = block;
    if (op !== Op.insert && op !== Op.update && op !== Op.delete) {
      // Truncates and schema changes carry no row of the table.
      writer.beginChange(table(), op, block.ordinal);
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
      return OUT;
    }
    this.#load(block);
    try {
      if (op === Op.delete) return this.#delete(block, writer, table);
      if (op === Op.insert) return this.#insert(block, writer, table, false);
      return this.#update(block, writer, table);
    } catch (error) {
      if (!(error instanceof RowFailure)) throw error;
      return { fate: 'rejected', reason: error.message };
    }
  }

  /** @throws {TerraFusionError} BLOCK_CORRUPT when a row does not fit its table */
  #load(block: BlockReader): void {
    try {
      this.#index(block);
    } catch (cause) {
      const { schema, name } = this.#plan.source;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TerraFusionError('BLOCK_CORRUPT', `A change of ${schema}.${name} cannot be read: ${reason}`, { cause });
    }
  }

  #index(block: BlockReader): void {
    const { bytes } = block;
    if (block.beforeKind === Before.absent) this.#before.clear();
    else {
      this.#before.load(bytes, block.beforeStart);
      this.#old.show(this.#before);
    }
    if (block.afterStart < 0) this.#after.clear();
    else {
      this.#after.load(bytes, block.afterStart, block.op === Op.insert ? this.#cellsNeeded : undefined);
      const before = this.#before.present ? this.#before : undefined;
      this.#row.show(this.#after, before, block.beforeKind === Before.full);
    }
  }

  /** @param entered whether it was an update that brought the row into the filter: its missing cells are filled from the row before */
  #insert(block: BlockReader, writer: BlockWriter, table: () => number, entered: boolean): Verdict {
    if (!entered && !this.#matches(this.#row)) return FILTERED;
    this.#compute(this.#row, this.#made);
    const refused = this.#validate();
    if (refused) return refused;
    writer.beginChange(table(), Op.insert, block.ordinal);
    if (this.#plan.sameCells && !entered) {
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
      return OUT;
    }
    writer.before(Before.absent);
    writer.after(true);
    this.#rows.row(this.#row, this.#made, writer, entered);
    return OUT;
  }

  #update(block: BlockReader, writer: BlockWriter, table: () => number): Verdict {
    const full = block.beforeKind === Before.full;
    const wasIn = this.#wasIn(block);
    if (!this.#matches(this.#row)) {
      if (wasIn === false) return FILTERED;
      return this.#writeDelete(block, writer, table);
    }
    // Without the whole row before, cells that the source did not send cannot be filled: the target must have them, or say so.
    if (wasIn === false && (full || !this.#after.hasUnchanged)) return this.#insert(block, writer, table, true);

    if (
      full &&
      !this.#succeeds(() => {
        this.#compute(this.#old, this.#oldMade);
      })
    ) {
      // The row before could not pass the chain, so the target never had it.
      return this.#insert(block, writer, table, true);
    }
    this.#compute(this.#row, this.#made);
    const refused = this.#validate();
    if (refused) return refused;
    const keyed = block.beforeKind === Before.key && this.#mappedKeyChanges();
    writer.beginChange(table(), Op.update, block.ordinal);
    if (this.#plan.sameCells && !(full && this.#plan.target.tolerant)) {
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
      return OUT;
    }
    if (full) {
      writer.before(Before.full);
      this.#rows.row(this.#old, this.#oldMade, writer, false);
    } else if (keyed) {
      writer.before(Before.key);
      this.#rows.key(this.#old, this.#oldMade, writer);
    } else writer.before(Before.absent);
    writer.after(true);
    // A tolerant update may have to become an insert at the target: then every value that is known is wanted.
    this.#rows.row(this.#row, this.#made, writer, full && this.#plan.target.tolerant);
    return OUT;
  }

  #delete(block: BlockReader, writer: BlockWriter, table: () => number): Verdict {
    if (block.beforeKind === Before.absent) throw new RowFailure('the source sent no key with the delete');
    if (this.#wasIn(block) === false) return FILTERED;
    return this.#writeDelete(block, writer, table);
  }

  /** Deletes the row that was there before the change: by the whole row or the key that the source sent, else by the new row's key. */
  #writeDelete(block: BlockReader, writer: BlockWriter, table: () => number): Verdict {
    const { beforeKind } = block;
    const row = beforeKind === Before.absent ? this.#row : this.#old;
    if (beforeKind === Before.full) this.#compute(row, this.#oldMade);
    else this.#computeKey(row, this.#oldMade);
    writer.beginChange(table(), Op.delete, block.ordinal);
    if (beforeKind === Before.full) {
      writer.before(Before.full);
      this.#rows.row(row, this.#oldMade, writer, false);
    } else {
      writer.before(Before.key);
      this.#rows.key(row, this.#oldMade, writer);
    }
    writer.after(false);
    return OUT;
  }

  #matches(row: RowView): boolean {
    const { where } = this.#plan;
    if (!where) return true;
    const result = where.evaluate(row.value, row.allHaveValues(where.inputs));
    if (typeof result === 'boolean') return result;
    throw new RowFailure(`where: ${where.source} gives ${result === null ? 'NULL' : typeof result}, not true or false`);
  }

  /** Whether the row before the change passed the filter; undefined when that cannot be told. */
  #wasIn(block: BlockReader): boolean | undefined {
    const { where, whereNeedsKeyOnly } = this.#plan;
    if (!where) return undefined;
    if (block.beforeKind === Before.absent) {
      // Without a before row the key is the same as it was.
      if (!whereNeedsKeyOnly) return undefined;
    } else if (block.beforeKind === Before.key && !whereNeedsKeyOnly) return undefined;
    try {
      return this.#matches(block.beforeKind === Before.absent ? this.#row : this.#old);
    } catch (error) {
      if (!(error instanceof RowFailure)) throw error;
      // A key that the filter cannot judge never got in; of another row an older version may be at the target.
      return whereNeedsKeyOnly ? false : undefined;
    }
  }

  #compute(row: RowView, made: Made): void {
    for (const i of this.#valueColumns) this.#computeColumn(row, made, i);
  }

  #computeKey(row: RowView, made: Made): void {
    for (const i of this.#keyColumns) this.#computeColumn(row, made, i);
  }

  #succeeds(compute: () => void): boolean {
    try {
      compute();
      return true;
    } catch (error) {
      if (error instanceof RowFailure) return false;
      throw error;
    }
  }

  #computeColumn(row: RowView, made: Made, index: number): void {
    const { step, header } = this.#plan.columns[index]!;
    if (step.how === 'copy') return;
    // Nothing it is made of has changed, so it has not either.
    if (step.inputs.length > 0 && step.inputs.every((input) => row.isUnchanged(input))) {
      made[index] = undefined;
      return;
    }
    try {
      if (step.evaluate) {
        const value = step.evaluate(row);
        made[index] = cellOf(value, this.#plan.columns[index]!);
        if (made === this.#made) this.#values[index] = value;
      } else made[index] = step.run(row);
    } catch (error) {
      if (!(error instanceof RowFailure)) throw error;
      throw new RowFailure(`column ${header.name}: ${error.message}`, { cause: error });
    }
  }

  /** @returns why the row as it would be written must not be; a rule that only warns is told and passed */
  #validate(): Verdict | undefined {
    for (const rule of this.#plan.rules) {
      const reason = this.#broken(rule);
      if (reason === undefined) continue;
      if (rule.policy === 'warn') this.#warn(rule.name);
      else return { fate: 'rejected', rule, reason };
    }
    return undefined;
  }

  #broken(rule: PlanRule): string | undefined {
    try {
      if (rule.check.evaluate(this.#targetValue, this.#targetHasValues(rule.check.inputs)) === true) return undefined;
      return `rule "${rule.name}" is broken: ${rule.check.source}`;
    } catch (error) {
      if (!(error instanceof RowFailure)) throw error;
      return `rule "${rule.name}" cannot be answered: ${error.message}`;
    }
  }

  /** A cell of the row as it would be written. */
  readonly #targetValue = (column: number): CelValue => {
    const { step, kind, header } = this.#plan.columns[column]!;
    if (step.how === 'copy') {
      if (kind === this.#plan.sourceKinds[step.source]) return this.#row.value(step.source);
      const text = this.#row.text(step.source);
      return text === null ? null : decodeText(text, kind, header.name);
    }
    const made = this.#made[column];
    if (made === undefined) {
      throw new RowFailure(
        `column ${header.name} is made of columns that the source did not send, since they did not change`,
      );
    }
    if (made === null) return null;
    const value = this.#values[column];
    if (step.evaluate && isOfKind(value, kind)) return value as CelValue;
    return decodeText(encodeValue(made)!, kind, header.name);
  };

  #targetHasValues(columns: readonly number[]): boolean {
    for (const column of columns) {
      const { step } = this.#plan.columns[column]!;
      if (step.how === 'copy' ? !this.#row.hasValue(step.source) : (this.#made[column] ?? null) === null) return false;
    }
    return true;
  }

  /** Whether the key that the source sent along is another one after mapping too, and one that the target can have. */
  #mappedKeyChanges(): boolean {
    if (
      !this.#succeeds(() => {
        this.#computeKey(this.#old, this.#oldMade);
      })
    )
      return false;
    return this.#keyColumns.some((index) => {
      const { step } = this.#plan.columns[index]!;
      if (step.how === 'value') return this.#made[index] !== undefined && this.#made[index] !== this.#oldMade[index];
      return !this.#after.isUnchanged(step.source) && !this.#after.sameCell(step.source, this.#before);
    });
  }
}

/** What is written of an expression's result: its text, or itself where the column takes that. @throws {RowFailure} when no cell can hold it */
function cellOf(value: unknown, { form, kind, header }: PlanColumn): CelValue {
  if (form === undefined || form.isText) return encodeValue(value);
  if (value === null || isOfKind(value, kind)) return value as CelValue;
  throw new RowFailure(`the result is no ${header.typeName}`);
}
