import * as draw from './values.ts';

/** A table that the workload writes to. Keys come from a small numbered space, so that they are used again and again. */
export interface WorkloadTable {
  /** As SQL wants it. */
  readonly sql: string;
  /** As a pair names it. */
  readonly name: string;
  readonly ddl: readonly string[];
  /** Key cells of the nth key, by column as SQL; a keyless table's are not unique. */
  key(index: number): Readonly<Record<string, string>>;
  /** The other columns and what goes into them. */
  readonly columns: Readonly<Record<string, draw.Draw>>;
  /** Whether two rows may have the same key cells. */
  readonly duplicates: boolean;
}

const uuid = (index: number): string => `md5('${index}')::uuid`;

/** One table of each kind that replication treats differently. */
export const workloadTables: readonly WorkloadTable[] = [
  {
    sql: 'parcel',
    name: 'public.parcel',
    ddl: [
      `CREATE TABLE parcel (pin bigint PRIMARY KEY, situs text, value numeric, land numeric(14, 2), seen timestamptz, tags text[],
         attributes jsonb, raw json, note text, remark text)`,
      // TOAST (CHECKLIST 16): two such columns, so that an update may send the one and not the other.
      'ALTER TABLE parcel ALTER note SET STORAGE EXTERNAL, ALTER remark SET STORAGE EXTERNAL',
    ],
    key: (index) => ({ pin: String(9_007_199_254_740_000n + BigInt(index)) }),
    columns: {
      situs: draw.orNull(draw.text),
      value: draw.orNull(draw.numeric),
      land: (random) => `${random.whole(-999_999, 999_999)}.5`,
      seen: draw.orNull(draw.timestamptz),
      tags: draw.orNull(draw.textArray),
      attributes: draw.orNull(draw.jsonb),
      raw: draw.orNull(draw.json),
      note: draw.orNull(draw.large, 0.2),
      remark: draw.orNull(draw.large, 0.6),
    },
    duplicates: false,
  },
  {
    sql: 'owner',
    name: 'public.owner',
    ddl: ['CREATE TABLE owner (share float8, name text, memo text, year int, PRIMARY KEY (year, name))'],
    key: (index) => ({ year: String(2000 + (index % 5)), name: draw.literal(`O'Näme\t"${index}"\\`) }),
    columns: { share: draw.orNull(draw.float), memo: draw.orNull(draw.text) },
    duplicates: false,
  },
  {
    // Identifiers that have to be quoted (CHECKLIST 26), an identity of large values.
    sql: '"Odd.Schema"."Tab""le"',
    name: '"Odd.Schema"."Tab""le"',
    ddl: [
      'CREATE SCHEMA "Odd.Schema"',
      'CREATE TABLE "Odd.Schema"."Tab""le" ("Ключ" uuid PRIMARY KEY, "select" bytea, "a b" interval, "A B" int, "drop" bool)',
    ],
    key: (index) => ({ '"Ключ"': uuid(index) }),
    columns: {
      '"select"': draw.orNull(draw.bytea),
      '"a b"': draw.orNull(draw.interval),
      '"A B"': draw.orNull(draw.integer),
      '"drop"': (random) => random.pick(['true', 'false', 'NULL']),
    },
    duplicates: false,
  },
  {
    // No key at all: the whole old row says which one is meant, and equal rows are as many as they are. (CHECKLIST 17)
    sql: 'event',
    name: 'public.event',
    ddl: ['CREATE TABLE event (id bigint, kind text, amount numeric)', 'ALTER TABLE event REPLICA IDENTITY FULL'],
    key: (index) => ({ id: String(index) }),
    columns: { kind: (random) => random.pick(["'sale'", "'split'", "''", 'NULL']), amount: draw.orNull(draw.integer) },
    duplicates: true,
  },
  {
    // The identity is another index than the primary key. (CHECKLIST 14)
    sql: 'account',
    name: 'public.account',
    ddl: [
      'CREATE TABLE account (id int PRIMARY KEY, number text NOT NULL, balance bigint, memo text)',
      'CREATE UNIQUE INDEX account_number ON account (number)',
      'ALTER TABLE account REPLICA IDENTITY USING INDEX account_number',
    ],
    key: (index) => ({ id: String(index), number: draw.literal(`A-${index}`) }),
    columns: { balance: draw.bigint, memo: draw.orNull(draw.large, 0.5) },
    duplicates: false,
  },
  {
    // Whole rows as identity though there is a key.
    sql: 'permit',
    name: 'public.permit',
    ddl: [
      'CREATE TABLE permit (no int PRIMARY KEY, state text, note text)',
      'ALTER TABLE permit REPLICA IDENTITY FULL',
    ],
    key: (index) => ({ no: String(index) }),
    columns: { state: draw.orNull(draw.text), note: draw.orNull(draw.large, 0.3) },
    duplicates: false,
  },
];
