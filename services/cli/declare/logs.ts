import { Option, type Command } from 'commander';
import { telling } from '../failure.ts';
import { levels } from '../logs/lines.ts';
import type { Terminal } from '../output.ts';
import { examples, moment, several, whole } from './common.ts';

interface LogFlags {
  readonly since?: string;
  readonly until?: string;
  readonly level?: (typeof levels)[number];
  readonly pair?: string;
  readonly operation?: string;
  readonly request?: string;
  readonly process: string[];
  readonly text?: string;
  readonly last?: number;
  readonly follow?: boolean;
  readonly folder?: string;
  readonly json?: boolean;
}

/** Without anything that narrows them down, so many lines are shown. */
const LAST = 200;

export function declareLogs(root: Command, terminal: Terminal): void {
  examples(
    root
      .command('logs')
      .description('the log files of this machine: all processes as one, by time')
      .option('--since <time>', 'a time, or how long ago (15m)', (text) => moment(text))
      .option('--until <time>', 'a time, or how long ago', (text) => moment(text))
      .addOption(new Option('--level <level>', 'this one and what is worse').choices(levels))
      .option('--pair <pair>', 'of this pair only: its name or id')
      .option('--operation <id>', 'of this operation only')
      .option('--request <id>', 'what this request led to, in every process (X-Request-Id; the audit trail shows it)')
      .option('--process <name>', 'of this process only, such as gateway; may be given several times', several, [])
      .option('--text <text>', 'with this in the line')
      .option(
        '--last <n>',
        `only the last so many; ${LAST} unless --since, --request or --operation is given`,
        whole(1, 1_000_000),
      )
      .option('-f, --follow', 'goes on with what comes, until Ctrl-C')
      .option('--folder <folder>', 'where the files are; by default LOG_FOLDER')
      .option('--json', 'the lines as they are: JSON')
      .action(async (flags: LogFlags) => {
        const { logs } = await import('../commands/logs.ts');
        const { loadSettings } = await import('#services/kernel/settings.ts');
        const { since, until, level, pair, operation, request, text, process: processes } = flags;
        const narrow = since !== undefined || request !== undefined || operation !== undefined;
        const filter = {
          since: since === undefined ? undefined : Date.parse(since),
          until: until === undefined ? undefined : Date.parse(until),
          ...{ level, pair, operation, request, text },
        };
        const last = flags.last ?? (narrow ? undefined : LAST);
        await telling(terminal, flags.json ?? false, async () => {
          const folder = flags.folder ?? loadSettings().log.folder;
          const follow = flags.follow ? untilSignal() : undefined;
          return await logs(terminal, flags.json ?? false, { folder, filter, processes, last, follow });
        });
      }),
    'logs --since 15m --level warn',
    'logs --request 0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f10',
    'logs --pair pacs-to-cama --follow',
  );
}

/** Aborted by Ctrl-C, which is how one stops looking: no failure. */
export function untilSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stop.abort();
    });
  }
  return stop.signal;
}
