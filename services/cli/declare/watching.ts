import { Option, type Command } from 'commander';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, group, limitOption, moment, runAgainst, whole } from './common.ts';
import { untilSignal } from './logs.ts';

export function declareStatus(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  examples(
    gatewayCommand(root, 'status', 'state of every component and pair; ends with 1 when the product is down')
      .option('--watch', 'again and again, on a terminal in one place, until Ctrl-C')
      .option('--interval <seconds>', 'with --watch: how often', whole(1, 3600), 2)
      .action(async (options: GatewayCommandOptions & { watch?: boolean; interval: number }) => {
        const { status, watchStatus } = await import('../commands/status.ts');
        await run(options, async (client, asJson) => {
          if (options.watch !== true) return await status(client, terminal, asJson);
          return await watchStatus(client, terminal, asJson, { everyS: options.interval, signal: untilSignal() });
        });
      }),
    'status',
    'status --watch',
    'status --json | jq \'.pairs[] | select(.state == "failed") | .name\'',
  );
}

interface AuditFlags extends GatewayCommandOptions {
  readonly since?: string;
  readonly until?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly entity?: string;
  readonly entityId?: string;
  readonly outcome?: string;
  readonly text?: string;
  readonly limit: number;
}

export function declareAudit(root: Command, terminal: Terminal): void {
  const run = runAgainst(terminal);
  const audit = group(root, 'audit', 'the audit trail');
  examples(audit, 'audit --since 24h --actor clerk', 'audit verify');
  gatewayCommand(audit, 'list', 'who did what, the latest first', true)
    .option('--since <time>', 'a time, or how long ago (2h)', (text) => moment(text))
    .option('--until <time>', 'a time, or how long ago', (text) => moment(text))
    .option('--actor <name>', 'by this key or process')
    .option('--action <action>', 'such as sync_pair.pause')
    .option('--entity <kind>', 'such as sync_pair')
    .option('--entity-id <id>', 'of this thing')
    .addOption(new Option('--outcome <outcome>').choices(['success', 'failure']))
    .option('--text <text>', 'anywhere in the entry')
    .addOption(limitOption())
    .action(async (flags: AuditFlags) => {
      const { audit: list } = await import('../commands/audit.ts');
      const { since, until, actor, action, entity, entityId, outcome, text, limit } = flags;
      const filters = { since, until, actor, action, entity, entity_id: entityId, outcome, text };
      await run(flags, (client, asJson) => list(client, terminal, asJson, { filters, limit }));
    });
  gatewayCommand(
    audit,
    'verify',
    'walks the whole chain; ends with 1 when an entry was changed, put in or taken out',
  ).action(async (options: GatewayCommandOptions) => {
    const { verifyAudit } = await import('../commands/audit.ts');
    await run(options, (client, asJson) => verifyAudit(client, terminal, asJson));
  });
}

export function declareConfig(root: Command, terminal: Terminal): void {
  group(root, 'config', 'the settings')
    .command('check')
    .description('the effective settings and where each comes from; secrets are masked')
    .option('--all', 'also those that have their defaults')
    .option('--json', 'as JSON')
    .action(async (options: { all?: boolean; json?: boolean }) => {
      const { configCheck } = await import('../commands/config.ts');
      process.exitCode = configCheck(terminal, { asJson: options.json ?? false, withDefaults: options.all ?? false });
    });
}
