import { main } from '#services/kernel/lifecycle.ts';
import { exitCodes } from './exit-codes.ts';
import { processTerminal, type Terminal } from './output.ts';
import { isProcess, processes } from './processes.ts';

/** Runs the command line and sets the process's exit code. */
export async function runCli(args: readonly string[], terminal: Terminal = processTerminal): Promise<void> {
  const [name = '', ...rest] = args;
  // Machines start them, after kills too: they do not wait for the tree of all commands.
  await main(rest.length === 0 && isProcess(name) ? processes[name].run : () => runProgram(args, terminal));
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
