import { describe, expect, test } from 'vitest';
import { bytes, count, duration, table } from '#services/cli/output.ts';

describe('tables', () => {
  test('have columns as wide as their widest value, figures on the right', () => {
    const text = table(
      [
        { name: 'a', n: 5 },
        { name: 'longer', n: 12_345 },
      ],
      [
        { title: 'NAME', value: ({ name }) => name },
        { title: 'N', value: ({ n }) => count(n), right: true },
      ],
    );
    expect(text).toBe('NAME         N\na            5\nlonger  12,345\n');
  });

  test('are nothing without rows', () => {
    expect(table([], [{ title: 'NAME', value: String }])).toBe('');
  });
});

test('figures are short, and a dash when they are not known', () => {
  expect([0.004, 1.25, 59.94, 90, 7300].map(duration)).toEqual(['4 ms', '1.3 s', '59.9 s', '2 min', '2 h']);
  expect([0, 1, 1023, 1024, 150 * 1024, 3 * 2 ** 40].map(bytes)).toEqual([
    '0 B',
    '1 B',
    '1023 B',
    '1.0 KiB',
    '150 KiB',
    '3.0 TiB',
  ]);
  expect([duration(null), bytes(null), count(null)]).toEqual(['-', '-', '-']);
});
