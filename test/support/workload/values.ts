import type { SeededRandom } from '#services/demo/random.ts';

/** A value as SQL text, drawn anew at each call. */
export type Draw = (random: SeededRandom) => string;

/** A string as an SQL literal. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** One of the drawn values, now and then NULL. */
export const orNull =
  (draw: Draw, share = 0.1): Draw =>
  (random) =>
    random.chance(share) ? 'NULL' : draw(random);

/** What COPY, arrays, CSV and careless string building trip over. */
const words = [
  ...['', ' ', 'NULL', 'null', '\\N', '\\.', "O'Hara", '"quoted"', 'a\tb\nc\rd', 'back\\slash\\', '{}', '{"a",NULL}'],
  ...['Ñandú 東京 Łódź', '👩‍👩‍👧 4-byte', '\u0001control', 'comma, semicolon; pipe|', '% _ $1 :x ?', 'ﬀ ẞ İ', 'trailing '],
] as const;

export const text: Draw = (random) => {
  const word = random.pick(words as readonly string[] as readonly [string, ...string[]]);
  return literal(random.chance(0.5) ? word : `${word}${random.whole(0, 9999)}`);
};

export const numeric: Draw = (random) =>
  random.chance(0.15)
    ? random.pick(["'NaN'", "'Infinity'", "'-Infinity'", '0.0000', `${'9'.repeat(60)}.${'1'.repeat(40)}`])
    : `${random.whole(-1_000_000, 1_000_000)}.${String(random.whole(0, 9999)).padStart(random.whole(1, 6), '0')}`;

export const float: Draw = (random) =>
  random.chance(0.2)
    ? random.pick(["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", '5e-324', '1.7976931348623157e308', '0.1'])
    : `${random.whole(-1_000_000, 1_000_000)}e${random.whole(-20, 20)}`;

export const integer: Draw = (random) =>
  random.chance(0.1) ? random.pick(['-2147483648', '2147483647', '0']) : String(random.whole(-100_000, 100_000));

export const bigint: Draw = (random) =>
  random.chance(0.1)
    ? random.pick(["'-9223372036854775808'", '9223372036854775807', '9007199254740993'])
    : String(random.whole(-1_000_000_000, 1_000_000_000));

export const timestamptz: Draw = (random) =>
  random.chance(0.15)
    ? random.pick(["'infinity'", "'-infinity'", "'0044-03-15 12:00:00+00 BC'", "'294276-12-31 23:59:59.999999+00'"])
    : `'20${random.whole(10, 30)}-0${random.whole(1, 9)}-1${random.whole(0, 9)} 0${random.whole(0, 9)}:30:00.${random.whole(0, 999_999)}+0${random.whole(0, 9)}'`;

export const interval: Draw = (random) =>
  random.pick(["'1 year -2 mons +3 days -04:05:06.789'", "'-1 day'", "'0'", "'100 years'", "'00:00:00.000001'"]);

export const bytea: Draw = (random) =>
  random.chance(0.2) ? "'\\x'" : `decode(md5('${random.whole(0, 99_999)}'), 'hex')`;

export const textArray: Draw = (random) =>
  `ARRAY[${Array.from({ length: random.whole(0, 4) }, () => orNull(text, 0.2)(random)).join(', ')}]::text[]`;

export const jsonb: Draw = (random) =>
  literal(
    JSON.stringify({
      n: random.whole(0, 9),
      deep: [null, { 'ключ"': 'värde\\' }, random.next()],
      big: '90071992547409931',
    }),
  );

export const json: Draw = (random) =>
  random.pick([literal('{ "b" : 1,  "b":2 }'), literal('[1e400, 0.10]'), literal('null'), literal('"\\u00e9"')]);

/** Larger than a page even when compressed, stored out of line: an update that leaves it alone does not send it. */
export const large: Draw = (random) =>
  `(SELECT string_agg(md5((n + ${random.whole(0, 1_000_000)})::text), '') FROM generate_series(1, ${random.whole(100, 2500)}) AS n)`;
