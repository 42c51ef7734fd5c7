import { execFileSync, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { completionScript } from '#services/cli/completion/script.ts';
import { places } from '#services/cli/completion/words.ts';
import { createProgram } from '#services/cli/program.ts';
import { reference } from '#services/cli/reference.ts';
import { terrafusion } from '#test/support/cli.ts';
import { RecordingTerminal } from './recording-terminal.ts';

const program = () => createProgram(new RecordingTerminal());
/** What it prints; what it complains of fails the test. */
function fishSays(script: string): string {
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout;
}
const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

describe('completion', () => {
  /** What the shell's own function offers after these words. */
  const inBash = (...words: string[]): string[] => {
    const typed = ['terrafusion', ...words].map((word) => `'${word}'`).join(' ');
    const script = `${completionScript(program(), 'bash')}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _terrafusion; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8' })
      .split('\n')
      .filter((word) => word !== '');
  };

  test('in bash offers commands, options and their values where they can stand', (context) => {
    if (!has('bash')) return context.skip('bash is not installed');
    expect(inBash('pa')).toEqual(['pairs']);
    expect(inBash('pairs', 're')).toEqual(['resume', 'resync']);
    expect(inBash('pairs', 'show', 'a-pair', '--j')).toEqual(['--json']);
    // A group is its list too.
    expect(inBash('pairs', '--st')).toEqual(['--state']);
    expect(inBash('keys', 'create', 'x', '--role', '')).toEqual(['viewer', 'operator', 'editor', 'admin']);
    expect(inBash('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
    expect(inBash('sync', 'f')).toEqual(['full']);
    expect(inBash('status', '--url', '')).toEqual([]);
    // The names of things are no commands.
    expect(inBash('pairs', 'show', 'keys', 'cr')).toEqual([]);
  });

  test('in zsh offers the same', (context) => {
    if (!has('zsh')) return context.skip('zsh is not installed');
    // Zsh's own completion functions stand for what shows the words.
    const shows = `
      autoload() { : }; compdef() { : }; _files() { print FILES }
      compadd() { shift; print -l -- "$@" }
      _describe() { local -a o; o=("\${(@P)2}"); print -l -- "\${o[@]%%:*}" }`;
    const offered = (...typed: string[]): string[] => {
      const line = ['terrafusion', ...typed].map((word) => `'${word}'`).join(' ');
      const script = `${shows}\n${completionScript(program(), 'zsh')}\nwords=(${line}); CURRENT=${typed.length + 1}; _terrafusion`;
      const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', script], { encoding: 'utf8' });
      expect(stderr).toBe('');
      return stdout.trim().split('\n');
    };
    expect(offered('')).toEqual(expect.arrayContaining(['pairs', 'status', 'apply']));
    expect(offered('pairs', '')).toEqual(expect.arrayContaining(['resume', 'resync', '--state']));
    expect(offered('keys', 'create', 'x', '--role', '')).toEqual(['viewer', 'operator', 'editor', 'admin']);
    expect(offered('status', '--url', '')).toEqual(['FILES']);
  });

  test('in fish offers the same', (context) => {
    if (!has('fish')) return context.skip('fish is not installed');
    const script = completionScript(program(), 'fish');
    const offered = (line: string): string[] =>
      fishSays(`${script}\ncomplete -C ${JSON.stringify(line)}`)
        .split('\n')
        .map((each) => each.split('\t')[0]!);
    expect(offered('terrafusion ')).toEqual(expect.arrayContaining(['pairs', 'status', 'apply']));
    expect(offered('terrafusion pairs re')).toEqual(expect.arrayContaining(['resume', 'resync']));
    expect(offered('terrafusion keys create x --role ')).toEqual(expect.arrayContaining(['viewer', 'admin']));
  });

  test('has every command and every option in every shell', async () => {
    const all = places(program());
    expect(all.length).toBeGreaterThan(40);
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      const { code, stdout } = await terrafusion(['completion', shell]);
      expect(code).toBe(0);
      for (const { path, words } of all) {
        expect(stdout, `${shell} ${path}`).toContain(`'${path}'`);
        for (const { text } of words)
          expect(stdout, `${shell} ${path} ${text}`).toContain(shell === 'fish' ? text.replace(/^--/, '') : text);
      }
    }
    expect((await terrafusion(['completion', 'cmd'])).code).toBe(64);
  });
});

describe('the reference page', () => {
  test('is the one of these commands', async () => {
    const page = await readFile(fileURLToPath(new URL('../../../../infra/docs/cli.md', import.meta.url)), 'utf8');
    expect(page, 'node services/cli/reference.ts > infra/docs/cli.md').toBe(reference(program()));
  });

  test('tells every command, and every option but those of all', () => {
    const page = reference(program());
    for (const { path, words } of places(program())) {
      expect(page).toMatch(new RegExp(`^#+ terrafusion${path === '' ? ' ' : ` ${path}$`}`, 'm'));
      for (const { text } of words)
        if (text.startsWith('--') && text !== '--help' && text !== '--version')
          expect(page, `${path} ${text}`).toContain(text);
    }
  });
});
