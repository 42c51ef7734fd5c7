/** Digits that a quotient has at least, as in PostgreSQL (NUMERIC_MIN_SIG_DIGITS). */
const MIN_SIGNIFICANT = 16;
/** Most digits after the point of a quotient (NUMERIC_MAX_DISPLAY_SCALE). */
const MAX_QUOTIENT_SCALE = 1000;

const powers: bigint[] = Array.from({ length: 64 }, (_, exponent) => 10n ** BigInt(exponent));
/** Those that are numbers exactly. */
const smallPowers: readonly number[] = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const power = (exponent: number): bigint => powers[exponent] ?? 10n ** BigInt(exponent);

/**
 * An exact decimal with PostgreSQL's arithmetic: the same digits, and the same number of digits after the point, as `numeric` gives.
 * Never a double: 0.1 + 0.2 is 0.3. An integer and a scale, since that costs a quarter of what a decimal library does here.
 */
export class Decimal {
  /** The value times ten to the power of the scale: a number where it is one exactly, which most amounts are, and no allocation a step. */
  readonly #units: number | bigint;
  /** Digits after the point, at least 0. */
  readonly scale: number;

  /** @param units a number is a safe integer */
  constructor(units: number | bigint, scale: number) {
    this.#units = typeof units === 'bigint' && units >= -SAFE && units <= SAFE ? Number(units) : units;
    this.scale = scale;
  }

  /** The value times ten to the power of the scale. */
  get units(): bigint {
    return BigInt(this.#units);
  }

  /** The units as a number; undefined where they are none exactly. */
  get small(): number | undefined {
    const units = this.#units;
    return typeof units === 'number' ? units : undefined;
  }

  /**
   * Reads plain and exponential notation.
   * @throws {RangeError} for NaN, infinities and whatever else is no number with finitely many digits
   */
  static parse(text: string): Decimal {
    const match = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
    if (!match) throw new RangeError(`${quote(text)} is not a decimal that can be computed with`);
    const fraction = match[3] ?? match[4] ?? '';
    const units = BigInt(`${match[2] ?? ''}${fraction}`) * (match[1] === '-' ? -1n : 1n);
    const scale = fraction.length - Number(match[5] ?? 0);
    return scale >= 0 ? new Decimal(units, scale) : new Decimal(units * power(-scale), 0);
  }

  /**
   * Reads what a `money` column prints in the C locale: "-$1,234.56".
   * @throws {RangeError} for another locale's form, which cannot be told apart safely
   */
  static parseMoney(text: string): Decimal {
    const match = /^(-?)\$?(\d{1,3}(?:,\d{3})*|\d+)(\.\d+)?$/.exec(text);
    if (!match) throw new RangeError(`${quote(text)} is not an amount as lc_monetary = C prints it`);
    return Decimal.parse(`${match[1]!}${match[2]!.replaceAll(',', '')}${match[3] ?? ''}`);
  }

  static of(value: bigint): Decimal {
    return new Decimal(value, 0);
  }

  /** By the shortest digits that print the double: 0.1 becomes 0.1. @throws {RangeError} for NaN and infinities */
  static fromDouble(value: number): Decimal {
    return Decimal.parse(String(value));
  }

  /** As PostgreSQL prints a numeric. */
  toString(): string {
    const { scale } = this;
    const units = this.#units;
    if (scale === 0) return String(units);
    const digits = String(units < 0 ? -units : units).padStart(scale + 1, '0');
    const point = digits.length - scale;
    return `${units < 0 ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
  }

  /** Negative, zero or positive, as for sorting. */
  compare(other: Decimal): number {
    const scale = Math.max(this.scale, other.scale);
    // Numbers and big integers compare by value.
    const a = this.#at(scale);
    const b = other.#at(scale);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  get isZero(): boolean {
    return this.#units === 0;
  }

  negate(): Decimal {
    const units = this.#units;
    return new Decimal(typeof units === 'number' ? 0 - units : -units, this.scale);
  }

  abs(): Decimal {
    return new Decimal(magnitude(this.units), this.scale);
  }

  plus(other: Decimal): Decimal {
    const scale = Math.max(this.scale, other.scale);
    return new Decimal(sum(this.#at(scale), other.#at(scale)), scale);
  }

  minus(other: Decimal): Decimal {
    const scale = Math.max(this.scale, other.scale);
    return new Decimal(difference(this.#at(scale), other.#at(scale)), scale);
  }

  times(other: Decimal): Decimal {
    return new Decimal(product(this.#units, other.#units), this.scale + other.scale);
  }

  /** @throws {RangeError} for a division by zero */
  dividedBy(other: Decimal): Decimal {
    if (other.isZero) throw new RangeError('division by zero');
    const scale = quotientScale(this, other);
    return new Decimal(divideRounded(this.units * power(scale + other.scale - this.scale), other.units), scale);
  }

  /** Takes the sign of the dividend. @throws {RangeError} for a division by zero */
  modulo(other: Decimal): Decimal {
    if (other.isZero) throw new RangeError('division by zero');
    const scale = Math.max(this.scale, other.scale);
    return new Decimal(BigInt(this.#at(scale)) % BigInt(other.#at(scale)), scale);
  }

  /** @param digits after the point, from 0 to 1000; half goes away from zero */
  round(digits: number): Decimal {
    if (digits < 0 || digits > MAX_QUOTIENT_SCALE) {
      throw new RangeError(`cannot round to ${digits} digits: 0 to ${MAX_QUOTIENT_SCALE} can be asked for`);
    }
    if (digits >= this.scale) return new Decimal(this.#at(digits), digits);
    return new Decimal(divideRounded(this.units, power(this.scale - digits)), digits);
  }

  floor(): Decimal {
    const cut = this.#cut();
    return Decimal.of(this.units < 0n && cut * power(this.scale) !== this.units ? cut - 1n : cut);
  }

  ceil(): Decimal {
    const cut = this.#cut();
    return Decimal.of(this.units > 0n && cut * power(this.scale) !== this.units ? cut + 1n : cut);
  }

  /** The part before the point. @throws {RangeError} when it does not fit 64 bits */
  toInt(): bigint {
    const value = this.#cut();
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${this.toString()} does not fit an int`);
    return value;
  }

  /** Without what is after the point. */
  #cut(): bigint {
    return this.units / power(this.scale);
  }

  /** The units at a scale that is not below its own. */
  #at(scale: number): number | bigint {
    const more = scale - this.scale;
    if (more === 0) return this.#units;
    return product(this.#units, smallPowers[more] ?? power(more));
  }
}

// A sum, difference or product of two integers that is itself a safe one as a double is exact; so is one that is not safe never taken for one.

function sum(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') {
    const made = a + b;
    if (Number.isSafeInteger(made)) return made;
  }
  return BigInt(a) + BigInt(b);
}

function difference(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') {
    const made = a - b;
    if (Number.isSafeInteger(made)) return made;
  }
  return BigInt(a) - BigInt(b);
}

function product(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') {
    const made = a * b;
    // Not minus zero.
    if (Number.isSafeInteger(made)) return made + 0;
  }
  return BigInt(a) * BigInt(b);
}

/** Half away from zero, as PostgreSQL rounds numerics. */
function divideRounded(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  const rest = dividend - quotient * divisor;
  if (magnitude(rest) * 2n < magnitude(divisor)) return quotient;
  return dividend < 0n === divisor < 0n ? quotient + 1n : quotient - 1n;
}

/** PostgreSQL's choice (select_div_scale): at least 16 significant digits, reckoned in its digits of base 10,000. */
function quotientScale(a: Decimal, b: Decimal): number {
  const { weight: weightA, first: firstA } = leading(a);
  const { weight: weightB, first: firstB } = leading(b);
  const weight = weightA - weightB - (firstA <= firstB ? 1 : 0);
  return Math.min(Math.max(MIN_SIGNIFICANT - weight * 4, a.scale, b.scale), MAX_QUOTIENT_SCALE);
}

/** Weight and value of the first digit in base 10,000. */
function leading({ units, scale }: Decimal): { weight: number; first: number } {
  if (units === 0n) return { weight: 0, first: 0 };
  const digits = magnitude(units).toString();
  const exponent = digits.length - 1 - scale;
  const weight = Math.floor(exponent / 4);
  return { weight, first: Number(digits.slice(0, exponent - weight * 4 + 1).padEnd(exponent - weight * 4 + 1, '0')) };
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
