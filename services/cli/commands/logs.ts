import type { Clock } from '#connectors/contract/context.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { prettyLine } from '#services/kernel/log-pretty.ts';
import { exitCodes } from '../exit-codes.ts';
import { logFiles, merged, Tail, type FileFilter } from '../logs/files.ts';
import { LineSieve, type LineFilter, type LogLine } from '../logs/lines.ts';
import { counted, paint, type Colour, type Terminal } from '../output.ts';
import { printable } from '../text.ts';

export interface LogsOptions {
  readonly folder: string;
  readonly filter: LineFilter;
  readonly processes: readonly string[];
  /** Only the last so many; all when left out. */
  readonly last: number | undefined;
  /** Goes on with what comes, until it is aborted. */
  readonly follow: AbortSignal | undefined;
}

/** How often new lines are looked for, in ms. */
const LOOK_EVERY = 300;

/** `terrafusion logs`: the log files of all processes on this machine as one, by time. */
export async function logs(
  terminal: Terminal,
  asJson: boolean,
  { folder, filter, processes, last, follow }: LogsOptions,
  clock: Clock = systemClock,
): Promise<number> {
  const files: FileFilter = { since: filter.since, until: filter.until, processes };
  const sieve = new LineSieve(filter);
  const show = (line: LogLine): void => {
    terminal.out(asJson ? `${line.text}\n` : lineText(line, terminal));
  };
  const tails = new Map<string, Tail>();
  const look = async function* (): AsyncGenerator<LogLine> {
    for (const { path } of await logFiles(folder, files)) if (!tails.has(path)) tails.set(path, new Tail(path));
    for await (const line of merged([...tails.values()])) if (sieve.wants(line)) yield line;
  };

  const kept: LogLine[] = [];
  for await (const line of look()) {
    if (last === undefined) show(line);
    else {
      kept.push(line);
      // Not one by one: an array is moved as a whole.
      if (kept.length >= last * 2 + 1000) kept.splice(0, kept.length - last);
    }
  }
  if (last !== undefined) kept.slice(-last).forEach(show);
  while (follow !== undefined && !follow.aborted) {
    await clock.sleep(LOOK_EVERY, follow).catch(() => undefined);
    for await (const line of look()) show(line);
  }
  const broken = [...tails.values()].reduce((sum, tail) => sum + tail.broken, 0);
  if (broken > 0) terminal.err(`${counted(broken, 'line')} could not be read.\n`);
  return exitCodes.OK;
}

const colours: Readonly<Record<string, Colour>> = { debug: 'gray', warn: 'yellow', error: 'red', fatal: 'red' };

function lineText({ text, fields, level }: LogLine, terminal: Terminal): string {
  const day = String(fields['time']).slice(0, 10);
  return `${paint(terminal, colours[level], `${day} ${printable(prettyLine(text).trimEnd())}`)}\n`;
}
