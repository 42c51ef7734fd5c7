import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import { isEncrypted, MASTER_KEY_FILE, masterKey, SecretBox } from '#services/kernel/secrets.ts';

const box = new SecretBox(new Secret('a master key of some length'));

describe('secrets at rest', () => {
  test('come back as they were, from another process with the same key too, and never twice look the same', () => {
    const other = new SecretBox(new Secret('a master key of some length'));
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const stored = JSON.parse(JSON.stringify(box.encrypt(new Secret(text)))) as { $encrypted: string };
        expect(other.decrypt(stored).reveal()).toBe(text);
        expect(box.encrypt(new Secret(text)).$encrypted).not.toBe(stored.$encrypted);
      }),
    );
  });

  test('are found wherever they stand in a document', () => {
    const settings = {
      url: 'postgresql://h',
      password: new Secret('hunter2'),
      list: [{ key: new Secret('k') }, null, 1],
    };
    const sealed = box.seal(settings);
    expect(JSON.stringify(sealed)).not.toMatch(/hunter2|\[secret\]/);
    const opened = box.unseal(JSON.parse(JSON.stringify(sealed))) as typeof settings;
    expect(opened.password.reveal()).toBe('hunter2');
    expect((opened.list[0] as { key: Secret }).key.reveal()).toBe('k');
    expect(opened).toMatchObject({ url: 'postgresql://h', list: [{}, null, 1] });
    expect(isEncrypted(sealed)).toBe(false);
  });

  test('are opened by the key before as well, while it is known, and encrypted with that of now', () => {
    const old = box.encrypt(new Secret('hunter2'));
    const changed = new SecretBox(new Secret('another master key'), new Secret('a master key of some length'));
    expect(changed.decrypt(old).reveal()).toBe('hunter2');
    expect([changed.isOutdated({ a: [{ b: old }] }), box.isOutdated({ a: old }), box.isOutdated({ a: 1 })]).toEqual([
      true,
      false,
      false,
    ]);
    const anew = changed.seal(changed.unseal({ a: old })) as { a: typeof old };
    expect(changed.isOutdated(anew)).toBe(false);
    expect(new SecretBox(new Secret('another master key')).decrypt(anew.a).reveal()).toBe('hunter2');
    expect(() => box.decrypt(anew.a)).toThrow(expect.objectContaining({ code: 'MASTER_KEY_WRONG' }) as Error);
  });

  test('are not opened by another key, nor after they were altered', () => {
    const sealed = box.encrypt(new Secret('hunter2'));
    const wrong = expect.objectContaining({ code: 'MASTER_KEY_WRONG' }) as Error;
    expect(() => new SecretBox(new Secret('another master key')).decrypt(sealed)).toThrow(wrong);
    const parts = sealed.$encrypted.split('.');
    for (const index of [2, 3, 4]) {
      const altered = parts.map((part, at) =>
        at === index ? `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}` : part,
      );
      expect(() => box.decrypt({ $encrypted: altered.join('.') })).toThrow(wrong);
    }
    expect(() => box.decrypt({ $encrypted: 'v2.x' })).toThrow(wrong);
  });
});

test('the master key is made once, for its owner only, unless it is given', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'terrafusion-key-'));
  try {
    const keys = await Promise.all(Array.from({ length: 5 }, () => masterKey(undefined, folder)));
    expect(new Set(keys.map((key) => key.reveal())).size).toBe(1);
    const file = join(folder, MASTER_KEY_FILE);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file, 'utf8')).trim()).toBe(keys[0]!.reveal());
    const given = new Secret('given');
    expect(await masterKey(given, folder)).toBe(given);
    await expect(masterKey(undefined, join(folder, 'none'))).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
