import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boundaryValues } from '#connectors/postgres/probe/boundary-values.ts';
import { binaryFormOf, binaryTypes, isTextInBinary, textOf } from '#schemas/block/binary-text.ts';
import { decodeBinary, valueForm } from '#services/stream-processor/binary-values.ts';
import type { Decimal } from '#services/stream-processor/expressions/decimal.ts';
import { RowFailure } from '#services/stream-processor/row-failure.ts';
import type pg from 'pg';
import type { TestDatabase } from '#test/support/database.ts';
import { FUZZ_TIMEOUT, fuzzRuns } from '#test/support/fuzz.ts';
import { freshDatabase } from '#test/support/servers.ts';

/** Values of a type, in the server's input syntax, beyond the boundary values that the product itself proves its types with. */
const values: Readonly<Record<string, fc.Arbitrary<string>>> = {
  bool: fc.constantFrom('t', 'f'),
  int2: fc.integer({ min: -32768, max: 32767 }).map(String),
  int4: fc.integer().map(String),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  oid: fc.nat({ max: 0xffff_ffff }).map(String),
  numeric: fc
    .tuple(fc.constantFrom('', '-'), fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 60 }), fc.nat({ max: 60 }))
    .map(([sign, digits, scale]) => {
      const text = digits.join('').padStart(scale + 1, '0');
      return scale === 0 ? sign + text : `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`;
    }),
  text: fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
  varchar: fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
  bpchar: fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
  json: fc.json({ noUnicodeString: false }).map((text) => text.replaceAll(String.raw`\u0000`, '')),
  jsonb: fc.json({ noUnicodeString: false }).map((text) => text.replaceAll(String.raw`\u0000`, '')),
  bytea: fc.uint8Array({ maxLength: 50 }).map((bytes) => String.raw`\x${Buffer.from(bytes).toString('hex')}`),
  date: fc.integer({ min: -2_451_545, max: 2_145_031_948 }).map((days) => `J${days + 2_451_545}`),
  time: fc
    .integer({ min: 0, max: 86_399_999_999 })
    .map(
      (us) =>
        `${Math.floor(us / 3.6e9)}:${Math.floor(us / 6e7) % 60}:${Math.floor(us / 1e6) % 60}.${String(us % 1e6).padStart(6, '0')}`,
    ),
  uuid: fc.uuid(),
};
/** From the first to the last moment that the server knows, in microseconds since 2000. */
const moments = fc.bigInt({ min: -211_813_488_000_000_000n, max: 9_223_371_331_199_999_999n }).map(String);

/** Types whose boundary values depend on their modifiers have none by their name. */
const boundaries: Readonly<Record<string, readonly string[]>> = {
  ...boundaryValues,
  numeric: [
    `-${'9'.repeat(131_072)}.${'7'.repeat(16_383)}`,
    'NaN',
    'Infinity',
    '-Infinity',
    '0',
    '-0',
    '0.00',
    '-0.01',
    '1e-16383',
    '9.9e130000',
    '10000',
    '0.0001',
    '99999999',
    '1e4000',
    '12345678.90',
  ],
  text: ['', ' ', '\\', 'ä€😀', '\t\r\n'],
  varchar: ['', ' ', '\\', 'ä€😀'],
  bpchar: ['', '  ', 'ä  '],
};

let db: TestDatabase;
let session: pg.Client;
beforeAll(async () => {
  db = await freshDatabase('source');
  session = await db.connect();
  // What readers set.
  await session.query(
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET bytea_output = 'hex'; SET extra_float_digits = 3",
  );
});
afterAll(async () => {
  await db.drop();
});

/** Each value as the server prints it, and as we print what it sends in binary. */
async function both(type: string, inputs: readonly string[], how = '$1::text[]'): Promise<[string, string][]> {
  const { rows } = await session.query<{ oid: string; send: string }>(
    'SELECT oid::text, typsend::text AS send FROM pg_type WHERE typname = $1',
    [type],
  );
  const { oid, send } = rows[0]!;
  const { rows: printed } = await session.query<{ text: string; bytes: Buffer }>(
    `SELECT format('%s', v) AS text, ${send}(v) AS bytes FROM (SELECT i::${type} AS v FROM unnest(${how}) AS i) AS t`,
    [inputs],
  );
  return printed.map(({ text, bytes }) => {
    const form = binaryFormOf(Number(oid));
    return [form === undefined ? bytes.toString('utf8') : textOf(form, bytes, 0, bytes.length), text];
  });
}

async function expectSame(type: string, inputs: readonly string[], how?: string): Promise<void> {
  for (const [ours, theirs] of await both(type, inputs, how)) expect(ours).toBe(theirs);
}

test('every type that a stream may bring in binary is tried here', async () => {
  const { rows } = await session.query<{ name: string; text: boolean; oid: number }>(
    "SELECT typname AS name, oid::int, typsend::text ~ '^(text|varchar|bpchar|json_)' AS text FROM pg_type WHERE oid = ANY ($1::oid[])",
    [binaryTypes()],
  );
  expect(rows.map(({ name }) => name).toSorted()).toEqual(
    [...Object.keys(values), 'timestamp', 'timestamptz'].toSorted(),
  );
  for (const { oid, text } of rows) expect(isTextInBinary(oid)).toBe(text);
});

describe.each([...Object.keys(values), 'timestamp', 'timestamptz'])('%s', (type) => {
  test('boundary values', async () => {
    const inputs = boundaries[type]!;
    expect(inputs.length).toBeGreaterThan(1);
    await expectSame(type, inputs);
  });
});

test.each(Object.entries(values))(
  'any value of %s reads as the server prints it',
  async (type, value) => {
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 100 }), (inputs) => expectSame(type, inputs)),
      { numRuns: fuzzRuns(20) },
    );
  },
  FUZZ_TIMEOUT,
);

test.each(['timestamp', 'timestamptz'])(
  'any moment as %s reads as the server prints it',
  async (type) => {
    const begin = type === 'timestamp' ? "timestamp '2000-01-01'" : "timestamptz '2000-01-01 00:00:00+00'";
    // The server's arithmetic takes doubles of seconds; by bytes a moment is exact.
    const inputs = `(SELECT array_agg((${begin} + div(m, 1000000)::int8 / 86400 * interval '1 day' + div(m, 1000000)::int8 % 86400 * interval '1 second' + mod(m, 1000000)::int8 * interval '1 microsecond')::text) FROM unnest($1::numeric[]) AS m)`;
    await fc.assert(
      fc.asyncProperty(fc.array(moments, { minLength: 1, maxLength: 100 }), (us) => expectSame(type, us, inputs)),
      { numRuns: fuzzRuns(20) },
    );
  },
  FUZZ_TIMEOUT,
);

test('days around every turn of a year and a century', async () => {
  const inputs = Array.from({ length: 12_000 }, (_, year) => [
    `${String((year % 4713) + 1).padStart(4, '0')}-12-31${year < 4713 ? ' BC' : ''}`,
    `${String(year + 1).padStart(4, '0')}-01-01`,
    `${String(year + 1).padStart(4, '0')}-03-01`,
  ]).flat();
  await expectSame('date', inputs);
});

describe('a numeric as chains see it', () => {
  /** What the server sends for each value, its text, and what comes of its bytes here and goes back. */
  async function expectThereAndBack(inputs: readonly string[]): Promise<void> {
    const { rows } = await session.query<{ text: string; bytes: Buffer }>(
      'SELECT v::text AS text, numeric_send(v) AS bytes FROM (SELECT i::numeric AS v FROM unnest($1::text[]) AS i) AS t',
      [inputs],
    );
    for (const { text, bytes } of rows) {
      const value = decodeBinary(bytes, 0, bytes.length, 1700, 'decimal', 'n') as Decimal;
      expect(value.toString()).toBe(text);
      const form = valueForm(1700, 'numeric')!;
      const out = Buffer.alloc(form.room(value));
      expect(out.subarray(0, form.put(value, out, 0)).toString('hex')).toBe(bytes.toString('hex'));
    }
  }

  test('is the same, and goes back as the same bytes: boundary values', async () => {
    await expectThereAndBack(boundaries['numeric']!.filter((text) => !/[a-z]/i.test(text) || text.includes('e')));
  });

  test(
    'and random ones',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(values['numeric']!, { minLength: 50, maxLength: 100 }), expectThereAndBack),
        { numRuns: fuzzRuns(20) },
      );
    },
    FUZZ_TIMEOUT,
  );

  test.each(['NaN', 'Infinity', '-Infinity'])('%s cannot be computed with, as in text', async (text) => {
    const { rows } = await session.query<{ bytes: Buffer }>('SELECT numeric_send($1::numeric) AS bytes', [text]);
    const { bytes } = rows[0]!;
    expect(() => decodeBinary(bytes, 0, bytes.length, 1700, 'decimal', 'n')).toThrow(RowFailure);
  });
});
