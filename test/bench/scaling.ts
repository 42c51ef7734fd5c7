import type { TestDatabase } from '#test/support/database.ts';
import { MARKER, marker, nothing, parcelInserts, parcels, transactions, type Backlog } from './workloads.ts';

/** One thing that is varied, everything else the same: what does it cost to have more of it? */
export interface Scaling {
  readonly title: string;
  /** Rows of each variant, before its share. */
  readonly rows: number;
  readonly variants: readonly Variant[];
}

export interface Variant {
  /** "100 tables". */
  readonly name: string;
  /** What is varied, as a number. */
  readonly value: number;
  /** Of the rows: fewer where each is heavy. */
  readonly share?: number;
  readonly backlog: Backlog;
}

const ROWS = 200_000;
/** Rows a transaction. */
const SIZE = 1000;
/** Tables that a transaction touches at most, where there are many. */
const TOUCHED = 10;

const namesOf = (tables: number): string[] =>
  Array.from({ length: tables }, (_, index) => `t${String(index).padStart(4, '0')}`);

const smallTables = (tables: number): string =>
  marker +
  namesOf(tables)
    .map((name) => `CREATE TABLE ${name} (id bigint PRIMARY KEY, situs text, value numeric(14, 2), at timestamptz);`)
    .join('\n');

const smallRow = `n, (n % 9999) || ' NW Maple Street', n * 1.25, timestamptz '2026-01-01' + n * interval '1 second'`;

/**
 * Every transaction inserts its rows in equal parts into `touched` tables that follow each other; the next one goes on where it ended.
 * Row numbers are unique over all tables.
 */
function spread(tables: number, touched: number) {
  return async (source: TestDatabase, rows: number): Promise<number> => {
    const part = Math.floor(SIZE / touched);
    await transactions(
      source,
      rows,
      SIZE,
      `FOR part IN 0 .. ${touched - 1} LOOP
         EXECUTE format('INSERT INTO %I SELECT ${smallRow.replaceAll('%', '%%').replaceAll("'", "''")} FROM generate_series($1, $2) AS n',
           't' || lpad((((first_row - 1) / ${SIZE} * ${touched} + part) % ${tables})::text, 4, '0'))
         USING first_row + part * ${part}, least(first_row + (part + 1) * ${part} - 1, last_row);
       END LOOP;`,
    );
    return rows;
  };
}

const ofTables = (tables: number): Variant => ({
  name: tables === 1 ? '1 table' : `${tables.toLocaleString('en')} tables`,
  value: tables,
  backlog: {
    title: 'inserts, 1,000 a transaction, ten tables each',
    rows: ROWS,
    schema: smallTables(tables),
    tables: [...namesOf(tables).map((name) => `public.${name}`), MARKER],
    base: nothing,
    write: spread(tables, Math.min(tables, TOUCHED)),
  },
});

/** The last row of each table when every transaction goes to one of them, in turns. */
function lastRows(tables: number, rows: number): string {
  const whole = Math.ceil(rows / SIZE);
  const conditions = namesOf(tables).flatMap((name, index) => {
    const last = index + 1 > whole ? undefined : index + Math.floor((whole - 1 - index) / tables) * tables;
    return last === undefined ? [] : [`EXISTS (SELECT FROM ${name} WHERE id = ${Math.min((last + 1) * SIZE, rows)})`];
  });
  return `SELECT ${[...conditions, `EXISTS (SELECT FROM ${MARKER})`].join(' AND ')}`;
}

export const ofPairs = (pairs: number): Variant => ({
  name: pairs === 1 ? '1 pair' : `${pairs} pairs`,
  value: pairs,
  backlog: {
    title: 'inserts, 1,000 a transaction, each of one pair',
    rows: ROWS,
    schema: smallTables(pairs),
    tables: [...namesOf(pairs).map((name) => `public.${name}`), MARKER],
    groups: namesOf(pairs).map((name, index) => (index === 0 ? [`public.${name}`, MARKER] : [`public.${name}`])),
    // No pair waits for another: each has to be asked.
    drained: (rows) => lastRows(pairs, rows),
    base: nothing,
    write: spread(pairs, 1),
  },
});

/** Pieces of 32 characters that a compressor finds little in. */
const ofWidth = (bytes: number, share: number): Variant => ({
  name: bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`,
  value: bytes,
  share,
  backlog: {
    title: 'inserts of one wide value',
    rows: ROWS,
    schema: `${marker} CREATE TABLE wide (id bigint PRIMARY KEY, body text);`,
    tables: ['public.wide', MARKER],
    base: nothing,
    write: async (source, rows) => {
      await transactions(
        source,
        rows,
        Math.max(1, Math.min(SIZE, Math.floor(2 ** 20 / bytes))),
        `INSERT INTO wide SELECT n, (SELECT string_agg(md5(n::text || part), '') FROM generate_series(1, ${Math.max(1, bytes / 32)}) AS part)
         FROM generate_series(first_row, last_row) AS n;`,
      );
      return rows;
    },
  },
});

const ofTransaction = (size: number): Variant => ({
  name: size === 1 ? '1 row' : `${size.toLocaleString('en')} rows`,
  value: size,
  backlog: {
    title: 'inserts',
    rows: ROWS,
    schema: parcels,
    tables: ['public.parcels', MARKER],
    base: nothing,
    write: parcelInserts(size),
  },
});

export const scalings: Readonly<Record<string, Scaling>> = {
  'scale-tables': {
    title: 'inserts of small rows, 1,000 a transaction, by the number of tables',
    rows: ROWS,
    variants: [1, 100, 1000].map(ofTables),
  },
  'scale-pairs': {
    title:
      'inserts of small rows, 1,000 a transaction, by the number of pairs on one source, each with a table of its own',
    rows: ROWS,
    variants: [1, 10, 50].map(ofPairs),
  },
  'scale-width': {
    title: 'inserts by the width of the row, 1 MiB a transaction at most',
    rows: ROWS,
    variants: [ofWidth(64, 1), ofWidth(1024, 0.5), ofWidth(8192, 0.1), ofWidth(65_536, 0.0125)],
  },
  'scale-transaction': {
    title: 'inserts by the number of rows in a transaction',
    rows: ROWS,
    variants: [1, 10, 100, 1000, 10_000, 200_000].map(ofTransaction),
  },
};
