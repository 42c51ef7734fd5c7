import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Report } from './judge.ts';
import { PROJECT } from './workspace.ts';

/** No test that catches a mutation takes so long; one that does hangs. */
const LONGEST_MS = 6 * 60_000;

export interface TestRun {
  readonly files: readonly string[];
  /** Parts of names of the tests to run; none: all. */
  readonly titles: readonly string[];
  /** End at the first failure. */
  readonly bail: boolean;
  /** A command to put before Vitest's, and its arguments. */
  readonly through: readonly string[];
}

/** Runs tests of the project in a folder. @returns what Vitest reports; undefined when it came to no report, with what it printed */
export async function runTests(
  folder: string,
  { files, titles, bail, through }: TestRun,
): Promise<{ readonly report: Report | undefined; readonly output: string }> {
  const place = await mkdtemp(join(tmpdir(), 'terrafusion-report-'));
  const reportFile = join(place, 'report.json');
  const command = [
    ...through,
    process.execPath,
    join(folder, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...files,
    ...(titles.length > 0 ? ['-t', titles.map(escaped).join('|')] : []),
    ...(bail ? ['--bail', '1'] : []),
    '--reporter=json',
    `--outputFile=${reportFile}`,
  ];
  try {
    const output = await run(command, folder);
    const text = await readFile(reportFile, 'utf8').catch(() => undefined);
    return { report: text === undefined ? undefined : (JSON.parse(text) as Report), output };
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

function run([program, ...args]: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolved, rejected) => {
    // A group of its own: what hangs is ended with all that it has started.
    const child = spawn(program!, args, {
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TERRAFUSION_SHARED: process.env['TERRAFUSION_SHARED'] ?? resolve(PROJECT, '../shared') },
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const end = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(end, LONGEST_MS);
    process.once('exit', end);
    child.once('error', rejected);
    child.once('close', () => {
      clearTimeout(timer);
      process.removeListener('exit', end);
      resolved(Buffer.concat(chunks).toString());
    });
  });
}

/** As a pattern that finds just this text. */
function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}
