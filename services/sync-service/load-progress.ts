import type { LoadObserver, TableStart } from '#services/loader/loader.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import type { Clock } from '#connectors/contract/context.ts';
import type { PlannedTable } from './plan.ts';
import type { TableProgress } from './ports.ts';

interface Counted {
  readonly source: TableName;
  readonly target: TableName;
  readonly estimate: number;
  state: TableProgress['state'];
  rows: number;
  bytes: number;
  chunks: number;
  chunksDone: number;
  /** Rows of finished chunks. */
  rowsDone: number;
  /** When its first row of this try came, on the monotonic clock, and what there was then. */
  begun: { readonly at: number; readonly rows: number } | undefined;
}

/** What a load has copied, by table, with rate and time left. */
export class LoadProgress {
  readonly #clock: Clock;
  readonly #tables: Map<string, Counted>;
  /** Grows with everything that is told. */
  #told = 0;
  #resting = false;
  #begun = false;

  constructor(tables: readonly PlannedTable[], clock: Clock) {
    this.#clock = clock;
    this.#tables = new Map(
      tables.map(({ shape, target }) => {
        const source = { schema: shape.table.schema, name: shape.table.name };
        const counted: Counted = {
          source,
          target,
          estimate: Math.round(shape.estimatedRows),
          state: 'waiting',
          rows: 0,
          bytes: 0,
          chunks: 0,
          chunksDone: 0,
          rowsDone: 0,
          begun: undefined,
        };
        return [formatTableName(source), counted];
      }),
    );
  }

  /** Grows with everything that is told of the load. */
  get told(): number {
    return this.#told;
  }

  get chunksDone(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.chunksDone, 0);
  }

  /** Chunks that are still to be copied; 0 before and after the copying, and outside of the load's window. */
  get chunksLeft(): number {
    if (this.#resting || !this.#begun) return 0;
    return [...this.#tables.values()].reduce(
      (sum, { state, chunks, chunksDone }) => sum + (state === 'loaded' ? 0 : Math.max(1, chunks - chunksDone)),
      0,
    );
  }

  resting(is: boolean): void {
    this.#told += 1;
    this.#resting = is;
  }

  get rows(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.rows, 0);
  }

  tables(): TableProgress[] {
    return [...this.#tables.values()].map((table) => this.#view(table));
  }

  begun(starts: readonly TableStart[]): void {
    this.#begun = true;
    this.#told += 1;
    for (const { table, rows, bytes, chunks, chunksDone } of starts) {
      const counted = this.#of(table);
      // What a try that broke off had copied of unfinished chunks is gone.
      const state = chunks === chunksDone ? 'loaded' : chunksDone > 0 ? 'loading' : 'waiting';
      Object.assign(counted, { rows, bytes, chunks, chunksDone, rowsDone: rows, state, begun: undefined });
    }
  }

  copied(table: TableName, rows: number, bytes: number): void {
    this.#told += 1;
    const counted = this.#of(table);
    counted.state = 'loading';
    counted.begun ??= { at: this.#clock.monotonic(), rows: counted.rows };
    counted.rows += rows;
    counted.bytes += bytes;
  }

  givenUp(table: TableName, rows: number, bytes: number): void {
    this.#told += 1;
    const counted = this.#of(table);
    counted.rows -= rows;
    counted.bytes -= bytes;
  }

  chunkDone(table: TableName, rows: number): void {
    this.#told += 1;
    const counted = this.#of(table);
    counted.chunksDone++;
    counted.rowsDone += rows;
  }

  tableDone(table: TableName): void {
    this.#told += 1;
    this.#of(table).state = 'loaded';
  }

  #of({ schema, name }: TableName): Counted {
    return this.#tables.get(formatTableName({ schema, name }))!;
  }

  #view(table: Counted): TableProgress {
    const { source, target, state, rows, bytes, begun } = table;
    const rowsTotal = this.#total(table);
    const seconds = begun === undefined ? 0 : (this.#clock.monotonic() - begun.at) / 1000;
    const rate = state === 'loading' && seconds > 0 ? (rows - begun!.rows) / seconds : undefined;
    return {
      source,
      target,
      state,
      rowsCopied: rows,
      rowsTotal,
      bytesCopied: bytes,
      rowsPerSecond: rate,
      secondsLeft: rate === undefined || rate === 0 ? undefined : (rowsTotal - rows) / rate,
    };
  }

  /** The catalog's estimate may be old, or none: chunks are of about the same size, so those that are done tell of those to come. */
  #total({ state, rows, estimate, chunks, chunksDone, rowsDone }: Counted): number {
    if (state === 'loaded') return rows;
    const byChunks = chunks > 1 && chunksDone > 0 ? Math.round((rowsDone / chunksDone) * chunks) : estimate;
    return Math.max(rows, byChunks);
  }
}

/** The observer that keeps `progress`. */
export function observe(
  progress: LoadProgress,
  more: { readonly copied: (rows: number, bytes: number) => void; readonly resting: LoadObserver['resting'] },
): LoadObserver {
  return {
    begun: (tables) => {
      progress.begun(tables);
    },
    copied: (table, rows, bytes) => {
      progress.copied(table, rows, bytes);
      more.copied(rows, bytes);
    },
    givenUp: (table, rows, bytes) => {
      progress.givenUp(table, rows, bytes);
    },
    chunkDone: (table, rows) => {
      progress.chunkDone(table, rows);
    },
    tableDone: (table) => {
      progress.tableDone(table);
    },
    resting: (until) => {
      progress.resting(until !== undefined);
      more.resting(until);
    },
  };
}
