const MICROS_A_DAY = 86_400_000_000n;

/**
 * A moment with microseconds, as PostgreSQL keeps it. CEL's own timestamp is a JavaScript Date: it would cut to milliseconds and read
 * times without a zone in the zone of this machine.
 */
export class Timestamp {
  /** Microseconds since 1970-01-01 UTC. */
  readonly micros: bigint;

  constructor(micros: bigint) {
    this.micros = micros;
  }

  /**
   * Reads what PostgreSQL prints for date, timestamp and timestamptz in ISO style, and RFC 3339. Without a zone: UTC.
   * @throws {RangeError} for anything else, infinities included
   */
  static parse(text: string): Timestamp {
    const match =
      /^(\d{4,6})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})0*)?)?)?(?:(Z)|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?( BC)?$/.exec(
        text,
      );
    if (!match) throw new RangeError(`${JSON.stringify(text)} is not a date or timestamp that can be computed with`);
    const part = (index: number) => Number(match[index] ?? 0);
    const year = match[13] === undefined ? part(1) : 1 - part(1);
    const [month, day, hour, minute, second] = [part(2), part(3), part(4), part(5), part(6)];
    if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 24 || minute > 59 || second > 60) {
      throw new RangeError(`${JSON.stringify(text)} is not a date or timestamp`);
    }
    const offset = (part(10) * 3600 + part(11) * 60 + part(12)) * (match[9] === '-' ? -1 : 1);
    const seconds = hour * 3600 + minute * 60 + second - offset;
    const fraction = Number((match[7] ?? '').padEnd(6, '0'));
    return new Timestamp(
      BigInt(daysFromCivil(year, month, day)) * MICROS_A_DAY + BigInt(seconds * 1_000_000 + fraction),
    );
  }

  /** As PostgreSQL prints a timestamptz in UTC. */
  toString(): string {
    const { year, month, day, micros } = this.fields();
    const two = (n: number) => String(n).padStart(2, '0');
    const seconds = Math.floor(micros / 1_000_000);
    const fraction = micros % 1_000_000;
    const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    const digits = fraction === 0 ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
    const shownYear = String(year > 0 ? year : 1 - year).padStart(4, '0');
    return `${shownYear}-${two(month)}-${two(day)} ${time}${digits}+00${year > 0 ? '' : ' BC'}`;
  }

  plus(micros: bigint): Timestamp {
    return new Timestamp(this.micros + micros);
  }

  /** The calendar in UTC: year 0 is 1 BC, month and day from 1; microseconds of the day; weekday from Sunday = 0; day of the year from 0. */
  fields(): { year: number; month: number; day: number; micros: number; weekday: number; dayOfYear: number } {
    let days = Number(this.micros / MICROS_A_DAY);
    let rest = this.micros % MICROS_A_DAY;
    if (rest < 0n) {
      days -= 1;
      rest += MICROS_A_DAY;
    }
    const { year, month, day } = civilFromDays(days);
    const weekday = (((days + 4) % 7) + 7) % 7;
    return { year, month, day, micros: Number(rest), weekday, dayOfYear: days - daysFromCivil(year, 1, 1) };
  }
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar. Years begin in March here, so that the leap day is the last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}
