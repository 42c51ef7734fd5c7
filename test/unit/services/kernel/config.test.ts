import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { TerraFusionError } from '#schemas/errors.ts';
import { bytes, describeConfig, flag, list, loadConfig, port, secret, whole } from '#services/kernel/config.ts';

const schema = z.object({
  GATEWAY_PORT: z.coerce.number().int().max(65_535).default(5000).describe('Port of the gateway.'),
  API_KEY: secret({ min: 8 })
    .refine((key) => !key.reveal().includes(' '), 'must not contain spaces')
    .optional()
    .describe('The key.'),
  NAME: z.string(),
  TLS: flag().default(false),
  ORIGINS: list().default([]),
  SIZE: bytes().default(1),
  COUNT: whole(1, 9).default(1),
  DATABASE: z.string().optional(),
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-config-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

function problemsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(schema, env);
  } catch (error) {
    expect(error).toBeInstanceOf(TerraFusionError);
    expect((error as TerraFusionError).code).toBe('CONFIG_INVALID');
    return (error as TerraFusionError).message.split('\n');
  }
  return [];
}

describe('loadConfig', () => {
  test('reads variables by name, with defaults; an empty one counts as not set', () => {
    const config = loadConfig(schema, {
      NAME: 'n',
      GATEWAY_PORT: '',
      TLS: 'Yes',
      ORIGINS: 'a, b,,',
      SIZE: '20 GiB',
      COUNT: '3',
    });
    expect(config).toEqual({
      NAME: 'n',
      GATEWAY_PORT: 5000,
      TLS: true,
      ORIGINS: ['a', 'b'],
      SIZE: 20 * 2 ** 30,
      COUNT: 3,
    });
  });

  test('tells all problems at once, each by its variable, and no secret', () => {
    const problems = problemsOf({
      GATEWAY_PORT: 'abc',
      API_KEY: 'hunter2',
      TLS: 'perhaps',
      SIZE: '3 apples',
      COUNT: '10',
      DATABASE: 'x',
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'GATEWAY_PORT',
      'API_KEY',
      'NAME',
      'TLS',
      'SIZE',
      'COUNT',
    ]);
    expect(problems.find((problem) => problem.startsWith('NAME'))).toBe('NAME: must be set');
    expect(problems.find((problem) => problem.startsWith('COUNT'))).toBe(
      'COUNT: must be a whole number from 1 to 9 (it is "10")',
    );
    expect(problems.join()).not.toContain('hunter2');
  });

  test('takes a secret from a file, without its last line break', async () => {
    const config = loadConfig(schema, { NAME: 'n', API_KEY_FILE: await file('key', 'abcdefgh1\n') });
    expect(config.API_KEY?.reveal()).toBe('abcdefgh1');
    expect(`${String(config.API_KEY)} ${JSON.stringify(config)}`).not.toContain('abcdefgh1');
  });

  test('a secret given twice, a missing and an empty secret file are problems of their own', async () => {
    expect(problemsOf({ NAME: 'n', API_KEY: 'abcdefgh1', API_KEY_FILE: '/x' })).toEqual([
      'API_KEY: set either API_KEY or API_KEY_FILE, not both',
    ]);
    expect(problemsOf({ NAME: 'n', API_KEY_FILE: join(folder, 'none') })).toEqual([
      `API_KEY_FILE: cannot read ${join(folder, 'none')}: ENOENT`,
    ]);
    expect(problemsOf({ NAME: 'n', API_KEY_FILE: await file('empty', '\n') })).toEqual([
      `API_KEY_FILE: ${join(folder, 'empty')} is empty`,
    ]);
    expect(problemsOf({ NAME: 'n', API_KEY: 'abcd efgh' })).toEqual(['API_KEY: must not contain spaces']);
  });

  test.each([
    ['YAML', 'c.yaml', 'NAME: from file\nGATEWAY_PORT: 1234\nTLS: true\nORIGINS: [a, b]\nAPI_KEY: abcdefgh1\n'],
    ['JSON', 'c.json', '{"NAME":"from file","GATEWAY_PORT":1234,"TLS":true,"ORIGINS":["a","b"],"API_KEY":"abcdefgh1"}'],
  ])('reads a %s file with the same names; the environment wins', async (_, name, content) => {
    const config = loadConfig(schema, {
      TERRAFUSION_CONFIG_FILE: await file(name, content),
      GATEWAY_PORT: '99',
      API_KEY_FILE: await file('k', 'from-a-file'),
    });
    expect(config).toMatchObject({ NAME: 'from file', GATEWAY_PORT: 99, TLS: true, ORIGINS: ['a', 'b'] });
    expect(config.API_KEY?.reveal()).toBe('from-a-file');
  });

  test('a config file that is missing, no map, or holds unknown names is told about', async () => {
    expect(problemsOf({ NAME: 'n', TERRAFUSION_CONFIG_FILE: '/nowhere' })[0]).toMatch(
      /^TERRAFUSION_CONFIG_FILE: cannot read \/nowhere/,
    );
    expect(problemsOf({ NAME: 'n', TERRAFUSION_CONFIG_FILE: await file('l.yaml', '- a') })[0]).toMatch(
      /must hold settings by name/,
    );
    expect(problemsOf({ NAME: 'n', TERRAFUSION_CONFIG_FILE: await file('u.yaml', 'GATEWAY_PROT: 1') })[0]).toMatch(
      /^GATEWAY_PROT: there is no setting/,
    );
  });
});

test('describeConfig shows effective settings, their origin, and no secret', async () => {
  const shown = describeConfig(schema, {
    API_KEY: 'abcdefgh1',
    DATABASE: 'postgresql://a:abcdefgh1@h/d',
    TERRAFUSION_CONFIG_FILE: await file('d.yaml', 'NAME: n'),
  });
  expect(shown.find(({ name }) => name === 'API_KEY')).toEqual({
    name: 'API_KEY',
    value: '[secret]',
    origin: 'environment',
    description: 'The key.',
  });
  expect(shown.find(({ name }) => name === 'NAME')).toMatchObject({ value: 'n', origin: 'file' });
  expect(shown.find(({ name }) => name === 'GATEWAY_PORT')).toMatchObject({
    value: '5000',
    origin: 'default',
    description: 'Port of the gateway.',
  });
  expect(JSON.stringify(shown)).not.toContain('abcdefgh1');
});

test('ports', () => {
  const ports = z.object({ P: port() });
  expect(loadConfig(ports, { P: '0' })).toEqual({ P: 0 });
  for (const wrong of ['65536', '-1', '1.5', '0x10', '1e3'])
    expect(() => loadConfig(ports, { P: wrong }), wrong).toThrow(/whole number/);
});
