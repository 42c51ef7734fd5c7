import { Environment } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { Decimal } from './decimal.ts';
import { boundedPattern, type BoundedPattern } from './pattern.ts';
import { Timestamp } from './timestamp.ts';

/** `row` in an expression. Instances carry one lazy getter for each column that the expression names. */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- the library knows a type by its constructor
export class Row {}

/** The library's own `timestamp` and `matches` are renamed to these: they would lose microseconds, read the machine's zone, and run any pattern. */
export const RENAMED: ReadonlyMap<string, string> = new Map([
  ['timestamp', 'timestamp_exact'],
  ['matches', 'matches_bounded'],
]);

const limits = { maxAstNodes: 2000, maxDepth: 50, maxListElements: 1000, maxMapEntries: 100, maxCallArguments: 32 };
const sync = { async: false };

/** For evaluating: every column is dynamic, since any may be NULL. */
export const looseEnvironment = base({ homogeneousAggregateLiterals: false })
  .registerType('Row', { ctor: Row })
  .registerVariable('row', 'Row');

/** For checking: columns have their types, so that mistakes are found before a row meets them. `null` can be compared with anything. */
const strictBase = withNullComparisons(base({ homogeneousAggregateLiterals: true }));

/** @param fields CEL type by name of the field in `row` */
export function strictEnvironment(fields: Readonly<Record<string, string>>): Environment {
  return strictBase.clone().registerType('Row', { ctor: Row, fields }).registerVariable('row', 'Row');
}

function withNullComparisons(environment: Environment): Environment {
  for (const type of [
    'int',
    'uint',
    'double',
    'bool',
    'string',
    'bytes',
    'decimal',
    'timestamp',
    'google.protobuf.Duration',
  ]) {
    environment.registerOperator(`${type} == null: bool`, (a: unknown, b: unknown) => a === b);
  }
  return environment;
}

function base(options: { homogeneousAggregateLiterals: boolean }): Environment {
  const environment = new Environment({ ...options, limits });
  addDecimals(environment);
  addTimestamps(environment);
  const patterns = new Map<string, BoundedPattern>();
  environment.registerFunction(
    'string.matches_bounded(string): bool',
    (text: string, source: string) => {
      const pattern = patterns.get(source) ?? boundedPattern(source);
      // Patterns are literals of expressions, so there are few; should that change, the cache must not grow.
      if (patterns.size < 1000) patterns.set(source, pattern);
      if (text.length > pattern.maxLength) {
        throw new RangeError(
          `a value of ${text.length} characters is too long for the pattern: at most ${pattern.maxLength}`,
        );
      }
      pattern.expression.lastIndex = 0;
      return pattern.expression.test(text);
    },
    sync,
  );
  return environment;
}

function addDecimals(environment: Environment): void {
  environment.registerType('decimal', { ctor: Decimal, fields: {} });
  const arithmetic: [string, (a: Decimal, b: Decimal) => Decimal][] = [
    ['+', (a, b) => a.plus(b)],
    ['-', (a, b) => a.minus(b)],
    ['*', (a, b) => a.times(b)],
    ['/', (a, b) => a.dividedBy(b)],
    ['%', (a, b) => a.modulo(b)],
  ];
  for (const [op, apply] of arithmetic) {
    environment.registerOperator(`decimal ${op} decimal: decimal`, apply);
    environment.registerOperator(`decimal ${op} int: decimal`, (a: Decimal, b: bigint) => apply(a, Decimal.of(b)));
    environment.registerOperator(`int ${op} decimal: decimal`, (a: bigint, b: Decimal) => apply(Decimal.of(a), b));
  }
  const relations: [string, (order: number) => boolean][] = [
    ['<', (order) => order < 0],
    ['<=', (order) => order <= 0],
    ['>', (order) => order > 0],
    ['>=', (order) => order >= 0],
  ];
  for (const [op, holds] of relations) {
    environment.registerOperator(`decimal ${op} decimal: bool`, (a: Decimal, b: Decimal) => holds(a.compare(b)));
    environment.registerOperator(`decimal ${op} int: bool`, (a: Decimal, b: bigint) => holds(a.compare(Decimal.of(b))));
    environment.registerOperator(`int ${op} decimal: bool`, (a: bigint, b: Decimal) => holds(Decimal.of(a).compare(b)));
  }
  environment.registerOperator('decimal == decimal: bool', (a: Decimal, b: Decimal) => a.compare(b) === 0);
  // Also gives int == decimal, and both with !=.
  environment.registerOperator('decimal == int: bool', (a: Decimal, b: bigint) => a.compare(Decimal.of(b)) === 0);
  environment.registerOperator('-decimal', (a: Decimal) => a.negate());

  environment
    .registerFunction('decimal(decimal): decimal', (value: Decimal) => value, sync)
    .registerFunction('decimal(int): decimal', (value: bigint) => Decimal.of(value), sync)
    .registerFunction('decimal(double): decimal', (value: number) => Decimal.fromDouble(value), sync)
    .registerFunction('decimal(string): decimal', (value: string) => Decimal.parse(value.trim()), sync)
    .registerFunction('string(decimal): string', (value: Decimal) => value.toString(), sync)
    .registerFunction('int(decimal): int', (value: Decimal) => value.toInt(), sync)
    .registerFunction('double(decimal): double', (value: Decimal) => Number(value.toString()), sync)
    .registerFunction('round(decimal): decimal', (value: Decimal) => value.round(0), sync)
    .registerFunction(
      'round(decimal, int): decimal',
      (value: Decimal, digits: bigint) => value.round(Number(digits)),
      sync,
    )
    .registerFunction('floor(decimal): decimal', (value: Decimal) => value.floor(), sync)
    .registerFunction('ceil(decimal): decimal', (value: Decimal) => value.ceil(), sync)
    .registerFunction('abs(decimal): decimal', (value: Decimal) => value.abs(), sync)
    .registerFunction('abs(int): int', (value: bigint) => (value < 0n ? -value : value), sync);
}

const microsOf = (duration: Duration): bigint =>
  duration.seconds * 1_000_000n + BigInt(Math.trunc(duration.nanos / 1000));

function durationOf(micros: bigint): Duration {
  return new Duration(micros / 1_000_000n, Number(micros % 1_000_000n) * 1000);
}

function addTimestamps(environment: Environment): void {
  environment.registerType('timestamp', { ctor: Timestamp, fields: {} });
  const relations: [string, (a: bigint, b: bigint) => boolean][] = [
    ['<', (a, b) => a < b],
    ['<=', (a, b) => a <= b],
    ['>', (a, b) => a > b],
    ['>=', (a, b) => a >= b],
    ['==', (a, b) => a === b],
  ];
  for (const [op, holds] of relations) {
    environment.registerOperator(`timestamp ${op} timestamp: bool`, (a: Timestamp, b: Timestamp) =>
      holds(a.micros, b.micros),
    );
  }
  const duration = 'google.protobuf.Duration';
  environment.registerOperator(`timestamp - timestamp: ${duration}`, (a: Timestamp, b: Timestamp) =>
    durationOf(a.micros - b.micros),
  );
  environment.registerOperator(`timestamp + ${duration}: timestamp`, (a: Timestamp, b: Duration) =>
    a.plus(microsOf(b)),
  );
  environment.registerOperator(`timestamp - ${duration}: timestamp`, (a: Timestamp, b: Duration) =>
    a.plus(-microsOf(b)),
  );
  environment.registerFunction('timestamp_exact(string): timestamp', (text: string) => Timestamp.parse(text), sync);
  environment.registerFunction('timestamp_exact(timestamp): timestamp', (value: Timestamp) => value, sync);
  environment.registerFunction(
    'timestamp_exact(int): timestamp',
    (seconds: bigint) => new Timestamp(seconds * 1_000_000n),
    sync,
  );
  environment.registerFunction('string(timestamp): string', (value: Timestamp) => value.toString(), sync);
  type Fields = ReturnType<Timestamp['fields']>;
  // The names and their origins (0 or 1) are CEL's.
  const parts: [string, (fields: Fields) => number][] = [
    ['getFullYear', ({ year }) => year],
    ['getMonth', ({ month }) => month - 1],
    ['getDate', ({ day }) => day],
    ['getDayOfMonth', ({ day }) => day - 1],
    ['getDayOfWeek', ({ weekday }) => weekday],
    ['getDayOfYear', ({ dayOfYear }) => dayOfYear],
    ['getHours', ({ micros }) => Math.floor(micros / 3_600_000_000)],
    ['getMinutes', ({ micros }) => Math.floor(micros / 60_000_000) % 60],
    ['getSeconds', ({ micros }) => Math.floor(micros / 1_000_000) % 60],
    ['getMilliseconds', ({ micros }) => Math.floor(micros / 1000) % 1000],
  ];
  for (const [name, part] of parts) {
    environment.registerFunction(`timestamp.${name}(): int`, (value: Timestamp) => BigInt(part(value.fields())), sync);
  }
}
