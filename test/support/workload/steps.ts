import type { SeededRandom } from '#services/demo/random.ts';
import { BUCKETS, KEYS_PER_BUCKET, type SessionLocks } from './locks.ts';
import { workloadTables, type WorkloadTable } from './tables.ts';

export type Place = SessionLocks;

/** Statements within one bucket of keys. None of them fails, whatever rows there are. */
type Step = (table: WorkloadTable, keys: Keys, random: SeededRandom) => string[];

/** Numbers of the bucket's keys. The last one is kept free: a place to put a row in between. */
interface Keys {
  any(): number;
  readonly first: number;
  readonly spare: number;
}

const steps: readonly [readonly [number, Step], ...(readonly [number, Step])[]] = [
  [6, insertOne],
  [2, insertMany],
  [8, updateSome],
  [2, updateAll],
  [3, changeKey],
  [1, swapKeys],
  [4, deleteOne],
  [1, deleteMany],
  [1, replace],
];

/** What a transaction does next; nothing when other transactions hold all keys. */
export function chooseStep(random: SeededRandom, locks: SessionLocks): string[] {
  const table = random.pick(workloadTables as readonly [WorkloadTable, ...WorkloadTable[]]);
  if (random.chance(0.01) && locks.whole(table)) return truncate(table, random);
  const bucket = locks.bucket(table, random.whole(0, BUCKETS - 1));
  if (bucket === undefined) return [];
  const first = bucket * KEYS_PER_BUCKET;
  const spare = first + KEYS_PER_BUCKET - 1;
  const step = random.weighted(steps);
  return step(table, { any: () => random.whole(first, spare - 1), first, spare }, random);
}

function insertOne(table: WorkloadTable, keys: Keys, random: SeededRandom): string[] {
  return [insertOf(table, [keys.any()], random)];
}

function insertMany(table: WorkloadTable, keys: Keys, random: SeededRandom): string[] {
  const count = random.whole(2, KEYS_PER_BUCKET - 1);
  return [
    insertOf(
      table,
      Array.from({ length: count }, (_, index) => keys.first + index),
      random,
    ),
  ];
}

function updateSome(table: WorkloadTable, keys: Keys, random: SeededRandom): string[] {
  const changed = Object.entries(table.columns).filter(() => random.chance(0.35));
  if (changed.length === 0) changed.push(Object.entries(table.columns)[0]!);
  const set = changed.map(([column, draw]) => `${column} = ${draw(random)}`).join(', ');
  return [`UPDATE ${table.sql} SET ${set} WHERE ${whereKey(table, keys.any())}`];
}

function updateAll(table: WorkloadTable, keys: Keys, random: SeededRandom): string[] {
  const [column, draw] = random.pick(Object.entries(table.columns) as [[string, (typeof table.columns)[string]]]);
  return [`UPDATE ${table.sql} SET ${column} = ${draw(random)} WHERE ${whereKeys(table, keys)}`];
}

function changeKey(table: WorkloadTable, keys: Keys): string[] {
  return [moveOf(table, keys.any(), keys.any())];
}

/** Two rows change places over a third one: each state in between has other keys. (CHECKLIST 38) */
function swapKeys(table: WorkloadTable, keys: Keys): string[] {
  const [one, other] = [keys.any(), keys.any()];
  return [moveOf(table, one, keys.spare), moveOf(table, other, one), moveOf(table, keys.spare, other)];
}

function deleteOne(table: WorkloadTable, keys: Keys): string[] {
  return [`DELETE FROM ${table.sql} WHERE ${whereKey(table, keys.any())}`];
}

function deleteMany(table: WorkloadTable, keys: Keys): string[] {
  return [`DELETE FROM ${table.sql} WHERE ${whereKeys(table, keys)}`];
}

/** A row that goes and comes again within the transaction. */
function replace(table: WorkloadTable, keys: Keys, random: SeededRandom): string[] {
  const key = keys.any();
  return [`DELETE FROM ${table.sql} WHERE ${whereKey(table, key)}`, insertOf(table, [key], random)];
}

function truncate(table: WorkloadTable, random: SeededRandom): string[] {
  const rows = Array.from({ length: random.whole(0, 5) }, () => random.whole(0, BUCKETS - 1) * KEYS_PER_BUCKET);
  return [`TRUNCATE ${table.sql}`, ...rows.map((key) => insertOf(table, [key], random))];
}

function insertOf(table: WorkloadTable, keys: readonly number[], random: SeededRandom): string {
  const columns = [...Object.keys(table.key(0)), ...Object.keys(table.columns)];
  const rows = keys.map((key) => {
    const cells = [...Object.values(table.key(key)), ...Object.values(table.columns).map((draw) => draw(random))];
    return `(${cells.join(', ')})`;
  });
  return `INSERT INTO ${table.sql} (${columns.join(', ')}) VALUES ${rows.join(', ')} ON CONFLICT DO NOTHING`;
}

/** Gives a row another key, if there is none there. */
function moveOf(table: WorkloadTable, from: number, to: number): string {
  const set = Object.entries(table.key(to)).map(([column, cell]) => `${column} = ${cell}`);
  const free = table.duplicates ? 'true' : `NOT EXISTS (SELECT 1 FROM ${table.sql} WHERE ${whereKey(table, to)})`;
  return `UPDATE ${table.sql} SET ${set.join(', ')} WHERE ${whereKey(table, from)} AND ${free}`;
}

function whereKey(table: WorkloadTable, key: number): string {
  return Object.entries(table.key(key))
    .map(([column, cell]) => `${column} = ${cell}`)
    .join(' AND ');
}

function whereKeys(table: WorkloadTable, { first, spare }: Keys): string {
  const some = [];
  for (let key = first; key < spare; key += 1) some.push(`(${whereKey(table, key)})`);
  return `(${some.join(' OR ')})`;
}
