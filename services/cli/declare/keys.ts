import { Argument, Option, type Command } from 'commander';
import { roles } from '#schemas/http/common.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, group, moment, runAgainst, several, whole, yesOption } from './common.ts';

type Common = GatewayCommandOptions;
const idArgument = (): Argument => new Argument('<id>', 'of the key: the part between the two underscores');

interface CreateFlags extends Common {
  readonly role: string;
  readonly expires?: string;
  readonly system: string[];
  readonly out?: string;
}

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
      .option('--system <system>', 'only for this system; may be given several times; all when left out', several, [])
      .option('--out <file>', 'into this new file, which only its owner can read, instead of the terminal')
      .action(async (name: string, options: CreateFlags) => {
        const { createKey } = await import('../commands/keys.ts');
        const { role, expires: expiresAt, system: systems, out } = options;
        await run(options, (client, asJson) =>
          createKey(client, terminal, asJson, { name, role, expiresAt, systems, out }),
        );
      }),
    'keys create "nightly report" --role viewer --expires 2027-01-01',
    'keys create deploy --role editor --out deploy.key',
  );
  examples(
    gatewayCommand(keys, 'rotate', 'gives a key another secret and prints it, this once')
      .addArgument(idArgument())
      .option('--overlap <seconds>', 'so long the secret before still opens', whole(0, 30 * 86_400), 0)
      .option('--out <file>', 'into this new file, which only its owner can read, instead of the terminal')
      .action(async (id: string, options: Common & { overlap: number; out?: string }) => {
        const { rotateKey } = await import('../commands/keys.ts');
        const wish = { id, overlapS: options.overlap, out: options.out };
        await run(options, (client, asJson) => rotateKey(client, terminal, asJson, wish));
      }),
    'keys rotate bQ3kX9sLw2Za --overlap 3600 --out deploy.key',
  );
  gatewayCommand(keys, 'revoke', 'has a key open nothing from now on')
    .addArgument(idArgument())
    .addOption(yesOption())
    .action(async (id: string, options: Common & { yes?: boolean }) => {
      const { revokeKey } = await import('../commands/keys.ts');
      await run(options, (client, asJson) => revokeKey(client, terminal, asJson, { id, yes: options.yes ?? false }));
    });
}
