import Big from 'big.js';

/** Own constructor: its settings are not those of other users of the library. */
const Exact = Big();
Exact.RM = Exact.roundHalfUp; // half away from zero, as PostgreSQL rounds numerics

/** Digits that a quotient has at least, as in PostgreSQL (NUMERIC_MIN_SIG_DIGITS). */
const MIN_SIGNIFICANT = 16;
/** Most digits after the point of a quotient (NUMERIC_MAX_DISPLAY_SCALE). */
const MAX_QUOTIENT_SCALE = 1000;

/**
 * An exact decimal with PostgreSQL's arithmetic: the same digits, and the same number of digits after the point, as `numeric` gives.
 * Never a double: 0.1 + 0.2 is 0.3.
 */
export class Decimal {
  readonly big: Big;
  /** Digits after the point when printed. */
  readonly scale: number;

  constructor(big: Big, scale: number) {
    this.big = big;
    this.scale = scale;
  }

  /**
   * Reads plain and exponential notation.
   * @throws {RangeError} for NaN, infinities and whatever else is no number with finitely many digits
   */
  static parse(text: string): Decimal {
    const match = /^[+-]?(?:\d+(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
    if (!match) throw new RangeError(`${quote(text)} is not a decimal that can be computed with`);
    const fraction = (match[1] ?? match[2] ?? '').length;
    // The library wants digits on both sides of the point, and no plus.
    const padded = text
      .replace(/^\+/, '')
      .replace(/^(-?)\./, '$10.')
      .replace(/\.(?=$|[eE])/, '');
    return new Decimal(new Exact(padded), Math.max(0, fraction - Number(match[3] ?? 0)));
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
    return new Decimal(new Exact(value), 0);
  }

  /** By the shortest digits that print the double: 0.1 becomes 0.1. @throws {RangeError} for NaN and infinities */
  static fromDouble(value: number): Decimal {
    return Decimal.parse(String(value));
  }

  toString(): string {
    const text = this.big.toFixed(this.scale);
    return text.startsWith('-') && this.big.eq(0) ? text.slice(1) : text;
  }

  compare(other: Decimal): number {
    return this.big.cmp(other.big);
  }

  negate(): Decimal {
    return new Decimal(this.big.neg(), this.scale);
  }

  abs(): Decimal {
    return new Decimal(this.big.abs(), this.scale);
  }

  plus(other: Decimal): Decimal {
    return new Decimal(this.big.plus(other.big), Math.max(this.scale, other.scale));
  }

  minus(other: Decimal): Decimal {
    return new Decimal(this.big.minus(other.big), Math.max(this.scale, other.scale));
  }

  times(other: Decimal): Decimal {
    return new Decimal(this.big.times(other.big), this.scale + other.scale);
  }

  /** @throws {RangeError} for a division by zero */
  dividedBy(other: Decimal): Decimal {
    if (other.big.eq(0)) throw new RangeError('division by zero');
    const scale = quotientScale(this, other);
    Exact.DP = scale;
    return new Decimal(new Exact(this.big).div(other.big), scale);
  }

  /** Takes the sign of the dividend. @throws {RangeError} for a division by zero */
  modulo(other: Decimal): Decimal {
    if (other.big.eq(0)) throw new RangeError('division by zero');
    return new Decimal(this.big.mod(other.big), Math.max(this.scale, other.scale));
  }

  /** @param digits after the point, from 0 to 1000; half goes away from zero */
  round(digits: number, mode: Big.RoundingMode = Exact.roundHalfUp): Decimal {
    if (digits < 0 || digits > 1000)
      throw new RangeError(`cannot round to ${digits} digits: 0 to 1000 can be asked for`);
    return new Decimal(this.big.round(digits, mode), digits);
  }

  floor(): Decimal {
    const cut = this.round(0, Exact.roundDown);
    return this.big.lt(cut.big) ? cut.minus(Decimal.of(1n)) : cut;
  }

  ceil(): Decimal {
    const cut = this.round(0, Exact.roundDown);
    return this.big.gt(cut.big) ? cut.plus(Decimal.of(1n)) : cut;
  }

  /** The part before the point. @throws {RangeError} when it does not fit 64 bits */
  toInt(): bigint {
    const value = BigInt(this.big.round(0, Exact.roundDown).toFixed(0));
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${this.toString()} does not fit an int`);
    return value;
  }
}

/** PostgreSQL's choice (select_div_scale): at least 16 significant digits, reckoned in its digits of base 10,000. */
function quotientScale(a: Decimal, b: Decimal): number {
  const { weight: weightA, first: firstA } = leading(a.big);
  const { weight: weightB, first: firstB } = leading(b.big);
  const weight = weightA - weightB - (firstA <= firstB ? 1 : 0);
  return Math.min(Math.max(MIN_SIGNIFICANT - weight * 4, a.scale, b.scale, 0), MAX_QUOTIENT_SCALE);
}

/** Weight and value of the first digit in base 10,000. */
function leading(big: Big): { weight: number; first: number } {
  if (big.c[0] === 0) return { weight: 0, first: 0 };
  const weight = Math.floor(big.e / 4);
  let first = 0;
  for (let i = 0; i <= big.e - weight * 4; i++) first = first * 10 + (big.c[i] ?? 0);
  return { weight, first };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
