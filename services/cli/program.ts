import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { maskText } from '#services/kernel/masking.ts';
import { declareApply } from './declare/apply.ts';
import { declareCompletion } from './declare/completion.ts';
import { declareDeadLetters } from './declare/dead-letters.ts';
import { declareLogs } from './declare/logs.ts';
import { declareKeys } from './declare/keys.ts';
import { declareOperations } from './declare/operations.ts';
import { declareCheck, declareFence, declarePairs, declareSync } from './declare/pairs.ts';
import { declareProcesses } from './declare/processes.ts';
import { declareSelfHealing } from './declare/self-healing.ts';
import { declareSystems } from './declare/systems.ts';
import { declareAudit, declareConfig, declareStatus } from './declare/watching.ts';
import { exitCodeTable } from './exit-codes.ts';
import type { Terminal } from './output.ts';

const EXIT_CODES = `
Exit codes:
${exitCodeTable.map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`).join('\n')}

Settings are environment variables; \`terrafusion config check --all\` lists them.`;

/** The tree of commands. What a command does is imported when it is called: a broken one breaks only itself. */
export function createProgram(terminal: Terminal): Command {
  const root = new Command('terrafusion')
    .description(
      'Keeps county systems in step: reads every committed change and writes it, exactly once, where it belongs.',
    )
    .version(version())
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text);
      },
      // It shows the argument that it does not know, which may be a secret in the wrong place. (Promise 8)
      writeErr: (text) => {
        terminal.err(maskText(text));
      },
      getOutHasColors: () => terminal.colours,
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
    })
    .showHelpAfterError('(terrafusion --help lists the commands)')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();
  declareProcesses(root, terminal);
  declareStatus(root, terminal);
  declarePairs(root, terminal);
  declareOperations(root, terminal);
  declareSync(root, terminal);
  declareFence(root, terminal);
  declareCheck(root, terminal);
  declareApply(root, terminal);
  declareSystems(root, terminal);
  declareDeadLetters(root, terminal);
  declareSelfHealing(root, terminal);
  declareAudit(root, terminal);
  declareKeys(root, terminal);
  declareLogs(root, terminal);
  declareConfig(root, terminal);
  declareCompletion(root, terminal);
  return root;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
