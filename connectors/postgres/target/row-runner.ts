import type { Pipeline } from './pipeline.ts';
import type { Rows } from './rows.ts';
import type { RowStatement } from './statements.ts';
import { ColumnArray } from './column-array.ts';

/** Runs row statements: rows are added one by one, their cells go into one array a column. The arrays are used again. */
export class RowRunner {
  readonly #pipeline: Pipeline;
  readonly #arrays: ColumnArray[] = [];
  #statement: RowStatement | undefined;
  #inUse: readonly ColumnArray[] = [];
  #rows = 0;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  begin(statement: RowStatement): void {
    this.#statement = statement;
    this.#rows = 0;
    while (this.#arrays.length < statement.elements.length) this.#arrays.push(new ColumnArray());
    this.#inUse = this.#arrays.slice(0, statement.elements.length);
    this.#inUse.forEach((array, i) => {
      array.reset(statement.elements[i]);
    });
  }

  /** Adds a row: where its key lies (not looked at by inserts), and where its values do (not looked at by deletes). */
  add(rows: Rows, keySource: number, keyAt: number, source: number, at: number): void {
    const statement = this.#statement!;
    const { keyPlaces, rowPlaces, bothPlaces } = statement;
    this.#rows++;
    if (bothPlaces !== undefined && keyAt === at && keySource === source) {
      rows.fill(source, at, bothPlaces, this.#inUse, statement);
      return;
    }
    if (keyPlaces !== undefined) rows.fill(keySource, keyAt, keyPlaces, this.#inUse, statement);
    if (rowPlaces !== undefined) rows.fill(source, at, rowPlaces, this.#inUse, statement);
  }

  /** Sends the statement; nothing when no row was added. */
  end(): void {
    const statement = this.#statement!;
    this.#statement = undefined;
    if (this.#rows === 0) return;
    if (statement.unindexed) this.#pipeline.run('SET LOCAL enable_hashjoin = on');
    this.#pipeline.runArrays(statement.sql, this.#inUse, statement.checked ? this.#rows : undefined);
    if (statement.unindexed) this.#pipeline.run('SET LOCAL enable_hashjoin = off');
  }

  /** A statement for one row. */
  one(statement: RowStatement, rows: Rows, keySource: number, keyAt: number, source: number, at: number): void {
    this.begin(statement);
    this.add(rows, keySource, keyAt, source, at);
    this.end();
  }
}
