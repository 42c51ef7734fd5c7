import { type BlockReader, readRow } from '#schemas/block/index.ts';
import type { Pipeline } from './pipeline.ts';
import type { TablePlan } from './table-plan.ts';

/** The tables of one TRUNCATE: they come as one change each, all with the same ordinal, and go in one statement. (CHECKLIST 39) */
export class TruncateGroup {
  readonly #tables = new Set<string>();
  #commitLsn = 0n;
  #ordinal = -1;
  #cascade = false;
  #restartIdentity = false;

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  /** Whether the change that the reader stands on is of the same statement. */
  belongs({ transaction, ordinal }: BlockReader): boolean {
    return this.isEmpty || (this.#commitLsn === transaction.commitLsn && this.#ordinal === ordinal);
  }

  add(reader: BlockReader, plan: TablePlan): void {
    this.#tables.add(plan.sql);
    this.#commitLsn = reader.transaction.commitLsn;
    this.#ordinal = reader.ordinal;
    const options = reader.afterStart === -1 ? [] : readRow(reader.bytes, reader.afterStart);
    this.#cascade = options.includes('cascade');
    this.#restartIdentity = options.includes('restart identity');
  }

  /** Sends the statement and forgets the tables; does nothing when there are none. */
  flush(pipeline: Pipeline): void {
    if (this.isEmpty) return;
    this.send(pipeline);
    this.#tables.clear();
  }

  send(pipeline: Pipeline): void {
    const options = `${this.#restartIdentity ? ' RESTART IDENTITY' : ''}${this.#cascade ? ' CASCADE' : ''}`;
    pipeline.runOnce(`TRUNCATE ${[...this.#tables].join(', ')}${options}`);
  }
}
