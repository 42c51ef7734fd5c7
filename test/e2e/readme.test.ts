import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Product } from './product.ts';

const run = promisify(execFile);
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const section = /## The first pair in five minutes\n([^]*?)\n## /.exec(readme)![1]!;
/** The steps by number, with the commands of each. */
const steps = [...section.matchAll(/\*\*(\d)\. ([^*]+)\*\*[^]*?```sh\n([^]*?)```/g)].map(
  ([, number, title, commands]) => ({
    title: `${number!}. ${title!}`,
    commands: commands!,
  }),
);

describe('the README', () => {
  let product: Product | undefined;
  let missing: string | undefined;
  beforeAll(async () => {
    missing = await firstMissing('bash', 'curl', 'psql');
    if (missing !== undefined) return;
    product = await Product.create();
    product.start();
    await product.event('streaming');
  });
  afterAll(() => product?.[Symbol.asyncDispose]());

  test('has the five steps that its title promises', () => {
    expect(steps.map(({ title }) => title[0])).toEqual(['1', '2', '3', '4', '5']);
  });

  test.for(steps)('step "$title" works as it is written', async ({ title, commands }, context) => {
    if (product === undefined) return context.skip(`${missing ?? 'something'} is not installed`);
    const intro = /```sh\n([^]*?)```/.exec(section)![1]!.replace('http://127.0.0.1:5000', product.url);
    const { stdout } = await run('bash', ['-ec', `${intro}\n${commands}`], { cwd: product.dataFolder });
    switch (title[0]) {
      case '1':
        expect(JSON.parse(stdout)).toMatchObject({ items: [{ name: 'pacs-to-cama', state: 'streaming' }] });
        break;
      case '2':
        expect(JSON.parse(stdout)).toMatchObject({ name: 'owners', desired: 'running' });
        break;
      case '3':
        expect(JSON.parse(stdout)).toMatchObject({ position: expect.any(String) as string });
        break;
      case '4':
        expect(stdout).toContain('CEDAR 1 HOLDINGS LLC');
        break;
      default:
        // Nobody's database is at that address: registered, and found wanting by name.
        expect(stdout).toContain('"name":"our-pacs"');
        expect(stdout).toContain('"ok":false');
    }
  });
});

async function firstMissing(...programs: string[]): Promise<string | undefined> {
  for (const program of programs) {
    const found = await run(program, ['--version']).then(
      () => true,
      () => false,
    );
    if (!found) return program;
  }
  return undefined;
}
