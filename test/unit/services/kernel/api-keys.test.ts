import { expect, test } from 'vitest';
import {
  formatApiKey,
  generateApiKey,
  hashApiKeySecret,
  matchesApiKeySecret,
  parseApiKey,
} from '#services/kernel/api-keys.ts';

test('a generated key is parsed again and opened by its own hash only', () => {
  const key = generateApiKey();
  const text = formatApiKey(key).reveal();
  expect(text).toMatch(/^tfk_[A-Za-z0-9]{12}_[A-Za-z0-9]{43}$/);
  const parsed = parseApiKey(text)!;
  expect(parsed.id).toBe(key.id);
  expect(matchesApiKeySecret(parsed.secret, hashApiKeySecret(key.secret))).toBe(true);
  expect(matchesApiKeySecret(generateApiKey().secret, hashApiKeySecret(key.secret))).toBe(false);
  expect(matchesApiKeySecret(parsed.secret, Buffer.alloc(3))).toBe(false);
  expect(JSON.stringify(parsed)).not.toContain(key.secret.reveal());
});

test('what is no key is none', () => {
  const secret = 'x'.repeat(32);
  for (const text of [
    '',
    'tfk_',
    `tfk_a_${'x'.repeat(31)}`,
    `tfk__${secret}`,
    `TFK_a_${secret}`,
    `tfk_a_${secret} `,
    `tfk_a-b_${secret}`,
  ]) {
    expect(parseApiKey(text), text).toBeUndefined();
  }
  expect(parseApiKey(`tfk_a_${secret}_-`)?.id).toBe('a');
});
