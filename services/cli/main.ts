import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander';
import { readFileSync } from 'node:fs';
import { exitCodes, main } from '#services/kernel/lifecycle.ts';
import { openClient, withGateway, type GatewayCommandOptions } from './commands/gateway-options.ts';
import { processTerminal, type Terminal } from './output.ts';

const EXIT_CODES = `
Exit codes:
  ${exitCodes.OK}    done, or stopped as asked
  ${exitCodes.FAILED}    failed, for the reason in the last line; or what was looked at is not as it should be
  ${exitCodes.USAGE}   wrong arguments
  ${exitCodes.DEFECT}   a defect of this program
  ${exitCodes.CONFIG}   wrong settings
  ${exitCodes.INTERRUPTED}  a second signal cut the stopping short

Settings are environment variables; \`terrafusion config check --all\` lists them.`;

/** Runs the command line and sets the process's exit code. Parts are imported when their command is called: a broken one breaks only itself. */
export async function runCli(args: readonly string[], terminal: Terminal = processTerminal): Promise<void> {
  await main(async () => {
    try {
      await program(terminal).parseAsync([...args], { from: 'user' });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      // Help and version are no mistakes.
      process.exitCode = error.exitCode === 0 ? exitCodes.OK : exitCodes.USAGE;
    }
  });
}

function program(terminal: Terminal): Command {
  const root = new Command('terrafusion')
    .description(
      'Keeps county systems in step: reads every committed change and writes it, exactly once, where it belongs.',
    )
    .version(version())
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text);
      },
      writeErr: (text) => {
        terminal.err(text);
      },
    })
    .showHelpAfterError('(terrafusion --help lists the commands)')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();

  root
    .command('up')
    .description('everything on this machine: databases, bus, gateway, sync-service and, on first start, a demo county')
    .option('--no-demo', 'without the demo county')
    .option('--json', 'events and figures as JSON lines, for scripts')
    .action(async (options: { demo: boolean; json?: boolean }) => {
      const { up } = await import('./up/up.ts');
      await up({ demo: options.demo, json: options.json ?? false, terminal });
    });

  root
    .command('gateway')
    .description('the gateway: API and dashboard; starts and watches a sync-service unless SYNC_SERVICE_URL names one')
    .action(async () => {
      const { runGateway } = await import('./commands/processes.ts');
      await runGateway();
    });
  root
    .command('sync-service')
    .description('the sync-service: runs the pairs')
    .action(async () => {
      const { runSyncService } = await import('./commands/processes.ts');
      await runSyncService();
    });
  for (const [role, what] of [
    ['reader', 'reads the sources into their topics'],
    ['stream-processor', 'maps, filters and checks what was read'],
    ['writer', 'writes to the targets'],
  ] as const) {
    root
      .command(role)
      .description(`one stage as a process of its own, with Kafka: ${what}`)
      .action(async () => {
        const { runStage } = await import('./commands/processes.ts');
        await runStage(role);
      });
  }

  withGateway(root.command('check'))
    .description('what would become of the pair in a file (JSON or YAML), without making it')
    .argument('<pair file>')
    .option('--no-proof', "without trying boundary values of every column's type at the target")
    .action(async (file: string, options: GatewayCommandOptions & { proof: boolean }) => {
      const { check } = await import('./commands/check.ts');
      process.exitCode = await check(file, () => openClient(options), terminal, options.json ?? false, options);
    });
  withGateway(root.command('pairs'))
    .description('all pairs with their state')
    .action(async (options: GatewayCommandOptions) => {
      const { pairs } = await import('./commands/pairs.ts');
      process.exitCode = await pairs(await openClient(options), terminal, options.json ?? false);
    });
  withGateway(root.command('operations'))
    .description('the latest operations')
    .option('--pair <pair>', 'of this pair only')
    .option('--limit <n>', 'how many', wholeNumber, 20)
    .action(async (options: GatewayCommandOptions & { pair?: string; limit: number }) => {
      const { operations } = await import('./commands/operations.ts');
      process.exitCode = await operations(await openClient(options), terminal, options.json ?? false, options);
    });
  withGateway(root.command('sync'))
    .description('runs an operation of a pair and shows its progress; it goes on when this command is interrupted')
    .addArgument(
      new Argument('<type>', 'full: all tables anew; incremental: what is new').choices(['full', 'incremental']),
    )
    .argument('<pair>', 'its name or id')
    .option('--no-wait', 'only begin it, and print its id')
    .addHelpText(
      'after',
      '\nExit code 0 once it is completed, or begun with --no-wait; 1 when it has failed, was stopped or cancelled.',
    )
    .action(async (type: 'full' | 'incremental', pair: string, options: GatewayCommandOptions & { wait: boolean }) => {
      const { sync } = await import('./commands/sync.ts');
      const wish = { type, pair, wait: options.wait };
      process.exitCode = await sync(await openClient(options), terminal, options.json ?? false, wish);
    });
  withGateway(root.command('status'))
    .description('state of every component and pair')
    .action(async (options: GatewayCommandOptions) => {
      const { status } = await import('./commands/status.ts');
      process.exitCode = await status(await openClient(options), terminal, options.json ?? false);
    });

  root
    .command('config')
    .description('the settings')
    .command('check')
    .description('the effective settings and where each comes from; secrets are masked')
    .option('--all', 'also those that have their defaults')
    .option('--json', 'as JSON')
    .action(async (options: { all?: boolean; json?: boolean }) => {
      const { configCheck } = await import('./commands/config.ts');
      process.exitCode = configCheck(terminal, { asJson: options.json ?? false, withDefaults: options.all ?? false });
    });

  return root;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000) throw new InvalidArgumentError('a number from 1 to 1000');
  return value;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
