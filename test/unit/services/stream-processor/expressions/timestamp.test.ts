import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Timestamp } from '#services/stream-processor/expressions/timestamp.ts';

const t = (text: string) => Timestamp.parse(text);

describe('a timestamp', () => {
  test('agrees with Date on every millisecond, and keeps the microseconds', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), fc.nat(999), (date, micros) => {
        const value = new Timestamp(BigInt(date.getTime()) * 1000n + BigInt(micros));
        const { year, month, day, weekday } = value.fields();
        expect([year, month, day, weekday]).toEqual([
          date.getUTCFullYear(),
          date.getUTCMonth() + 1,
          date.getUTCDate(),
          date.getUTCDay(),
        ]);
        expect(t(value.toString()).micros).toBe(value.micros);
      }),
    );
  });

  test.each([
    ['2024-02-29', '2024-02-29 00:00:00+00'],
    ['2024-01-02 03:04:05', '2024-01-02 03:04:05+00'],
    ['2024-01-02 03:04:05.123456+00', '2024-01-02 03:04:05.123456+00'],
    ['2024-01-02 03:04:05.1+05:30', '2024-01-01 21:34:05.1+00'],
    ['2024-01-02 03:04:05-08', '2024-01-02 11:04:05+00'],
    ['2024-01-02T03:04:05Z', '2024-01-02 03:04:05+00'],
    ['2024-12-31 24:00:00', '2025-01-01 00:00:00+00'],
    ['0044-03-15 BC', '0044-03-15 00:00:00+00 BC'],
    ['294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00'],
    ['4714-11-24 00:00:00+00 BC', '4714-11-24 00:00:00+00 BC'],
  ])('%s is %s (CHECKLIST 23)', (text, printed) => {
    expect(t(text).toString()).toBe(printed);
  });

  test.each(['', 'infinity', '-infinity', '2024-13-01', '2023-02-29', '2024-01-01 25:00:00', '01/02/2024', 'now'])(
    'is not %j',
    (text) => {
      expect(() => t(text)).toThrow(RangeError);
    },
  );

  test('counts the days of a year from 0', () => {
    expect(t('2024-01-01').fields().dayOfYear).toBe(0);
    expect(t('2024-12-31').fields().dayOfYear).toBe(365);
    expect(t('2023-12-31 23:59:59').fields().dayOfYear).toBe(364);
  });
});
