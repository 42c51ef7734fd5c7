import { runCli } from '#services/cli/main.ts';
import { RecordingTerminal } from '#test/unit/services/cli/recording-terminal.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what the caller takes it for
  json<T = Record<string, unknown>>(): T;
}

export interface RunOptions {
  /** Makes somebody sit in front of it. */
  readonly answers?: readonly string[];
  /** Standard input. */
  readonly input?: string;
  readonly isTty?: boolean;
  readonly columns?: number;
}

/** One run of the command line within this process, whose exit code stays its own. One at a time. */
export async function terrafusion(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const terminal = new RecordingTerminal(options);
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await runCli(args, terminal);
    const { stdout, stderr } = terminal;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
    const json = <T>(): T => JSON.parse(stdout) as T;
    return { code: process.exitCode, stdout, stderr, json };
  } finally {
    process.exitCode = before;
  }
}
