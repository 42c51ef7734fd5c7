import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the log: `<process>.<day>.log`; earlier versions put a number between day and "log". */
const pattern = /^(.+)\.(\d{4}-\d{2}-\d{2})(?:\.\d+)?\.log$/;

export interface LogFileName {
  readonly process: string;
  /** "2026-01-31", in UTC as everything in the lines. */
  readonly day: string;
}

/** undefined: no log file of ours. */
export function parseLogFileName(file: string): LogFileName | undefined {
  const match = pattern.exec(file);
  return match ? { process: match[1]!, day: match[2]! } : undefined;
}

export interface DailyFileOptions {
  readonly folder: string;
  /** The process. Several of one name may write at the same time. */
  readonly name: string;
  /** Days that are kept, today's included. */
  readonly days: number;
  /** ms since 1970. */
  readonly now?: () => number;
  /** A file could not be written; told once for each trouble, not for each line. */
  readonly onTrouble?: (error: Error) => void;
}

const DAY = 24 * 3600_000;
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/**
 * Lines in one file a day, the latest days kept. The day is looked at with each line, so there is no timer that could be early, late or
 * asleep; a line is one write to a file opened for appending, so processes of the same name share it without cutting each other's lines.
 * What cannot be written is told and given up: a full disk must not end the process that could tell about it.
 */
export class DailyFile {
  readonly #options: DailyFileOptions;
  #file: number | undefined;
  #path = '';
  /** From then on the open file is yesterday's. */
  #until = 0;
  /** When the open file was last seen to be still there. */
  #seenAt = 0;
  /** Whether the last line was cut off: the next one begins on a line of its own. */
  #torn = false;
  #inTrouble = false;

  /** @throws when the folder cannot be made, or no file be written in it */
  constructor(options: DailyFileOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    this.#open(this.#now());
  }

  write(line: string): void {
    try {
      const now = this.#now();
      if (now >= this.#until || now < this.#until - DAY || this.#isGone(now)) this.#open(now);
      this.#append(line);
      this.#inTrouble = false;
    } catch (error) {
      if (!this.#inTrouble) this.#options.onTrouble?.(error as Error);
      this.#inTrouble = true;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #open(now: number): void {
    const { folder, name, days } = this.#options;
    this.close();
    const today = dayOf(now);
    this.#path = join(folder, `${name}.${today}.log`);
    this.#until = Date.parse(`${today}T00:00:00Z`) + DAY;
    mkdirSync(folder, { recursive: true });
    this.#file = openSync(this.#path, 'a', 0o640);
    this.#seenAt = now;
    removeOldLogs(folder, name, days, today);
  }

  /** Whether somebody has removed or moved the file under us, as tools that tidy up do; looked at every few seconds. */
  #isGone(now: number): boolean {
    if (this.#file === undefined) return true;
    if (Math.abs(now - this.#seenAt) < 5000) return false;
    this.#seenAt = now;
    const there = statSync(this.#path, { throwIfNoEntry: false });
    return there === undefined || there.ino !== fstatSync(this.#file).ino;
  }

  #append(line: string): void {
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#file!, bytes, written);
      this.#torn = false;
    } catch (error) {
      this.#torn ||= written > 0;
      throw error;
    }
  }
}

/**
 * Removes the log files of `name` in `folder` except those of the `days` latest days there are, `today` being one of them. A folder or a
 * file that is not there is no error: another process of the same name may be tidying up too.
 */
export function removeOldLogs(folder: string, name: string, days: number, today: string): void {
  const files = readdirSync(folder).flatMap((file) => {
    const parsed = parseLogFileName(file);
    return parsed?.process === name ? [{ file, day: parsed.day }] : [];
  });
  const kept = new Set([...new Set([...files.map(({ day }) => day), today])].sort().slice(-days));
  for (const { file, day } of files) if (!kept.has(day) && day !== today) rmSync(join(folder, file), { force: true });
}
