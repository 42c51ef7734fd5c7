import type { SeededRandom } from '#services/demo/random.ts';

/** A column of each type that a stream may bring in binary. */
export const columns = `flag bool, small int2, whole int4, large int8, num numeric, price numeric(14, 2), note text, code varchar(20), fixed char(5), day date,
  hour time, at timestamp, seen timestamptz, thing uuid, raw bytea, doc json, docb jsonb, o oid`;

/** A row of them as SQL, every value of which may be NULL. */
export function row(random: SeededRandom): string {
  const orNull = (sql: string) => (random.chance(0.1) ? 'NULL' : sql);
  const whole = (least: number, most: number) => String(random.whole(least, most));
  const text = random.pick(["''", "'\\'", `E'\\t\\n'`, "'ä€😀'", `'${'x'.repeat(random.whole(1, 300))}'`]);
  const seconds = `interval '1 second' * ${whole(-2_000_000_000, 2_000_000_000)} + interval '1 microsecond' * ${whole(0, 999_999)}`;
  return [
    random.pick(['true', 'false']),
    whole(-32_768, 32_767),
    whole(-2_147_483_647, 2_147_483_647),
    `${whole(-2_000_000_000, 2_000_000_000)}::int8 * ${whole(0, 4_000_000_000)}`,
    random.pick([
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
      '0',
      '0.00',
      `${whole(-9999, 9999)}e${whole(-30, 30)}::numeric`,
    ]),
    `${whole(-99_999, 99_999)}.${whole(10, 99)}`,
    text,
    "'code'",
    "'ab'",
    random.pick(["'infinity'", "'-infinity'", `date '2000-01-01' + ${whole(-2_000_000, 2_000_000)}`]),
    `time '00:00' + ${seconds}`,
    random.pick(["'infinity'", `timestamp '2000-01-01' + ${seconds}`, "'0044-03-15 12:00:00.5 BC'"]),
    random.pick(["'-infinity'", `timestamptz '2000-01-01' + ${seconds}`, "'0001-01-01 00:00:00+00 BC'"]),
    `md5('${whole(0, 1_000_000)}')::uuid`,
    `decode('${Buffer.from(String(random.whole(0, 1e6))).toString('hex')}', 'hex')`,
    `'{"a": ${whole(0, 10)}}'`,
    `'{"b": [${whole(0, 10)}, "\\\\"]}'`,
    whole(0, 2_000_000_000),
  ]
    .map(orNull)
    .join(', ');
}
