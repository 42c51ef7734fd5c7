import type { TestDatabase } from '#test/support/database.ts';

/** A backlog: changes that wait at the source when the clock starts. */
export interface Backlog {
  readonly title: string;
  /** Row changes of a full run. */
  readonly rows: number;
  /** Tables at both ends, as SQL. */
  readonly schema: string;
  /** Names for the pair and the comparison. */
  readonly tables: readonly string[];
  /** A pair of its own for each group of them; left out: one pair has all. */
  readonly groups?: readonly (readonly string[])[];
  /** A query for one boolean: whether the target holds all of it. Left out: {@link MARKER} tells. */
  drained?(rows: number): string;
  /** Rows that both ends hold before. */
  base(source: TestDatabase, rows: number): Promise<void>;
  /** Makes the changes; returns how many row changes they are. */
  write(source: TestDatabase, rows: number): Promise<number>;
}

/** Tables as they stand when somebody comes to take them over. */
export interface Snapshot {
  readonly title: string;
  /** Rows of a full run. */
  readonly rows: number;
  /** Tables at both ends, as SQL. */
  schema(rows: number): string;
  /** Makes and fills them at the source; returns their names. */
  make(source: TestDatabase, rows: number): Promise<readonly string[]>;
}

/** Last in every backlog: when the target holds this row, it holds everything. */
export const MARKER = 'public.bench_marker';
export const marker = 'CREATE TABLE bench_marker (id int PRIMARY KEY);';

/** About 200 bytes. */
export const parcels = `${marker} CREATE TABLE parcels (id bigint PRIMARY KEY, situs text, owner text, land numeric(14, 2), improvement numeric(14, 2),
  year int, zoning text, notes text, wkt text, updated_at timestamptz);`;

const parcelRow = (
  id: string,
): string => `${id}, (${id} % 9999) || ' NW Maple Street, Eatonville', 'Owner ' || ${id} || ' and family trust',
  (${id} * 7 % 900000)::numeric + 0.25, (${id} * 13 % 1900000)::numeric + 0.5, 1900 + (${id} % 125)::int, 'R-' || (${id} % 9), 'Remodelled ' || md5((${id})::text),
  'POINT(' || (${id} % 180) || '.1234 ' || (${id} % 90) || '.5678)', timestamptz '2026-01-01' + ${id} * interval '1 second'`;

export const nothing = async (): Promise<void> => undefined;

/** Runs the body for each transaction, with `first_row` and `last_row` as its row numbers; without waiting for the disk each time. */
export async function transactions(
  source: TestDatabase,
  rows: number,
  perTransaction: number,
  body: string,
): Promise<void> {
  await source.query(`DO $do$ BEGIN
    PERFORM set_config('synchronous_commit', 'off', false);
    FOR first_row IN 1 .. ${rows} BY ${perTransaction} LOOP
      DECLARE last_row bigint := least(first_row + ${perTransaction} - 1, ${rows}); BEGIN ${body} END;
      COMMIT;
    END LOOP;
  END $do$`);
}

export const parcelInserts =
  (perTransaction: number | 'all') =>
  async (source: TestDatabase, rows: number): Promise<number> => {
    const size = perTransaction === 'all' ? rows : perTransaction;
    const body = `INSERT INTO parcels SELECT ${parcelRow('n')} FROM generate_series(first_row, last_row) AS n;`;
    await transactions(source, rows, size, body);
    return rows;
  };

async function parcelBase(source: TestDatabase, rows: number): Promise<void> {
  await parcelInserts('all')(source, rows);
  // A permutation of all rows that comes again: which row the nth change hits.
  await source.query(`CREATE TABLE public.bench_order (n bigint PRIMARY KEY, id bigint);
    INSERT INTO bench_order SELECT row_number() OVER (ORDER BY md5(id::text)), id FROM parcels`);
}

const WIDE = 'CREATE TABLE wide (id bigint PRIMARY KEY, kind int, body text);';
/** 16 kB that a compressor finds little in, so that they are stored out of line. */
const wideBody = (id: string): string =>
  `(SELECT string_agg(md5(${id}::text || part), '') FROM generate_series(1, 500) AS part)`;

/** Rows that both ends hold before W1: each is updated twice. */
const wideBase = (rows: number): number => Math.max(1, Math.floor(rows / 2));

async function wideRows(source: TestDatabase, rows: number): Promise<void> {
  const body = `INSERT INTO wide SELECT n, n % 7, ${wideBody('n')} FROM generate_series(first_row, last_row) AS n;`;
  await transactions(source, rows, 10_000, body);
}

export const backlogs: Readonly<Record<string, Backlog>> = {
  B1: {
    title: 'inserts, 1,000 a transaction',
    rows: 1_000_000,
    schema: parcels,
    tables: ['public.parcels', MARKER],
    base: nothing,
    write: parcelInserts(1000),
  },
  B2: {
    title: 'one-row transactions',
    rows: 300_000,
    schema: parcels,
    tables: ['public.parcels', MARKER],
    base: nothing,
    write: parcelInserts(1),
  },
  X1: {
    title: 'inserts in one transaction',
    rows: 1_000_000,
    schema: parcels,
    tables: ['public.parcels', MARKER],
    base: nothing,
    write: parcelInserts('all'),
  },
  U1: {
    title: 'random updates, 1,000 a transaction',
    rows: 200_000,
    schema: parcels,
    tables: ['public.parcels', MARKER],
    base: parcelBase,
    write: async (source, rows) => {
      await transactions(
        source,
        rows,
        1000,
        `UPDATE parcels p SET land = p.land + 1, notes = 'Reassessed ' || o.n, updated_at = p.updated_at + interval '1 day'
         FROM bench_order o WHERE o.id = p.id AND o.n BETWEEN first_row AND last_row;`,
      );
      return rows;
    },
  },
  D1: {
    title: 'random deletes, 1,000 a transaction',
    rows: 200_000,
    schema: parcels,
    tables: ['public.parcels', MARKER],
    base: parcelBase,
    write: async (source, rows) => {
      await transactions(
        source,
        rows,
        1000,
        'DELETE FROM parcels p USING bench_order o WHERE o.id = p.id AND o.n BETWEEN first_row AND last_row;',
      );
      return rows;
    },
  },
  W1: {
    title: 'updates of rows of 16 kB, 100 a transaction, every second one leaves the wide value as it is',
    rows: 20_000,
    schema: `${marker} ${WIDE}`,
    tables: ['public.wide', MARKER],
    base: async (source, rows) => {
      await wideRows(source, wideBase(rows));
    },
    write: async (source, rows) => {
      const base = wideBase(rows);
      // No transaction meets a row twice. The first round changes odd rows wholly and of even ones the number only; the second round the other way round.
      await transactions(
        source,
        rows,
        Math.min(100, base),
        `UPDATE wide w SET kind = w.kind + 1,
           body = CASE WHEN (w.id + (n.n - 1) / ${base}) % 2 = 0 THEN w.body ELSE ${wideBody("n.n || '/'")} END
         FROM generate_series(first_row, last_row) AS n (n) WHERE w.id = (n.n - 1) % ${base} + 1;`,
      );
      return rows;
    },
  },
  O1: {
    title: "changes by pgbench's TPC-B transactions, 4 each",
    rows: 240_000,
    schema: `${marker}
      CREATE TABLE branches (bid int PRIMARY KEY, bbalance int, filler char(88));
      CREATE TABLE tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
      CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
      CREATE TABLE history (hid bigint PRIMARY KEY, tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));`,
    tables: ['public.branches', 'public.tellers', 'public.accounts', 'public.history', MARKER],
    base: async (source) => {
      await source.query(`
        INSERT INTO branches SELECT n, 0, '' FROM generate_series(1, 10) AS n;
        INSERT INTO tellers SELECT n, (n - 1) / 10 + 1, 0, '' FROM generate_series(1, 100) AS n;
        INSERT INTO accounts SELECT n, (n - 1) / 100000 + 1, 0, '' FROM generate_series(1, 1000000) AS n;
        SELECT setseed(0.5)`);
    },
    write: async (source, rows) => {
      const count = Math.floor(rows / 4);
      await transactions(
        source,
        count,
        1,
        `DECLARE
           account int := 1 + floor(random() * 1000000); teller int := 1 + floor(random() * 100);
           branch int := 1 + floor(random() * 10); delta int := floor(random() * 10001) - 5000;
         BEGIN
           UPDATE accounts SET abalance = abalance + delta WHERE aid = account;
           UPDATE tellers SET tbalance = tbalance + delta WHERE tid = teller;
           UPDATE branches SET bbalance = bbalance + delta WHERE bid = branch;
           INSERT INTO history VALUES (first_row, teller, branch, account, delta, localtimestamp, '');
         END;`,
      );
      return count * 4;
    },
  },
};

const ofParcels: Snapshot = {
  title: 'rows of one table, as they stand',
  rows: 1_000_000,
  schema: () => parcels,
  make: async (source, rows) => {
    await source.query(parcels);
    await parcelInserts('all')(source, rows);
    return ['public.parcels'];
  },
};

/** Rows a table, of S1t. */
const OF_EACH = 10_000;
const tablesOf = (rows: number): string[] =>
  Array.from({ length: Math.max(1, Math.ceil(rows / OF_EACH)) }, (_, index) => `t${String(index).padStart(3, '0')}`);
const many = (rows: number): string =>
  tablesOf(rows)
    .map((name) => `CREATE TABLE ${name} (id bigint PRIMARY KEY, situs text, value numeric(14, 2), at timestamptz);`)
    .join('\n');

export const snapshots: Readonly<Record<string, Snapshot>> = {
  S1: ofParcels,
  S1w: {
    title: 'rows of 16 kB, as they stand',
    rows: 100_000,
    schema: () => WIDE,
    make: async (source, rows) => {
      await source.query(WIDE);
      await wideRows(source, rows);
      return ['public.wide'];
    },
  },
  S1t: {
    title: 'rows in tables of 10,000, as they stand',
    rows: 1_000_000,
    schema: many,
    make: async (source, rows) => {
      await source.query(many(rows));
      const names = tablesOf(rows);
      for (const name of names)
        await source.query(
          `INSERT INTO ${name} SELECT n, (n % 9999) || ' NW Maple Street', n * 1.25, timestamptz '2026-01-01' + n * interval '1 second'
             FROM generate_series(1, ${Math.min(rows, OF_EACH)}) AS n`,
        );
      return names.map((name) => `public.${name}`);
    },
  },
};
