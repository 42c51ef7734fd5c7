import { Argument, type Command } from 'commander';
import { canSwitchOff, healingActions } from '#schemas/healing.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, group, runAgainst, yesOption } from './common.ts';

const actionArgument = (): Argument =>
  new Argument('<action>', 'as the list names it').choices(healingActions.filter(canSwitchOff));

export function declareSelfHealing(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const healing = group(root, 'self-healing', 'what the product does by itself when something goes wrong');
  examples(healing, 'self-healing', 'self-healing show restart_stage', 'self-healing off restart_stage');
  gatewayCommand(
    healing,
    'list',
    'every action: on or off, how often it was done, and about what the last time',
    true,
  ).action(async (options: GatewayCommandOptions) => {
    const { selfHealing } = await import('../commands/self-healing.ts');
    await run(options, (client, asJson) => selfHealing(client, terminal, asJson));
  });
  gatewayCommand(healing, 'show', 'one action: what it does, and why the last time')
    .addArgument(new Argument('<action>', 'as the list names it').choices(healingActions))
    .action(async (action: string, options: GatewayCommandOptions) => {
      const { showSelfHealing } = await import('../commands/self-healing.ts');
      await run(options, (client, asJson) => showSelfHealing(client, terminal, asJson, action));
    });
  gatewayCommand(healing, 'off', 'switches an action off: it is not done any more, from now on')
    .addArgument(actionArgument())
    .addOption(yesOption())
    .action(async (action: string, options: GatewayCommandOptions & { yes?: boolean }) => {
      const { switchSelfHealing } = await import('../commands/self-healing.ts');
      const wish = { action, enabled: false, yes: options.yes ?? false };
      await run(options, (client, asJson) => switchSelfHealing(client, terminal, asJson, wish));
    });
  gatewayCommand(healing, 'on', 'switches an action on again')
    .addArgument(actionArgument())
    .action(async (action: string, options: GatewayCommandOptions) => {
      const { switchSelfHealing } = await import('../commands/self-healing.ts');
      const wish = { action, enabled: true, yes: true };
      await run(options, (client, asJson) => switchSelfHealing(client, terminal, asJson, wish));
    });
}
