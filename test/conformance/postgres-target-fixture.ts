import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Applied, BatchOutcome, TargetBatch, TargetWriter } from '#connectors/contract/target.ts';
import { postgresTarget } from '#connectors/postgres/target/target.ts';
import { Before, type BlockTable, BlockWriter, Op, type ReplicaIdentity } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { before, endOf, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import { parseTableName } from '#schemas/tables.ts';
import { systemClock } from '#services/kernel/clock.ts';
import type { TestDatabase } from '#test/support/database.ts';

/** Cells of a row: undefined is "unchanged". */
export type Cells = readonly (string | null | undefined)[];

export interface Change {
  readonly table: BlockTable | undefined;
  readonly op: Op;
  readonly before?: { readonly kind: Before; readonly cells: Cells };
  readonly after?: Cells;
  /** Shares the ordinal of the change before it. */
  readonly joined?: boolean;
}

/** A table as the stream tells it: "public.parcel", columns, those of the key with a star: "id*". */
export function table(
  name: string,
  columns: readonly string[],
  { identity = 'default', tolerant = false }: { identity?: ReplicaIdentity; tolerant?: boolean } = {},
): BlockTable {
  return {
    ...parseTableName(name),
    relationId: 16_384,
    identity,
    tolerant,
    columns: columns.map((column) => ({
      name: column.replace('*', ''),
      typeOid: 25,
      typeSchema: 'pg_catalog',
      typeName: 'text',
      typmod: -1,
      key: column.endsWith('*') || identity === 'full',
      format: 'text',
    })),
  };
}

export const insert = (of: BlockTable, after: Cells): Change => ({ table: of, op: Op.insert, after });

/** @param old the old key (or with identity full the old row), sent only when the key changes */
export function update(of: BlockTable, after: Cells, old?: Cells): Change {
  return { table: of, op: Op.update, after, ...(old && { before: beforeOf(of, old) }) };
}

export const remove = (of: BlockTable, old: Cells): Change => ({
  table: of,
  op: Op.delete,
  before: beforeOf(of, old),
});

export function truncate(
  tables: readonly BlockTable[],
  { cascade = false, restart = false }: { cascade?: boolean; restart?: boolean } = {},
): Change[] {
  return tables.map((of, i) => ({
    table: of,
    op: Op.truncate,
    after: [cascade ? 'cascade' : null, restart ? 'restart identity' : null],
    joined: i > 0,
  }));
}

export const message = (): Change => ({ table: undefined, op: Op.message, after: ['test', ''] });

function beforeOf({ identity, columns }: BlockTable, cells: Cells): NonNullable<Change['before']> {
  if (identity === 'full') return { kind: Before.full, cells };
  return { kind: Before.key, cells: cells.map((cell, i) => (columns[i]!.key ? cell : null)) };
}

export interface Slice {
  readonly bytes: Buffer;
  readonly last: Position;
}

/** Makes the blocks of a source's history, one after the other. */
export class History {
  position: Position;
  #lsn: bigint;
  #next = 0;

  constructor(lsn = 1000n) {
    this.#lsn = lsn;
    this.position = before(1, lsn);
  }

  get lsn(): bigint {
    return this.#lsn;
  }

  /** One block of whole transactions. */
  block(...transactions: readonly (readonly Change[])[]): Slice {
    return this.#write((writer, indexOf) => {
      for (const changes of transactions) {
        this.#lsn += 100n;
        this.#next = 0;
        writer.beginTransaction(this.#transaction());
        this.#changes(writer, changes, indexOf);
        writer.endTransaction(true, 0);
        this.position = endOf(1, this.#lsn);
      }
    });
  }

  /** One transaction, cut over as many blocks as there are parts. */
  cut(parts: readonly (readonly Change[])[]): Slice[] {
    this.#lsn += 100n;
    this.#next = 0;
    return parts.map((changes, i) => this.slice(changes, i === parts.length - 1));
  }

  /** Begins a transaction of which `slice` gives one part after the other. */
  begin(): void {
    this.#lsn += 100n;
    this.#next = 0;
  }

  slice(changes: readonly Change[], last: boolean): Slice {
    return this.#write((writer, indexOf) => {
      writer.beginTransaction(this.#transaction());
      this.#changes(writer, changes, indexOf);
      writer.endTransaction(last, this.#next - 1);
      this.position = { generation: 1, commitLsn: this.#lsn, ordinal: last ? LAST_ORDINAL : this.#next - 1 };
    });
  }

  #transaction() {
    return { xid: Number(this.#lsn), commitLsn: this.#lsn, commitTime: Date.now() * 1000, origin: undefined };
  }

  #write(fill: (writer: BlockWriter, indexOf: (of: BlockTable | undefined) => number) => void): Slice {
    const writer = new BlockWriter();
    const after = this.position;
    const indexes = new Map<BlockTable, number>();
    fill(writer, (of) => {
      if (of === undefined) return -1;
      let index = indexes.get(of);
      if (index === undefined) indexes.set(of, (index = writer.addTable(of)));
      return index;
    });
    return { bytes: writer.finish('test-source', 1, after), last: this.position };
  }

  #changes(writer: BlockWriter, changes: readonly Change[], indexOf: (of: BlockTable | undefined) => number): void {
    for (const change of changes) {
      if (change.joined === true) this.#next--;
      writer.beginChange(indexOf(change.table), change.op, this.#next++);
      writer.before(change.before?.kind ?? Before.absent);
      if (change.before) putRow(writer, change.before.cells);
      writer.after(change.after !== undefined);
      if (change.after) putRow(writer, change.after);
    }
  }
}

function putRow(writer: BlockWriter, cells: Cells): void {
  writer.beginRow(cells.length);
  for (const cell of cells) {
    if (cell === undefined) writer.unchangedCell();
    else if (cell === null) writer.nullCell();
    else writer.textCellOf(cell);
  }
  writer.endRow();
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export function contextOf(signal: AbortSignal = new AbortController().signal): ConnectorContext {
  return { clock: systemClock, log: silent, signal };
}

/** A target database with one pair, and the source's history for it. */
export class Pair {
  readonly database: TestDatabase;
  readonly id = 'pair-1';
  target: ReturnType<typeof postgresTarget>;
  readonly history: History;
  readonly letters: DeadLetter[] = [];

  constructor(database: TestDatabase, history = new History()) {
    this.database = database;
    this.history = history;
    this.target = postgresTarget({ url: database.url });
  }

  /** Stores the position that the history begins with, as an empty load would. */
  async start(overlayUntil = 0n): Promise<void> {
    await this.target.forget(this.id, contextOf());
    await using load = await this.target.openLoad(
      { pairId: this.id, number: 1, tables: [], existingRows: 'refuse', begun: '' },
      contextOf(),
    );
    await load.commit({ position: this.history.position, topic: 'changes.x', nextOffset: 0n, overlayUntil });
  }

  open(): Promise<TargetWriter> {
    return this.target.openWriter(this.id, contextOf());
  }

  batch(slices: readonly Slice[], mode: TargetBatch['mode'] = 'set'): TargetBatch {
    return {
      blocks: slices.map(({ bytes }) => bytes),
      last: slices.at(-1)!.last,
      topic: 'changes.x',
      nextOffset: 7n,
      mode,
    };
  }

  readonly reject = async (letters: readonly DeadLetter[]): Promise<void> => {
    this.letters.push(...letters);
  };

  /** Applies the blocks with a writer of its own. */
  async apply(slices: readonly Slice[], mode: TargetBatch['mode'] = 'set'): Promise<BatchOutcome> {
    await using writer = await this.open();
    return await writer.apply(this.batch(slices, mode), this.reject);
  }

  /** As the stage does it: set-based, and change by change where that meets a constraint. */
  async applyWithFallback(slices: readonly Slice[]): Promise<'set' | 'ordered' | 'immediate'> {
    for (const mode of ['set', 'ordered', 'immediate'] as const) {
      try {
        await this.apply(slices, mode);
        return mode;
      } catch (error) {
        if ((error as { code?: string }).code !== 'TARGET_CONSTRAINT') throw error;
      }
    }
    throw new Error('a constraint was met in every mode');
  }

  applied(): Promise<Applied | undefined> {
    return this.target.applied(this.id, contextOf());
  }

  /** All rows as arrays of text, in the order of the first column. */
  async rows(of: string): Promise<(string | null)[][]> {
    const { rows } = await (
      await lookerOf(this.database)
    ).query<(string | null)[]>({
      text: `SELECT * FROM ${of} ORDER BY 1`,
      rowMode: 'array',
      types: { getTypeParser: () => (value: string) => value },
    });
    return rows;
  }
}

/** One connection a database, for looking at rows. */
const lookers = new WeakMap<TestDatabase, ReturnType<TestDatabase['connect']>>();

function lookerOf(database: TestDatabase): ReturnType<TestDatabase['connect']> {
  let looker = lookers.get(database);
  if (looker === undefined) lookers.set(database, (looker = database.connect()));
  return looker;
}
