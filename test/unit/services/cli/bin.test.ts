import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const bin = fileURLToPath(new URL('../../../../services/cli/bin.js', import.meta.url));

async function terrafusion(args: string[], node = process.execPath, env: Record<string, string> = {}) {
  try {
    const { stdout, stderr } = await run(node, [bin, ...args], { env: { ...process.env, ...env } });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('terrafusion', () => {
  test('shows its commands and exit codes', async () => {
    const { code, stdout } = await terrafusion(['--help']);
    expect(code).toBe(0);
    for (const command of [
      'up',
      'gateway',
      'sync-service',
      'reader',
      'stream-processor',
      'writer',
      'check',
      'pairs',
      'operations',
      'status',
      'config',
    ])
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(stdout).toMatch(/^ {2}78 {3}wrong settings$/m);
    expect(stdout).toMatch(/^ {2}3 {4}no gateway answers/m);
  });

  test('says its version', async () => {
    const manifest = JSON.parse(await readFile(new URL('../../../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await terrafusion(['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
  });

  test('ends with 64 for what it does not know', async () => {
    expect(await terrafusion(['bogus'])).toMatchObject({ code: 64, stdout: '' });
    expect(await terrafusion(['up', '--bogus'])).toMatchObject({ code: 64 });
    expect(await terrafusion(['operations', '--limit', 'many'])).toMatchObject({ code: 64 });
    expect(await terrafusion([])).toMatchObject({ code: 64 });
  });

  test('ends with 78 for wrong settings, and 3 when no gateway is there, each in two lines', async () => {
    const wrong = await terrafusion(['config', 'check'], process.execPath, { GATEWAY_PORT: 'x' });
    expect(wrong.code).toBe(78);
    expect(wrong.stderr.trimEnd().split('\n')).toHaveLength(2);
    const alone = await terrafusion(['status', '--url', 'http://127.0.0.1:1']);
    expect(alone.code).toBe(3);
    expect(alone.stderr.trimEnd().split('\n')).toHaveLength(2);
  });

  test('runs on an older Node by handing over to the one that npm brought', async (context) => {
    const older = await olderNode();
    if (older === undefined) return context.skip('no Node older than 24 is installed here');
    expect(await terrafusion(['--version'], older)).toMatchObject({ code: 0 });
    expect(await terrafusion(['bogus'], older)).toMatchObject({ code: 64 });
  });
});

async function olderNode(): Promise<string | undefined> {
  for (const path of ['/usr/local/bin/node', '/usr/bin/node']) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (!there) continue;
    const { stdout } = await run(path, ['--version']);
    if (Number(/^v(\d+)/.exec(stdout)?.[1]) < 24) return path;
  }
  return undefined;
}
