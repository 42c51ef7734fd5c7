import { Argument, Option, type Command } from 'commander';
import { operationStates, operationTypes } from '#schemas/http/operations.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, group, limitOption, moment, runAgainst, timeoutOption } from './common.ts';

type Common = GatewayCommandOptions;
const idArgument = (): Argument => new Argument('<id>', 'of the operation');

interface ListOptions extends Common {
  readonly pair?: string;
  readonly type?: string;
  readonly state?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
}

export function declareOperations(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const operations = group(root, 'operations', 'sync operations: what has run and what runs');
  examples(operations, 'operations --pair pacs-to-cama', 'operations follow 0198a1f3-0d52-7b0e-8a44-3c1f5e2d9b70');
  gatewayCommand(operations, 'list', 'the latest operations', true)
    .option('--pair <pair>', 'of this pair only')
    .addOption(new Option('--type <type>', 'of this type only').choices(operationTypes))
    .addOption(new Option('--state <state>', 'in this state only').choices(operationStates))
    .option('--since <time>', 'begun since then: a time, or how long ago (2h)', (text) => moment(text))
    .option('--until <time>', 'begun before then', (text) => moment(text))
    .addOption(limitOption())
    .action(async ({ pair, type, state, since, until, ...options }: ListOptions) => {
      const { operations: list } = await import('../commands/operations.ts');
      const wish = { filters: { pair, type, state, since, until }, limit: options.limit };
      await run(options, (client, asJson) => list(client, terminal, asJson, wish));
    });
  gatewayCommand(operations, 'show', 'one operation')
    .addArgument(idArgument())
    .action(async (id: string, options: Common) => {
      const { showOperation } = await import('../commands/operations.ts');
      await run(options, (client, asJson) => showOperation(client, terminal, asJson, id));
    });
  gatewayCommand(
    operations,
    'follow',
    'shows how an operation goes on until it ends; ends with 1 when it did not end well',
  )
    .addArgument(idArgument())
    .addOption(timeoutOption('ends with 5 when it takes longer'))
    .action(async (id: string, options: Common & { timeout?: number }) => {
      const { followOperation } = await import('../commands/operations.ts');
      const wait = { timeoutS: options.timeout };
      await run(options, (client, asJson) => followOperation(client, terminal, asJson, id, wait));
    });
  for (const [verb, what] of [
    ['stop', 'has it stop at a checkpoint, from which it can be resumed'],
    ['resume', 'has a stopped operation go on; one that has failed is tried again'],
    ['cancel', 'ends a load of tables beside the stream'],
  ] as const) {
    gatewayCommand(operations, verb, what)
      .addArgument(idArgument())
      .action(async (id: string, options: Common) => {
        const { steerOperation } = await import('../commands/operations.ts');
        await run(options, (client, asJson) => steerOperation(client, terminal, asJson, { id, verb }));
      });
  }
}
