import { Argument, Option, type Command } from 'commander';
import { deadLetterStates } from '#schemas/http/dead-letters.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, group, limitOption, runAgainst, yesOption } from './common.ts';

interface FilterFlags extends GatewayCommandOptions {
  readonly pair?: string;
  readonly table?: string;
  readonly code?: string;
}

export function declareDeadLetters(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const letters = group(root, 'dead-letters', 'rows that could not be written, with the reason');
  examples(
    letters,
    'dead-letters --pair pacs-to-cama --state open',
    'dead-letters replay 7 --row mended.yaml',
    'dead-letters replay --pair pacs-to-cama --code PAIR_ROW_INVALID',
  );
  const filtered = (command: Command): Command =>
    command
      .option('--pair <pair>', 'of this pair only')
      .option('--table <table>', 'of this source or target table only, schema.table')
      .option('--code <code>', 'with this error code only');
  filtered(gatewayCommand(letters, 'list', 'the latest dead letters', true))
    .addOption(new Option('--state <state>', 'in this state only').choices(deadLetterStates))
    .addOption(limitOption())
    .action(
      async ({ pair, table, code, state, limit, ...options }: FilterFlags & { state?: string; limit: number }) => {
        const { deadLetters } = await import('../commands/dead-letters.ts');
        const wish = { filters: { pair, table, code, state }, limit };
        await run(options, (client, asJson) => deadLetters(client, terminal, asJson, wish));
      },
    );
  gatewayCommand(letters, 'show', 'one dead letter with its row')
    .addArgument(new Argument('<id>'))
    .action(async (id: string, options: GatewayCommandOptions) => {
      const { showLetter } = await import('../commands/dead-letters.ts');
      await run(options, (client, asJson) => showLetter(client, terminal, asJson, id));
    });
  for (const [verb, what] of [
    ['replay', 'writes the rows of letters to the target, the oldest first'],
    ['discard', 'gives letters up: their rows are not written, the letters are kept'],
  ] as const) {
    const command = filtered(gatewayCommand(letters, verb, what))
      .argument('[ids...]', 'of letters; or narrow them down with the options')
      .option('--all', 'every open letter')
      .addOption(yesOption());
    if (verb === 'replay') command.option('--row <file>', 'with one id: the row to write instead (JSON or YAML)');
    command.action(
      async (
        ids: string[],
        { pair, table, code, all, row, yes, ...options }: FilterFlags & { all?: boolean; row?: string; yes?: boolean },
      ) => {
        const { resolveLetters } = await import('../commands/dead-letters.ts');
        const filters = { pair, table, code };
        const wish = { verb, ids, filters, all: all ?? false, rowFile: row, yes: yes ?? false };
        await run(options, (client, asJson) => resolveLetters(client, terminal, asJson, wish));
      },
    );
  }
}
