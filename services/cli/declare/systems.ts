import { Argument, Option, type Command } from 'commander';
import { environments, systemKinds } from '#schemas/systems.ts';
import type { AddOptions } from '../commands/systems.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, group, runAgainst, several, yesOption } from './common.ts';

type Common = GatewayCommandOptions;
const systemArgument = (): Argument => new Argument('<system>', 'its name or id');

interface AddFlags extends Common {
  readonly kind?: string;
  readonly environment?: string;
  readonly connector: string;
  readonly passwordFile?: string;
  readonly passwordStdin?: boolean;
  readonly passwordFrom?: string;
  readonly set: string[];
}

export function declareSystems(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const systems = group(root, 'systems', 'registered sources and targets');
  gatewayCommand(systems, 'list', 'all systems', true)
    .addOption(new Option('--kind <kind>', 'of this kind only').choices(systemKinds))
    .addOption(new Option('--environment <environment>', 'of this environment only').choices(environments))
    .action(async ({ kind, environment, ...options }: Common & { kind?: string; environment?: string }) => {
      const { systems: list } = await import('../commands/systems.ts');
      await run(options, (client, asJson) => list(client, terminal, asJson, { kind, environment }));
    });
  gatewayCommand(systems, 'show', 'one system; its secrets are masked')
    .addArgument(systemArgument())
    .action(async (system: string, options: Common) => {
      const { showSystem } = await import('../commands/systems.ts');
      await run(options, (client, asJson) => showSystem(client, terminal, asJson, system));
    });
  examples(
    gatewayCommand(systems, 'add', 'registers a system')
      .argument('<name>', 'lower case letters, digits and dashes')
      .argument('<address>', 'postgresql://user@host:port/database')
      .addOption(new Option('--kind <kind>', 'what it is to the county').choices(systemKinds))
      .addOption(new Option('--environment <environment>', 'production unless told').choices(environments))
      .option('--connector <connector>', 'the kind of place', 'postgres')
      .option('--password-file <file>', 'a file that the product itself reads at every connect')
      .option('--password-from <file>', 'a file that is read now; the password is kept encrypted')
      .option('--password-stdin', 'the password from the standard input, or asked for; it is kept encrypted')
      .option('--set <name=value>', 'another field of the connection; may be given several times', several, [])
      .action(async (name: string, address: string, options: AddFlags) => {
        const { addSystem } = await import('../commands/systems.ts');
        await run(options, (client, asJson) => addSystem(client, terminal, asJson, addOptions(name, address, options)));
      }),
    'systems add our-pacs postgresql://sync@10.0.0.5:5432/pacs --kind PACS --password-file /run/secrets/pacs',
    'systems add our-cama postgresql://sync@10.0.0.6/cama --kind CAMA --password-stdin --set ssl_mode=require',
  );
  gatewayCommand(
    systems,
    'check',
    'connects, and names every precondition with its fix; ends with 1 when one is not met',
  )
    .addArgument(systemArgument())
    .addOption(new Option('--as <role>', 'in which role').choices(['source', 'target', 'both']).default('both'))
    .action(async (system: string, options: Common & { as: string }) => {
      const { checkSystem } = await import('../commands/systems.ts');
      const wish = { system, as: options.as };
      await run(options, (client, asJson) => checkSystem(client, terminal, asJson, wish));
    });
  gatewayCommand(systems, 'remove', 'removes a system that no pair uses')
    .addArgument(systemArgument())
    .addOption(yesOption())
    .action(async (system: string, options: Common & { yes?: boolean }) => {
      const { removeSystem } = await import('../commands/systems.ts');
      const wish = { system, yes: options.yes ?? false };
      await run(options, (client, asJson) => removeSystem(client, terminal, asJson, wish));
    });
}

function addOptions(name: string, address: string, flags: AddFlags): AddOptions {
  const { kind, environment, connector, passwordFile, passwordStdin, passwordFrom, set: settings } = flags;
  const password =
    passwordFrom !== undefined
      ? ({ from: 'file', file: passwordFrom } as const)
      : passwordStdin
        ? ({ from: 'stdin' } as const)
        : undefined;
  return { name, address, kind, environment, connector, passwordFile, password, settings };
}
