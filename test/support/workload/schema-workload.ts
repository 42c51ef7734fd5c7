import { SeededRandom } from '#services/demo/random.ts';
import type { TestDatabase } from '../database.ts';

/** How the changes of tables are seen: what only event triggers can see is left out else. */
export interface SchemaWorkloadOptions {
  /** The same seed gives the same statements. */
  readonly seed: number;
  readonly transactions: number;
  readonly told: boolean;
  /** Called before each transaction. */
  readonly onTransaction?: (number: number) => Promise<void> | void;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
}

interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** Values of a type, as SQL over the row's number n. */
const values: Readonly<Record<string, string>> = {
  int: 'n * 7',
  bigint: 'n + 9007199254740993',
  'varchar(12)': `'v' || n % 97`,
  'varchar(40)': `repeat('v', 20) || n`,
  text: `'tëxt "' || n || '" \\'`,
  'numeric(8,2)': 'n + 0.25',
  'numeric(12,4)': 'n + 0.0625',
  timestamptz: `timestamptz '2026-01-01' + n * interval '1 hour'`,
};
const TYPES = ['int', 'varchar(12)', 'text', 'numeric(8,2)', 'timestamptz'] as const;
const WIDER: Readonly<Record<string, string>> = {
  int: 'bigint',
  'varchar(12)': 'varchar(40)',
  'varchar(40)': 'text',
  'numeric(8,2)': 'numeric(12,4)',
};

export async function createSchemaWorkload(database: TestDatabase): Promise<void> {
  for (const name of ['first', 'second', 'third']) {
    await database.query(`CREATE TABLE ${name} (id int PRIMARY KEY, a text, b int)`);
    await database.query(
      `INSERT INTO ${name} SELECT n, ${values['text']}, ${values['int']} FROM generate_series(1, 40) AS n`,
    );
  }
}

/**
 * Alters tables and writes to them in the same transactions, some of which roll back: columns that come (with constant and computed
 * defaults), go, change names with each other, types by cast and by expression; tables that change names with each other; NOT NULL.
 */
export async function runSchemaWorkload(
  database: TestDatabase,
  { seed, transactions, told, onTransaction }: SchemaWorkloadOptions,
): Promise<void> {
  const random = new SeededRandom(seed);
  const client = await database.connect();
  let tables: Table[] = ['first', 'second', 'third'].map((name) => ({
    name,
    columns: [
      { name: 'a', type: 'text', notNull: false },
      { name: 'b', type: 'int', notNull: false },
    ],
  }));
  let counter = 0;
  const run = async (sql: string): Promise<void> => {
    await client.query(sql).catch((cause: unknown) => {
      throw new Error(`The workload's statement failed: ${sql}`, { cause });
    });
  };
  for (let number = 1; number <= transactions; number++) {
    await onTransaction?.(number);
    const before = tables;
    await run('BEGIN');
    for (let left = random.whole(1, 6); left > 0; left--) {
      const place = random.whole(0, tables.length - 1);
      const table = tables[place]!;
      counter++;
      const change = random.chance(0.45)
        ? alter(random, table, counter, told)
        : { table, sql: [write(random, table, counter)] };
      for (const sql of change.sql) await run(sql);
      tables = tables.with(place, change.table);
      if (told && random.chance(0.05)) {
        const [a, b] = [tables[0]!, tables[1]!];
        await run(
          `ALTER TABLE ${a.name} RENAME TO aside; ALTER TABLE ${b.name} RENAME TO ${a.name}; ALTER TABLE aside RENAME TO ${b.name}`,
        );
        tables = [{ ...a, name: b.name }, { ...b, name: a.name }, ...tables.slice(2)];
      }
    }
    const commit = random.chance(0.85);
    await run(commit ? 'COMMIT' : 'ROLLBACK');
    if (!commit) tables = before;
  }
  // A table's shape is announced with its next row.
  for (const table of tables) await run(insert(table, 900_000 + seed, 2));
  await client.end();
}

function insert({ name, columns }: Table, from: number, rows: number): string {
  const list = columns.map((column) => `"${column.name}"`);
  return `INSERT INTO ${name} (${['id', ...list].join(', ')}) SELECT ${['n', ...columns.map(({ type }) => values[type]!)].join(', ')} FROM generate_series(${from}, ${from + rows - 1}) AS n`;
}

function write(random: SeededRandom, table: Table, counter: number): string {
  const kind = random.whole(0, 3);
  if (kind < 2) return insert(table, 1000 + counter * 10, random.whole(1, 5));
  if (kind === 2) return `DELETE FROM ${table.name} WHERE id % 23 = ${random.whole(0, 22)}`;
  const column = table.columns.length === 0 ? undefined : table.columns[random.whole(0, table.columns.length - 1)];
  const rest = `id % 11 = ${random.whole(0, 10)}`;
  return column
    ? `UPDATE ${table.name} SET "${column.name}" = ${values[column.type]!.replaceAll(/\bn\b/g, '(id + 1)')} WHERE ${rest}`
    : `UPDATE ${table.name} SET id = id WHERE ${rest}`;
}

function alter(
  random: SeededRandom,
  table: Table,
  counter: number,
  told: boolean,
): { readonly table: Table; readonly sql: readonly string[] } {
  const { name, columns } = table;
  const alterTable = `ALTER TABLE ${name}`;
  const column = columns.length === 0 ? undefined : columns[random.whole(0, columns.length - 1)]!;
  const others = columns.filter((other) => other !== column);
  const replaced = (by: Partial<Column>): Table => ({
    name,
    columns: columns.map((each) => (each === column ? { ...each, ...by } : each)),
  });
  const kind =
    column === undefined
      ? 'add'
      : random.pick(['add', 'add', 'drop', 'rename', 'widen', 'express', 'swap', 'null'] as const);
  switch (kind) {
    case 'drop':
      // One of the same name and type may come again: without being told, that looks as if nothing had happened.
      return { table: { name, columns: others }, sql: [`${alterTable} DROP COLUMN "${column!.name}"`] };
    case 'rename':
      return {
        table: replaced({ name: `Name ${counter}` }),
        sql: [`${alterTable} RENAME COLUMN "${column!.name}" TO "Name ${counter}"`],
      };
    case 'widen': {
      const type = WIDER[column!.type];
      if (type === undefined) break;
      return { table: replaced({ type }), sql: [`${alterTable} ALTER COLUMN "${column!.name}" TYPE ${type}`] };
    }
    case 'express':
      return {
        table: replaced({ type: 'text' }),
        // Without being told, values that change and keep their type cannot be seen.
        sql:
          column!.type === 'text' && !told
            ? []
            : [`${alterTable} ALTER COLUMN "${column!.name}" TYPE text USING 'x' || "${column!.name}"::text`],
      };
    case 'swap': {
      const other = others[0];
      if (!other || other.type === column!.type) break;
      return {
        table: {
          name,
          columns: columns.map((each) =>
            each === column ? { ...each, name: other.name } : each === other ? { ...each, name: column!.name } : each,
          ),
        },
        sql: [
          `${alterTable} RENAME COLUMN "${column!.name}" TO aside`,
          `${alterTable} RENAME COLUMN "${other.name}" TO "${column!.name}"`,
          `${alterTable} RENAME COLUMN aside TO "${other.name}"`,
        ],
      };
    }
    case 'null': {
      if (!told) break;
      const { notNull } = column!;
      const filled = values[column!.type]!.replaceAll(/\bn\b/g, 'id');
      return {
        table: replaced({ notNull: !notNull }),
        sql: notNull
          ? [`${alterTable} ALTER COLUMN "${column!.name}" DROP NOT NULL`]
          : [
              `UPDATE ${name} SET "${column!.name}" = ${filled} WHERE "${column!.name}" IS NULL`,
              `${alterTable} ALTER COLUMN "${column!.name}" SET NOT NULL`,
            ],
      };
    }
    case 'add':
  }
  const type = random.pick(TYPES);
  const value = values[type]!.replaceAll(/\bn\b/g, '5');
  const computed = { text: 'gen_random_uuid()::text', int: '(random() * 1000)::int' } as Record<string, string>;
  const defaults = random.pick([
    '',
    ` DEFAULT ${value}`,
    computed[type] === undefined ? '' : ` DEFAULT ${computed[type]}`,
  ]);
  return {
    table: { name, columns: [...columns, { name: `c${counter}`, type, notNull: false }] },
    sql: [`${alterTable} ADD COLUMN "c${counter}" ${type}${defaults}`],
  };
}
