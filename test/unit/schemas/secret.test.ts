import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from '#schemas/secret.ts';

test('a secret is not printed by accident, only revealed on purpose (Promise 8)', () => {
  const secret = new Secret('hunter2');
  const printed = [
    String(secret),
    secret.toString(),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: { secret } }, { depth: 5, showHidden: true }),
    Object.values(secret).join(),
  ];
  for (const text of printed) expect(text).not.toContain('hunter2');
  expect(inspect(secret)).toBe('[secret]');
  expect(secret.reveal()).toBe('hunter2');
});
