import { expect, test } from 'vitest';
import { Rush } from '#services/gateway/rush.ts';

const asks = (rush: Rush, name: string, now: number, times: number): boolean[] =>
  Array.from({ length: times }, () => rush.has(name, now));

test('more than ten a second are a rush, until a second without one', () => {
  const rush = new Rush();
  expect(asks(rush, 'a', 0, 12)).toEqual([...Array<boolean>(10).fill(false), true, true]);
  expect(rush.has('b', 0)).toBe(false);
  // It goes on in the next second at once …
  expect(rush.has('a', 1500)).toBe(true);
  // … and is over once nobody has asked for long.
  expect(rush.has('a', 4000)).toBe(false);
});

test('ten a second, second by second, are none', () => {
  const rush = new Rush();
  for (let second = 0; second < 5; second += 1)
    expect(asks(rush, 'a', second * 1001, 10).every((is) => !is)).toBe(true);
});

test('what is counted has a bound', () => {
  const rush = new Rush();
  asks(rush, 'a', 0, 11);
  for (let other = 0; other < 1000; other += 1) rush.has(`other ${other}`, 1);
  expect(rush.has('a', 2)).toBe(false);
});
