import { Argument, Option, type Command } from 'commander';
import { roles } from '#schemas/http/common.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, group, moment, runAgainst, yesOption } from './common.ts';

type Common = GatewayCommandOptions;

export function declareKeys(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const keys = group(root, 'keys', 'API keys');
  gatewayCommand(keys, 'list', 'all keys, never with what opens', true)
    .addOption(new Option('--role <role>', 'of this role only').choices(roles))
    .action(async ({ role, ...options }: Common & { role?: string }) => {
      const { keys: list } = await import('../commands/keys.ts');
      await run(options, (client, asJson) => list(client, terminal, asJson, { role }));
    });
  examples(
    gatewayCommand(keys, 'create', 'makes a key and prints it, this once')
      .argument('<name>', 'who or what uses it; stands in the audit trail')
      .addOption(new Option('--role <role>', 'what it may do').choices(roles).makeOptionMandatory())
      .option('--expires <time>', 'from then on it opens nothing', (text) => moment(text))
      .option('--out <file>', 'into this new file, which only its owner can read, instead of the terminal')
      .action(async (name: string, options: Common & { role: string; expires?: string; out?: string }) => {
        const { createKey } = await import('../commands/keys.ts');
        const wish = { name, role: options.role, expiresAt: options.expires, out: options.out };
        await run(options, (client, asJson) => createKey(client, terminal, asJson, wish));
      }),
    'keys create "nightly report" --role viewer --expires 2027-01-01',
    'keys create deploy --role editor --out deploy.key',
  );
  gatewayCommand(keys, 'revoke', 'has a key open nothing from now on')
    .addArgument(new Argument('<id>', 'of the key: the part between the two underscores'))
    .addOption(yesOption())
    .action(async (id: string, options: Common & { yes?: boolean }) => {
      const { revokeKey } = await import('../commands/keys.ts');
      await run(options, (client, asJson) => revokeKey(client, terminal, asJson, { id, yes: options.yes ?? false }));
    });
}
