import { expect, test } from 'vitest';
import { scopeName } from '#services/control/scope.ts';

test('a limit has one name, and no other limit has it', () => {
  expect(scopeName(['b', 'a'])).toBe(scopeName(['a', 'b']));
  expect(scopeName(null)).toBe(scopeName(undefined));
  const names = [undefined, [], ['a'], ['b'], ['a', 'b']].map((systems) => scopeName(systems));
  expect(new Set(names).size).toBe(names.length);
});
