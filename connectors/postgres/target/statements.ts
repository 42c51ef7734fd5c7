import type { BinaryForm } from '#schemas/block/index.ts';
import { formatTableName } from '#schemas/tables.ts';
import { quoteLiteral } from '../identifiers.ts';
import { SCHEMA } from './bookkeeping.ts';
import { TEXT_OID } from './column-array.ts';
import { assignments, cellsOf, equals, list, sameText, unnest, value } from './statement-parts.ts';
import type { PlanColumn, TablePlan } from './table-plan.ts';

/** A statement over rows that come as one array a column. Its text does not depend on how many rows there are. */
export interface RowStatement {
  readonly sql: string;
  /** Of the row by which rows are found (the old one where the key changes), by cell: its array, or -1. Undefined when none is needed. */
  readonly keyPlaces: Int16Array | undefined;
  /** The same of the row that is written. */
  readonly rowPlaces: Int16Array | undefined;
  /** Both in one, for a row that is found by itself. Undefined when there are not two, or a cell is needed twice. */
  readonly bothPlaces: Int16Array | undefined;
  /** The last parameter is how many rows must be met, and the transaction fails when it is not so many. */
  readonly checked: boolean;
  /** By cell: how its text is made where it is in binary, for arrays of texts. */
  readonly forms: readonly (BinaryForm | undefined)[];
  /** By array, first the cells by which rows are found, then those that are written: oid of its elements' type. */
  readonly elements: readonly number[];
  /** No index leads to the rows: the planner may hash instead of reading the table once a row. */
  readonly unindexed: boolean;
}

interface Draft {
  readonly sql: string;
  /** Cells of the row by which rows are found; the first arrays. */
  readonly keyCells: readonly number[];
  /** Cells of the row that is written; the arrays after those. */
  readonly rowCells: readonly number[];
  readonly checked: boolean;
}

/** The statements of one plan, each made at its first use. */
export class Statements {
  readonly #plan: TablePlan;
  readonly #made = new Map<string, RowStatement>();
  #copy: string | undefined;

  constructor(plan: TablePlan) {
    this.#plan = plan;
  }

  /** COPY of all written columns from the client. */
  get copy(): string {
    const { sql, written } = this.#plan;
    return (this.#copy ??= `COPY ${sql} (${list(written, (column) => column.sql)}) FROM STDIN`);
  }

  /** The same, of rows in COPY's binary format. */
  get copyBytes(): string {
    return `${this.copy} (FORMAT binary)`;
  }

  insert(): RowStatement {
    return this.#statement('insert', () => ({ ...this.#insertion(), checked: false }));
  }

  /** Inserts, or sets all columns where the key is there already. Undefined when no index of the target can decide that. */
  upsert(): RowStatement | undefined {
    const { keys, table } = this.#plan;
    const names = keys.map(({ column }) => column.name);
    const decided = table.uniqueKeys.some(
      (unique) => unique.length === names.length && unique.every((name) => names.includes(name)),
    );
    if (!decided) return undefined;
    return this.#statement('upsert', () => {
      const insertion = this.#insertion();
      const set = list(this.settable(), ({ sql }) => `${sql} = excluded.${sql}`);
      const then = set === '' ? 'NOTHING' : `UPDATE SET ${set}`;
      return {
        ...insertion,
        sql: `${insertion.sql} ON CONFLICT (${list(keys, ({ sql }) => sql)}) DO ${then}`,
        checked: false,
      };
    });
  }

  /** Inserts the rows whose key is not there. */
  insertMissing(): RowStatement {
    return this.#statement('insertMissing', () => {
      const { written, keys, sql: table } = this.#plan;
      // The key's cells twice: they are compared, and most often written as well.
      const insertion = this.#insertion(keys);
      const where = `NOT EXISTS (SELECT FROM ${table} AS t WHERE ${this.#keyMatch()})`;
      return {
        sql: `${insertion.sql} WHERE ${where}`,
        keyCells: cellsOf(keys),
        rowCells: cellsOf(written),
        checked: false,
      };
    });
  }

  delete(checked: boolean): RowStatement {
    return this.#statement(`delete${checked}`, () => {
      const { keys, sql } = this.#plan;
      const body = `DELETE FROM ${sql} AS t USING ${unnest(keys)} WHERE ${this.#keyMatch()}`;
      return { sql: this.#checked(body, checked, keys.length), keyCells: cellsOf(keys), rowCells: [], checked };
    });
  }

  /**
   * Sets all columns but the key's and those that came "unchanged".
   * @param unchanged by cell, 1 for unchanged; undefined when the row is whole
   * @returns undefined when nothing is left to set and nothing to check
   */
  update(unchanged: Uint8Array | undefined, checked: boolean): RowStatement | undefined {
    const { keys, sql } = this.#plan;
    const set = this.settable().filter(({ cell }) => unchanged?.[cell] !== 1);
    if (set.length === 0 && !checked) return undefined;
    return this.#statement(`update${checked} ${unchanged?.join('') ?? ''}`, () => {
      const fixed = this.#identities().filter(({ cell }) => unchanged?.[cell] !== 1);
      const rows = [...set, ...fixed];
      const from = unnest([...keys, ...rows]);
      const match = [
        this.#keyMatch(),
        // GENERATED ALWAYS AS IDENTITY cannot be set: a row in which it differs is a conflict, not silently left as it is.
        ...fixed.map((column, i) => equals(column, keys.length + set.length + i)),
      ].join(' AND ');
      const body =
        set.length === 0
          ? `SELECT FROM ${sql} AS t, ${from} WHERE ${match}`
          : `UPDATE ${sql} AS t SET ${assignments(set, keys.length)} FROM ${from} WHERE ${match}`;
      const text =
        set.length === 0
          ? this.#counting(body, keys.length + rows.length)
          : this.#checked(body, checked, keys.length + rows.length);
      return { sql: text, keyCells: cellsOf(keys), rowCells: cellsOf(rows), checked };
    });
  }

  /** Sets the key as well: finds the row by the old one. @param unchanged see {@link update} */
  move(unchanged: Uint8Array | undefined, checked: boolean): RowStatement {
    const { keys, written, sql } = this.#plan;
    return this.#statement(`move${checked} ${unchanged?.join('') ?? ''}`, () => {
      const set = written.filter(({ cell, column }) => unchanged?.[cell] !== 1 && !column.identityAlways);
      const count = keys.length + set.length;
      const body = `UPDATE ${sql} AS t SET ${assignments(set, keys.length)} FROM ${unnest([...keys, ...set])} WHERE ${this.#keyMatch()}`;
      return { sql: this.#checked(body, checked, count), keyCells: cellsOf(keys), rowCells: cellsOf(set), checked };
    });
  }

  /** Deletes the row at the old key where there is one at the new key. */
  deleteMoved(): RowStatement {
    return this.#statement('deleteMoved', () => {
      const { keys, sql } = this.#plan;
      const there = keys.map((column, i) => equals(column, keys.length + i, 'o')).join(' AND ');
      return {
        sql: `DELETE FROM ${sql} AS t USING ${unnest([...keys, ...keys])} WHERE ${this.#keyMatch()}
 AND EXISTS (SELECT FROM ${sql} AS o WHERE ${there})`,
        keyCells: cellsOf(keys),
        rowCells: cellsOf(keys),
        checked: false,
      };
    });
  }

  /** Deletes one of the rows that are equal in all columns. */
  deleteRow(checked: boolean): RowStatement {
    const { written, sql } = this.#plan;
    return this.#statement(`deleteRow${checked}`, () => {
      const body = `DELETE FROM ${sql} AS t USING (${this.#oneRow()}) AS s WHERE t.ctid = s.place AND t.tableoid = s.part`;
      return {
        sql: this.#checked(body, checked, written.length),
        keyCells: cellsOf(written),
        rowCells: [],
        checked,
      };
    });
  }

  /**
   * Updates one of the rows that are equal in all columns.
   * @param unchanged see {@link update}
   * @returns undefined when nothing is left to set and nothing to check
   */
  updateRow(unchanged: Uint8Array | undefined, checked: boolean): RowStatement | undefined {
    const { written, sql } = this.#plan;
    const set = written.filter(({ cell, column }) => unchanged?.[cell] !== 1 && !column.identityAlways);
    if (set.length === 0 && !checked) return undefined;
    return this.#statement(`updateRow${checked} ${unchanged?.join('') ?? ''}`, () => {
      const count = written.length + set.length;
      const body = `UPDATE ${sql} AS t SET ${assignments(set, written.length)} FROM (${this.#oneRow()}) AS s, ${unnest([...written, ...set])}
 WHERE t.ctid = s.place AND t.tableoid = s.part`;
      return {
        sql: set.length === 0 ? this.#counting(this.#oneRow(), count) : this.#checked(body, checked, count),
        keyCells: cellsOf(written),
        rowCells: cellsOf(set),
        checked,
      };
    });
  }

  /** Inserts the rows that have no equal. */
  insertRowIfNew(): RowStatement {
    return this.#statement('insertRowIfNew', () => {
      const { written, sql } = this.#plan;
      const insertion = this.#insertion();
      const same = written.map((column, i) => sameText(column, i)).join(' AND ');
      return {
        ...insertion,
        sql: `${insertion.sql} WHERE NOT EXISTS (SELECT FROM ${sql} AS t WHERE ${same})`,
        checked: false,
      };
    });
  }

  /** Columns that an update of a row sets: all but the key's. */
  settable(): PlanColumn[] {
    return this.#plan.written.filter(({ cell, column }) => this.#plan.isKey[cell] === 0 && !column.identityAlways);
  }

  #identities(): PlanColumn[] {
    return this.#plan.written.filter(({ cell, column }) => this.#plan.isKey[cell] === 0 && column.identityAlways);
  }

  #statement(name: string, make: () => Draft): RowStatement {
    let statement = this.#made.get(name);
    if (statement === undefined) {
      statement = finish(make(), this.#plan);
      this.#made.set(name, statement);
    }
    return statement;
  }

  /** @param before columns whose arrays come before those of the row */
  #insertion(before: readonly PlanColumn[] = []): {
    sql: string;
    keyCells: readonly number[];
    rowCells: readonly number[];
  } {
    const { written, sql } = this.#plan;
    const overriding = written.some(({ column }) => column.identityAlways) ? ' OVERRIDING SYSTEM VALUE' : '';
    const columns = list(written, (column) => column.sql);
    const values = written.map((column, i) => value(column, before.length + i)).join(', ');
    return {
      sql: `INSERT INTO ${sql} (${columns})${overriding} SELECT ${values} FROM ${unnest([...before, ...written])}`,
      keyCells: [],
      rowCells: cellsOf(written),
    };
  }

  #keyMatch(): string {
    return this.#plan.keys.map((column, i) => equals(column, i)).join(' AND ');
  }

  /** Where one row lies that is equal to `u` in all columns. */
  #oneRow(): string {
    const { written, sql } = this.#plan;
    const same = written.map((column, i) => sameText(column, i)).join(' AND ');
    return `SELECT t.ctid AS place, t.tableoid AS part FROM ${sql} AS t, ${unnest(written)} WHERE ${same} LIMIT 1`;
  }

  #checked(body: string, checked: boolean, parameters: number): string {
    return checked ? this.#counting(`${body} RETURNING 1`, parameters) : body;
  }

  #counting(body: string, parameters: number): string {
    const name = quoteLiteral(formatTableName(this.#plan.table));
    return `WITH met AS (${body}) SELECT ${SCHEMA}.expect_rows_1(count(*), $${parameters + 1}, ${name}) FROM met`;
  }
}

function finish(
  { sql, keyCells, rowCells, checked }: Draft,
  { keys, table, shape, forms, columns }: TablePlan,
): RowStatement {
  const cells = shape.columns.length;
  const places = (chosen: readonly number[], before: number): Int16Array | undefined => {
    if (chosen.length === 0) return undefined;
    const byCell = new Int16Array(cells).fill(-1);
    chosen.forEach((cell, i) => (byCell[cell] = before + i));
    return byCell;
  };
  const keyPlaces = places(keyCells, 0);
  const rowPlaces = places(rowCells, keyCells.length);
  const apart = keyPlaces !== undefined && rowPlaces !== undefined && !keyCells.some((cell) => rowCells.includes(cell));
  return {
    sql,
    keyPlaces,
    rowPlaces,
    bothPlaces: apart ? places([...keyCells, ...rowCells], 0) : undefined,
    checked,
    forms,
    elements: [...keyCells, ...rowCells].map((cell) =>
      columns[cell]!.inBinary ? shape.columns[cell]!.typeOid : TEXT_OID,
    ),
    unindexed: keys.length > 0 && !keys.some(({ column }) => table.indexed.includes(column.name)),
  };
}
