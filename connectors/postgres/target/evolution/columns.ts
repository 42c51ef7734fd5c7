import type { HeldTable, NewsTable, Refill, SchemaStep } from '#connectors/contract/target.ts';
import type { SourceColumn, SourceTable } from '#schemas/source-tables.ts';
import { formatTableName } from '#schemas/tables.ts';
import { quoteColumns, quoteIdentifier, quoteLiteral, quoteTable } from '../../identifiers.ts';
import type { CatalogColumn, CatalogTable } from '../catalog.ts';
import { castsAlike, isWidening } from './types.ts';

/** A column that was there before and is there now. */
interface Kept {
  readonly was: SourceColumn;
  readonly is: SourceColumn;
  /** The target's, under its old name. */
  readonly there: CatalogColumn;
}

/** What becomes of one table's columns. */
export function planColumnsOf(
  news: NewsTable,
  before: HeldTable | undefined,
  catalog: CatalogTable,
): { readonly steps: SchemaStep[]; readonly unread: number[] } {
  return new ColumnPlanner(news, before, catalog).plan();
}

class ColumnPlanner {
  readonly #news: NewsTable;
  readonly #source: SourceTable;
  readonly #before: HeldTable | undefined;
  readonly #columns: ReadonlyMap<string, CatalogColumn>;
  readonly #catalog: CatalogTable;
  readonly #sql: string;
  readonly #name: string;
  readonly #steps: SchemaStep[] = [];
  /** Columns whose older rows are to be read again. */
  readonly #refill = new Map<number, SourceColumn>();
  readonly #notNull = new Set<string>();

  constructor(news: NewsTable, before: HeldTable | undefined, catalog: CatalogTable) {
    this.#news = news;
    this.#source = news.source;
    this.#before = before;
    this.#catalog = catalog;
    this.#columns = new Map(catalog.columns.map((column) => [column.name, column]));
    this.#sql = quoteTable(news.target);
    this.#name = formatTableName(news.target);
  }

  plan(): { readonly steps: SchemaStep[]; readonly unread: number[] } {
    const is = new Map(this.#followed(this.#source).map((column) => [column.attnum, column]));
    const was = new Map(
      (this.#before ? this.#followed(this.#before.source) : []).map((column) => [column.attnum, column]),
    );
    for (const column of was.values()) if (!is.has(column.attnum)) this.#drop(column);
    const kept = [...is.values()].flatMap((column): Kept[] => {
      const old = was.get(column.attnum);
      const there = old && this.#columns.get(old.name);
      return there ? [{ was: old, is: column, there }] : [];
    });
    this.#rename(kept);
    for (const column of kept) this.#retype(column);
    const taken = new Set(kept.map((column) => column.is.name));
    for (const column of is.values()) if (!taken.has(column.name) && !was.has(column.attnum)) this.#add(column);
    for (const column of kept) this.#nullability(column);
    this.#primaryKey();
    if (this.#news.rewritten === 'all')
      for (const column of is.values()) if (!this.#isKey(column)) this.#refill.set(column.attnum, column);
    for (const attnum of this.#before?.unread ?? []) {
      const [old, column] = [was.get(attnum), is.get(attnum)];
      // It could not be read, because a later change was on its way: perhaps this one.
      if (old && column && !this.#isKey(column)) this.#refill.set(attnum, column);
    }
    this.#readAgain();
    const unread = (this.#before?.unread ?? []).filter((attnum) => is.has(attnum) && !this.#refill.has(attnum));
    return { steps: this.#steps, unread };
  }

  /** Columns that go over, by number. */
  #followed({ columns }: SourceTable): SourceColumn[] {
    return columns.filter(({ name, generated }) => !generated && !this.#news.exclude.includes(name));
  }

  #drop({ name }: SourceColumn): void {
    if (!this.#columns.has(name)) return;
    this.#steps.push({
      kind: 'destructive',
      what: `Column ${name} was dropped at the source: it is dropped from ${this.#name} with its values`,
      sql: [`ALTER TABLE ${this.#sql} DROP COLUMN ${quoteIdentifier(name)}`],
    });
  }

  #rename(kept: readonly Kept[]): void {
    const renamed = kept.filter(({ was, is }) => was.name !== is.name);
    const taken = new Set(renamed.map(({ was }) => was.name));
    for (const { was, is } of renamed) {
      // Two columns that swap their names pass each other by a name in between.
      const name = taken.has(is.name) ? between(was.attnum) : is.name;
      this.#steps.push({
        kind: 'additive',
        what: `Column ${was.name} of ${this.#name} is called ${is.name} at the source`,
        sql: [this.#renaming(was.name, name)],
      });
    }
    const sql = renamed
      .filter(({ is }) => taken.has(is.name))
      .map(({ was, is }) => this.#renaming(between(was.attnum), is.name));
    if (sql.length > 0)
      this.#steps.push({ kind: 'additive', what: `Columns of ${this.#name} take each other's names`, sql });
  }

  #renaming(from: string, to: string): string {
    return `ALTER TABLE ${this.#sql} RENAME COLUMN ${quoteIdentifier(from)} TO ${quoteIdentifier(to)}`;
  }

  #retype({ was, is, there }: Kept): void {
    // A column that somebody has given a type of his own stays as it is: values arrive as text and are read by it.
    if (was.type === is.type || there.type !== was.type) return;
    const column = quoteIdentifier(is.name);
    const { rewritten } = this.#news;
    const key = this.#isKey(is);
    const again = rewritten !== 'no' && !key && !(rewritten === 'cast' && castsAlike(was.type, is.type));
    const alter = `ALTER TABLE ${this.#sql} ALTER COLUMN ${column}`;
    const sql: string[] = [];
    if (there.hasDefault && !is.identity) sql.push(`${alter} DROP DEFAULT`);
    if (again && there.notNull) sql.push(`${alter} DROP NOT NULL`);
    sql.push(`${alter} TYPE ${is.type}${again ? ' USING NULL' : ` USING ${column}::${is.type}`}`);
    if (there.hasDefault && is.default !== null && !is.default.includes('nextval('))
      sql.push(`${alter} SET DEFAULT ${is.default}`);
    const widens = isWidening(was.type, is.type);
    this.#steps.push({
      kind: widens ? 'additive' : 'destructive',
      what: `Column ${is.name} of ${this.#name} was ${was.type} and is ${is.type} at the source${again ? '; its values are read again from there' : ''}`,
      sql,
    });
    if (again) {
      this.#refill.set(is.attnum, is);
      if (is.not_null || there.notNull) this.#notNull.add(is.name);
    }
  }

  /** With a default that is a constant, older rows have it without being touched, as at the source; another one has been computed row by row there. */
  #add(column: SourceColumn): void {
    const name = quoteIdentifier(column.name);
    // Seen by comparison only, the column may have had rows by another name before.
    const computed =
      this.#news.rewritten === 'perhaps' ||
      (!column.has_missing && (column.default !== null || column.identity || column.not_null));
    const there = this.#columns.get(column.name);
    if (there && !this.#leaves(column.name)) {
      if (this.#before) this.#refill.set(column.attnum, column);
      return;
    }
    const add = `ALTER TABLE ${this.#sql} ADD COLUMN ${name} ${column.type}`;
    const sql =
      column.has_missing && column.missing !== null
        ? [
            `${add} DEFAULT ${quoteLiteral(column.missing)}::${column.type}${column.not_null ? ' NOT NULL' : ''}`,
            `ALTER TABLE ${this.#sql} ALTER COLUMN ${name} DROP DEFAULT`,
          ]
        : [add];
    this.#steps.push({
      kind: 'additive',
      what: `Column ${column.name} ${column.type} was added at the source: ${this.#name} gets it${computed ? ', with the values that older rows have there' : ''}`,
      sql,
    });
    if (computed) {
      this.#refill.set(column.attnum, column);
      if (column.not_null) this.#notNull.add(column.name);
    }
  }

  /** Whether the target's column of this name is one that goes, or gets another name, before the new one comes. */
  #leaves(name: string): boolean {
    return this.#before?.source.columns.some((old) => old.name === name) ?? false;
  }

  #nullability({ was, is, there }: Kept): void {
    const column = quoteIdentifier(is.name);
    if (!is.not_null && there.notNull && was.not_null) {
      this.#steps.push({
        kind: 'additive',
        what: `Column ${is.name} of ${this.#name} may be NULL at the source`,
        sql: [`ALTER TABLE ${this.#sql} ALTER COLUMN ${column} DROP NOT NULL`],
      });
    } else if (is.not_null && !was.not_null && !there.notNull && !this.#notNull.has(is.name)) {
      this.#steps.push({
        kind: 'additive',
        what: `Column ${is.name} of ${this.#name} must not be NULL at the source`,
        sql: [notNullIfPossible(this.#sql, column)],
      });
    }
  }

  #primaryKey(): void {
    if (!this.#before) return;
    const was = this.#before.source.primary_key;
    const is = this.#source.primary_key;
    if (was.length === is.length && was.every((attnum, place) => attnum === is[place])) return;
    const names = this.#names(is);
    // A key of which a column does not go over cannot be one here.
    if (names === undefined) return;
    const sql: string[] = [];
    const name = this.#catalog.primaryKeyName;
    if (name !== null) sql.push(`ALTER TABLE ${this.#sql} DROP CONSTRAINT IF EXISTS ${quoteIdentifier(name)}`);
    if (names.length > 0) sql.push(`ALTER TABLE ${this.#sql} ADD PRIMARY KEY (${quoteColumns(names)})`);
    if (sql.length === 0) return;
    const key = names.length > 0 ? names.join(', ') : 'none';
    this.#steps.push({ kind: 'additive', what: `The primary key of ${this.#name} is ${key} at the source`, sql });
  }

  #names(attnums: readonly number[]): string[] | undefined {
    const byNumber = new Map(this.#followed(this.#source).map(({ attnum, name }) => [attnum, name]));
    const names = attnums.map((attnum) => byNumber.get(attnum));
    return names.every((name) => name !== undefined) ? names : undefined;
  }

  #isKey(column: SourceColumn): boolean {
    return this.#keys().some(({ attnum }) => attnum === column.attnum);
  }

  /** By what a row can be found at both ends. */
  #keys(): SourceColumn[] {
    const { identity, primary_key, columns } = this.#source;
    const keys = columns.filter(({ attnum, key }) => (identity === 'f' ? primary_key.includes(attnum) : key));
    return this.#names(keys.map(({ attnum }) => attnum)) === undefined ? [] : keys;
  }

  #readAgain(): void {
    const columns = [...this.#refill.values()];
    if (columns.length === 0) return;
    const keys = this.#keys();
    const names = columns.map(({ name }) => name);
    if (keys.length === 0) {
      this.#steps.push({
        kind: 'unknown',
        what: `Older rows of ${this.#name} have other values in ${names.join(', ')} by now, and no key by which to find them: load the table anew afterwards`,
        sql: [],
      });
      return;
    }
    const refill: Refill = {
      request: {
        relationId: this.#source.relation_id,
        keys: keys.map(numbered),
        columns: columns.map(numbered),
      },
      table: this.#news.target,
      keys: keys.map(({ name }) => name),
      columns: names,
      notNull: [...this.#notNull],
    };
    this.#steps.push({
      kind: 'additive',
      what: `Values of ${names.join(', ')} in older rows of ${this.#name} are read again from the source`,
      sql: [],
      refill,
    });
  }
}

const numbered = ({ attnum, type_oid, typmod }: SourceColumn) => ({ attnum, typeOid: type_oid, typmod });
const between = (attnum: number): string => `_terrafusion_${attnum}`;

/** Rows that a filter or a quarantine has left here may hold NULL: then the column stays as it is, which loses nothing. */
export function notNullIfPossible(table: string, column: string): string {
  const body = `BEGIN ALTER TABLE ${table} ALTER COLUMN ${column} SET NOT NULL; EXCEPTION WHEN not_null_violation THEN NULL; END`;
  return `DO ${quoteLiteral(body)}`;
}
