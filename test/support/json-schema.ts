import fc, { type Arbitrary } from 'fast-check';

/** As much of a JSON schema as our API reference uses. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly example?: unknown;
  readonly default?: unknown;
}

/** What has broken other people's services: SQL, CEL, paths, markup, numbers that are none, texts that are hardly any. */
const hostileTexts: readonly string[] = [
  "'; DROP TABLE terrafusion.sync_pairs; --",
  "' OR '1'='1",
  "x' UNION SELECT secret_sha256 FROM terrafusion.api_keys --",
  '1; SELECT pg_sleep(10)',
  "\\'; SELECT 1; --",
  '$1',
  '%s%n%_\\',
  'row.id == 1 || true',
  'row.constructor.constructor("return process")().exit()',
  'size("x".repeat(1000000000))',
  '[1].map(x, [1].map(y, x + y))',
  '((((((((((((((((((((((((((((((',
  '"a".matches("(a+)+$")',
  '../../../../etc/passwd',
  '<script>alert(1)</script>',
  '=cmd|calc!A1',
  '{{7*7}}${7*7}',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\u202e\u200b',
  '😀'.repeat(70),
  'x'.repeat(5000),
  '',
  ' ',
  'null',
  'NaN',
  '-0',
  '1e999',
  '9223372036854775808',
  '0000-01-01T00:00:00Z',
  '2026-01-31T00:00:00+23:00',
  '0001-01-01T00:00:00Z',
  // Cursors that look like ours.
  ...[['x'], ['x', 'y'], ['2026-02-30 25:00:00+00', 'y'], ['\u0000'], ['-1']].map((key) =>
    Buffer.from(JSON.stringify(key)).toString('base64url'),
  ),
  '294277-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999999+14:00',
  '__proto__',
  'constructor',
  'toString',
];

/** Never a place that could be there: what is fuzzed must not reach out. */
const nowhere = (text: string): string =>
  text.replace(/(:\/\/(?:[^@/\s]*@)?)[^/\s?]+/g, '$1127.0.0.1:1').replaceAll(/\b10\.0\.0\.\d+\b/g, '127.0.0.1');

export const hostileText: Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostileTexts) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }).map(nowhere) },
);

const hostile: Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(null, true, -1, 0, 1e308, -1e308, 9007199254740993, 0.1, [], {}, [[[[[[]]]]]], {
    a: { b: {} },
  }),
);

/**
 * Values of a schema; now and then something else stands at one of its places, a field is missing, or there is one too many.
 * @param resolve finds what a $ref names
 */
export function valuesOf(schema: JsonSchema, resolve: (ref: string) => JsonSchema, depth = 0): Arbitrary<unknown> {
  const right = wellFormed(schema, resolve, depth);
  return fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: hostile });
}

function wellFormed(schema: JsonSchema, resolve: (ref: string) => JsonSchema, depth: number): Arbitrary<unknown> {
  const inner = (each: JsonSchema): Arbitrary<unknown> => valuesOf(each, resolve, depth + 1);
  if (schema.$ref !== undefined) return wellFormed(resolve(schema.$ref), resolve, depth + 1);
  const examples = [schema.example, schema.default].filter((each) => each !== undefined);
  const shown = examples.map((each) => fc.constant(JSON.parse(nowhere(JSON.stringify(each))) as unknown));
  if (depth > 6) return fc.oneof(fc.constant(null), ...shown);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const forms = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (forms) return fc.oneof(...forms.map(inner), ...shown);
  const types = [schema.type].flat().filter((each) => each !== undefined);
  if (types.length > 1) return fc.oneof(...types.map((type) => wellFormed({ ...schema, type }, resolve, depth)));
  return fc.oneof(ofType(types[0], schema, inner), ...shown);
}

function ofType(
  type: string | undefined,
  { properties = {}, required = [], additionalProperties, items, minimum = -10, maximum = 1000 }: JsonSchema,
  inner: (schema: JsonSchema) => Arbitrary<unknown>,
): Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fc.oneof(hostileText, fc.stringMatching(/^[a-z][a-z0-9_-]{2,12}$/), fc.constant('a.b'));
    case 'integer':
      return fc.integer({ min: Math.max(minimum, -(2 ** 31)), max: Math.min(maximum, 2 ** 31 - 1) });
    case 'number':
      return fc.double({ min: minimum, max: maximum });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(inner(items ?? {}), { maxLength: 3 });
    case 'object': {
      const fields = Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, inner(each)]));
      const others = typeof additionalProperties === 'object' ? inner(additionalProperties) : hostile;
      const known = fc.record(fields, { requiredKeys: required.filter((name) => name in fields) });
      const open = additionalProperties === undefined || additionalProperties !== false;
      const extra = fc.dictionary(fc.oneof(hostileText, fc.constantFrom('id', 'name')), others, {
        maxKeys: open ? 3 : 1,
      });
      return fc.oneof(
        { weight: open ? 1 : 8, arbitrary: known },
        { weight: 1, arbitrary: fc.tuple(known, extra).map(([a, b]) => ({ ...a, ...b })) },
      );
    }
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}
