import type { Command } from 'commander';
import type { Terminal } from '../output.ts';
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
  root
    .command('gateway')
    .description('the gateway: API and dashboard; starts and watches a sync-service unless SYNC_SERVICE_URL names one')
    .action(async () => {
      const { runGateway } = await import('../commands/processes.ts');
      await runGateway();
    });
  root
    .command('sync-service')
    .description('the sync-service: runs the pairs')
    .action(async () => {
      const { runSyncService } = await import('../commands/processes.ts');
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
        const { runStage } = await import('../commands/processes.ts');
        await runStage(role);
      });
  }
}
