import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue, choose } from '#test/mutations/catalogue.ts';
import { mutated, stages } from '#test/mutations/mutation.ts';
import { PAGE } from '#test/mutations/page.ts';
import { PROJECT } from '#test/mutations/workspace.ts';

const all = choose([], []);

describe('the mutations (npm run test:mutations makes them)', () => {
  test.each(all.map(({ mutation }) => [mutation.name, mutation] as const))(
    '%s: the text that it changes is there once, and the file is a program afterwards',
    async (_, mutation) => {
      const text = await readFile(join(PROJECT, mutation.file), 'utf8');
      expect(() => stripTypeScriptTypes(mutated(text, mutation))).not.toThrow();
      expect(existsSync(join(PROJECT, mutation.test)), mutation.test).toBe(true);
    },
  );

  test('break every promise, each in several ways and stages, and every stage has some', () => {
    expect(catalogue.map(({ promise }) => promise)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const { promise, mutations } of catalogue) expect(mutations.length, `promise ${promise}`).toBeGreaterThan(3);
    for (const stage of stages)
      expect(all.filter(({ mutation }) => mutation.stage === stage).length, stage).toBeGreaterThan(1);
  });

  test('have names of their own; the page tells of them and of no others, in their order (else: npm run test:mutations)', async () => {
    const names = all.map(({ mutation }) => mutation.name);
    expect(new Set(names).size).toBe(names.length);
    const told = [...(await readFile(PAGE, 'utf8')).matchAll(/ `([a-z0-9-]+)` \|/g)].map(([, name]) => name);
    // A new one is told of once it has been run.
    expect(told).toEqual(names.filter((name) => told.includes(name)));
  });
});

test('a text that is not there, there twice, or not changed is told', () => {
  const mutation = {
    name: 'm',
    stage: 'reader',
    mistake: 'It is wrong.',
    file: 'f.ts',
    find: 'b',
    replace: '$&c',
    test: 't',
  } as const;
  expect(mutated('abd', mutation)).toBe('a$&cd');
  expect(() => mutated('a', mutation)).toThrow(/"m" looks for a text in f\.ts that is there 0 times/);
  expect(() => mutated('abb', mutation)).toThrow(/2 times/);
  expect(() => mutated('ab', { ...mutation, replace: 'b' })).toThrow(/changes nothing/);
});
