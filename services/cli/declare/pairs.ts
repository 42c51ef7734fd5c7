import { Argument, Option, type Command } from 'commander';
import { pairStates } from '#schemas/pairs.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import { telling } from '../failure.ts';
import type { Terminal } from '../output.ts';
import {
  examples,
  gatewayCommand,
  group,
  note,
  runAgainst,
  several,
  timeoutOption,
  whole,
  yesOption,
  type Run,
} from './common.ts';

type Common = GatewayCommandOptions;
const pairArgument = (): Argument => new Argument('<pair>', 'its name or id');
/** How long a fence may be waited for at one go, in seconds, as the API has it. */
const FENCE_LIMIT = 300;

export function declarePairs(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const pairs = group(root, 'pairs', 'sync pairs: their state, and what is to be done with them');
  examples(
    pairs,
    'pairs',
    'pairs show pacs-to-cama',
    'pairs pause pacs-to-cama',
    'pairs resync pacs-to-cama --table pacs.property --wait',
  );
  gatewayCommand(pairs, 'list', 'all pairs with their state', true)
    .addOption(new Option('--state <state>', 'only those in this state').choices(pairStates))
    .option('--system <system>', 'only those of this source or target')
    .action(async (options: Common & { state?: string; system?: string }) => {
      const { pairs: list } = await import('../commands/pairs.ts');
      const { state, system } = options;
      await run(options, (client, asJson) => list(client, terminal, asJson, { state, system }));
    });
  gatewayCommand(pairs, 'show', 'one pair: tables, slot, what is wrong and what to do about it')
    .addArgument(pairArgument())
    .action(async (pair: string, options: Common) => {
      const { showPair } = await import('../commands/pairs.ts');
      await run(options, (client, asJson) => showPair(client, terminal, asJson, pair));
    });
  for (const [verb, what] of [
    ['start', 'has the pair run: loaded first if it never was, then streaming'],
    ['pause', 'has it finish what is in hand and rest; changes wait'],
    ['resume', 'has it run again; one that has failed is tried again'],
    ['approve', 'lets the schema change through that the pair waits with'],
  ] as const) {
    gatewayCommand(pairs, verb, what)
      .addArgument(pairArgument())
      .action(async (pair: string, options: Common) => {
        const { steerPair } = await import('../commands/pairs.ts');
        await run(options, (client, asJson) => steerPair(client, terminal, asJson, { pair, verb }));
      });
  }
  gatewayCommand(pairs, 'resync', 'loads tables anew while the pair streams on; prints the id of the operation')
    .addArgument(pairArgument())
    .option(
      '--table <table>',
      'this source table, schema.table; may be given several times; all when left out',
      several,
      [],
    )
    .option('--wait', 'shows the operation until it ends')
    .addOption(timeoutOption('with --wait: ends with 5 when it takes longer'))
    .action(async (pair: string, options: Common & { table: string[]; wait?: boolean; timeout?: number }) => {
      const { resyncPair } = await import('../commands/pairs.ts');
      const { table: tables, wait = false, timeout: timeoutS } = options;
      await run(options, (client, asJson) => resyncPair(client, terminal, asJson, { pair, tables, wait, timeoutS }));
    });
  declareFence(pairs, terminal, run);
  declareCheck(pairs, terminal);
  gatewayCommand(pairs, 'delete', 'removes the pair and what it left at the source; rows at the target stay')
    .addArgument(pairArgument())
    .option('--force', 'leave what is at an end that cannot be reached')
    .addOption(yesOption())
    .action(async (pair: string, options: Common & { force?: boolean; yes?: boolean }) => {
      const { deletePair } = await import('../commands/pairs.ts');
      const { force = false, yes = false } = options;
      await run(options, (client, asJson) => deletePair(client, terminal, asJson, { pair, force, yes }));
    });
}

/** Both as `pairs fence` and, for scripts, as `fence`. */
export function declareFence(parent: Command, terminal: Terminal, run: Run = runAgainst(terminal)): void {
  examples(
    gatewayCommand(
      parent,
      'fence',
      'waits until the target has everything that was committed at the source before the call; prints its position',
    )
      .addArgument(pairArgument())
      .option('--timeout <seconds>', 'ends with 5 when it takes longer', whole(1, FENCE_LIMIT), 30)
      .action(async (pair: string, options: Common & { timeout: number }) => {
        const { fence } = await import('../commands/pairs.ts');
        const wait = { pair, timeoutS: options.timeout };
        await run(options, (client, asJson) => fence(client, terminal, asJson, wait));
      }),
    'fence pacs-to-cama --timeout 120 && run-the-report',
  );
}

/** Both as `pairs check` and as `check`. */
export function declareCheck(parent: Command, terminal: Terminal): void {
  examples(
    gatewayCommand(parent, 'check', 'what would become of the pair in a file (JSON or YAML), without making it')
      .addArgument(new Argument('<pair file>', 'as POST /api/sync-pairs takes it'))
      .option('--no-proof', "without trying boundary values of every column's type at the target")
      .action(async (file: string, options: Common & { proof: boolean }) => {
        const { check } = await import('../commands/check.ts');
        const { openClient } = await import('../commands/gateway-options.ts');
        const asJson = options.json ?? false;
        // The file's form is looked at first, and needs no gateway.
        await telling(terminal, asJson, () =>
          check(file, () => openClient(options, process.env, terminal), terminal, asJson, options),
        );
      }),
    'check pair.yaml',
  );
}

export function declareSync(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const sync = examples(
    gatewayCommand(
      root,
      'sync',
      'runs an operation of a pair and shows its progress; it goes on when this command is interrupted',
    )
      .addArgument(
        new Argument('<type>', 'full: all tables anew; incremental: what is new').choices(['full', 'incremental']),
      )
      .addArgument(pairArgument())
      .option('--no-wait', 'only begin it, and print its id')
      .addOption(timeoutOption('ends with 5 when it takes longer'))
      .action(
        async (type: 'full' | 'incremental', pair: string, options: Common & { wait: boolean; timeout?: number }) => {
          const { sync: begin } = await import('../commands/sync.ts');
          const wish = { type, pair, wait: options.wait, timeoutS: options.timeout };
          await run(options, (client, asJson) => begin(client, terminal, asJson, wish));
        },
      ),
    'sync incremental pacs-to-cama',
  );
  note(
    sync,
    'Ends with 0 once it is completed, or begun with --no-wait; with 1 when it has failed, was stopped or cancelled.',
  );
}
