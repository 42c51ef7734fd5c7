import { main } from '#services/kernel/lifecycle.ts';
import { exitCodes } from './exit-codes.ts';
import { processTerminal, type Terminal } from './output.ts';

/** Commands that take no arguments and are started again by machines, after kills too: they do not wait for the tree of all commands. */
const processes: Readonly<Record<string, () => Promise<void>>> = {
  gateway: async () => (await import('./commands/processes.ts')).runGateway(),
  'sync-service': async () => (await import('./commands/processes.ts')).runSyncService(),
  reader: async () => (await import('./commands/processes.ts')).runStage('reader'),
  'stream-processor': async () => (await import('./commands/processes.ts')).runStage('stream-processor'),
  writer: async () => (await import('./commands/processes.ts')).runStage('writer'),
};

/** Runs the command line and sets the process's exit code. */
export async function runCli(args: readonly string[], terminal: Terminal = processTerminal): Promise<void> {
  const [name = '', ...rest] = args;
  const run = rest.length === 0 && Object.hasOwn(processes, name) ? processes[name] : undefined;
  await main(run ?? (() => runProgram(args, terminal)));
}

async function runProgram(args: readonly string[], terminal: Terminal): Promise<void> {
  const [{ CommanderError }, { createProgram }] = await Promise.all([import('commander'), import('./program.ts')]);
  try {
    await createProgram(terminal).parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are no mistakes.
    process.exitCode = error.exitCode === 0 ? exitCodes.OK : exitCodes.USAGE;
  }
}
