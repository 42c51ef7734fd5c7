import { CommanderError } from 'commander';
import { main } from '#services/kernel/lifecycle.ts';
import { exitCodes } from './exit-codes.ts';
import { processTerminal, type Terminal } from './output.ts';
import { createProgram } from './program.ts';

/** Runs the command line and sets the process's exit code. */
export async function runCli(args: readonly string[], terminal: Terminal = processTerminal): Promise<void> {
  await main(async () => {
    try {
      await createProgram(terminal).parseAsync([...args], { from: 'user' });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      // Help and version are no mistakes.
      process.exitCode = error.exitCode === 0 ? exitCodes.OK : exitCodes.USAGE;
    }
  });
}
