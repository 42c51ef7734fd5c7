import type { Command } from 'commander';
import type { Terminal } from '../output.ts';
import { processes } from '../processes.ts';
import { examples } from './common.ts';

/** What runs until it is told to stop. */
export function declareProcesses(root: Command, terminal: Terminal): void {
  examples(
    root
      .command('up')
      .description(
        'everything on this machine: databases, bus, gateway, sync-service and, on first start, a demo county',
      )
      .option('--no-demo', 'without the demo county')
      .option('--json', 'events and figures as JSON lines, for scripts')
      .action(async (options: { demo: boolean; json?: boolean }) => {
        const { up } = await import('../up/up.ts');
        await up({ demo: options.demo, json: options.json ?? false, terminal });
      }),
    'up',
    'up --no-demo',
  );
  for (const [name, { what, run }] of Object.entries(processes)) root.command(name).description(what).action(run);
}
