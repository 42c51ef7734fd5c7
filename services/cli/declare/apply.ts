import { Option, type Command } from 'commander';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import { exitCodes } from '../exit-codes.ts';
import { telling } from '../failure.ts';
import type { Terminal } from '../output.ts';
import { examples, gatewayCommand, note, runAgainst, several } from './common.ts';

interface ApplyFlags extends GatewayCommandOptions {
  readonly dryRun?: boolean;
  readonly autoApprove?: boolean;
  readonly prune?: boolean;
  readonly secrets?: boolean;
}

interface ExportFlags extends GatewayCommandOptions {
  readonly format: 'yaml' | 'json';
  readonly out?: string;
  readonly force?: boolean;
  readonly pair: string[];
}

/** Systems and pairs as code. */
export function declareApply(root: Command, terminal: Terminal): void {
  const apply = examples(
    gatewayCommand(root, 'apply', 'makes systems and pairs as a file says: shows the plan, asks, does what is missing')
      .argument('<file>', 'YAML or JSON; - for the standard input')
      .option('--dry-run', `only the plan: ends with ${exitCodes.CHANGES} when there is something to change`)
      .option('-y, --auto-approve', 'without asking first')
      .option('--prune', 'also removes what the file does not name, of those kinds (systems, pairs) that it is about')
      .option('--secrets', 'also writes secrets that are there already: what they are now cannot be compared')
      .action(async (file: string, flags: ApplyFlags) => {
        const { apply: make } = await import('../commands/apply.ts');
        const { openClient } = await import('../commands/gateway-options.ts');
        const asJson = flags.json ?? false;
        const options = {
          file,
          dryRun: flags.dryRun ?? false,
          yes: flags.autoApprove ?? false,
          prune: flags.prune ?? false,
          secrets: flags.secrets ?? false,
        };
        await telling(terminal, asJson, () =>
          make(() => openClient(flags, process.env, terminal), terminal, asJson, options),
        );
      }),
    'apply county.yaml --dry-run',
    'apply county.yaml --auto-approve',
    'export | terrafusion apply - --dry-run --url https://standby:5000',
  );
  note(
    apply,
    '${NAME} in a connection is replaced by the environment variable NAME. Applying a file again changes nothing; after a failure it does\nwhat is missing. `terrafusion schema` prints what the file may hold, `terrafusion export` writes one.',
  );
  examples(
    gatewayCommand(root, 'export', 'writes systems and pairs as apply reads them; secrets become variables')
      .addOption(new Option('--format <format>', 'of the file').choices(['yaml', 'json']).default('yaml'))
      .option('--out <file>', 'into this new file instead of the terminal')
      .option('--force', 'with --out: also over a file that is there')
      .option('--pair <pair>', 'only this pair and its systems; may be given several times', several, [])
      .action(async (flags: ExportFlags) => {
        const { exportAll } = await import('../commands/export.ts');
        const { out, force = false, pair: pairs } = flags;
        const format = flags.json ? 'json' : flags.format;
        await runAgainst(terminal)(flags, (client) => exportAll(client, terminal, { format, out, force, pairs }));
      }),
    'export --out county.yaml',
    'export --pair pacs-to-cama',
  );
  root
    .command('schema')
    .description('the JSON Schema of the file that apply reads, for editors and checks')
    .action(async () => {
      const { applyFileSchema } = await import('../apply/json-schema.ts');
      terminal.out(`${JSON.stringify(await applyFileSchema(), null, 2)}\n`);
    });
}
