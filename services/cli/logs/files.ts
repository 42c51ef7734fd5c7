import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TerraFusionError } from '#schemas/errors.ts';
import { parseLogFileName } from '#services/kernel/log-file.ts';
import { parseLine, type LogLine } from './lines.ts';

export interface LogFile {
  readonly path: string;
  readonly process: string;
  readonly day: string;
}

export interface FileFilter {
  /** ms since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly processes: readonly string[];
}

const DAY = 24 * 3600_000;

/** The log files in a folder that may hold what is wanted, the oldest first. @throws {TerraFusionError} CONFIG_INVALID */
export async function logFiles(folder: string, { since, until, processes }: FileFilter): Promise<LogFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new TerraFusionError('CONFIG_INVALID', `LOG_FOLDER: ${folder} cannot be read: ${why}`, { cause });
  }
  return names
    .flatMap((name) => {
      const parsed = parseLogFileName(name);
      if (!parsed || (processes.length > 0 && !processes.includes(parsed.process))) return [];
      const begins = Date.parse(`${parsed.day}T00:00:00Z`);
      // A day to spare on both sides: earlier versions named files by the local day.
      const misses =
        (since !== undefined && begins + 2 * DAY < since) || (until !== undefined && begins - DAY >= until);
      return misses ? [] : [{ path: join(folder, name), ...parsed }];
    })
    .toSorted((a, b) => (a.day + a.process < b.day + b.process ? -1 : 1));
}

/** A file that is read line by line, and later from where it was left. */
export class Tail {
  readonly #path: string;
  #offset = 0;
  /** Lines that could not be read: cut off by a kill or a full disk. */
  broken = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whole lines since the last call. A last line without its end is left for the next one. */
  async *lines(): AsyncGenerator<LogLine> {
    const end = await this.#wholeUpTo();
    if (end <= this.#offset) return;
    const from = this.#offset;
    this.#offset = end;
    const input = createReadStream(this.#path, { start: from, end: end - 1 });
    try {
      for await (const text of createInterface({ input, crlfDelay: Infinity })) {
        if (text === '') continue;
        const line = parseLine(text);
        if (line) yield line;
        else this.broken += 1;
      }
    } finally {
      input.destroy();
    }
  }

  /** Where the last whole line ends. A file that has become shorter was begun anew. */
  async #wholeUpTo(): Promise<number> {
    const size = (await stat(this.#path).catch(() => undefined))?.size ?? 0;
    if (size < this.#offset) this.#offset = 0;
    let end = size;
    while (end > this.#offset) {
      const start = Math.max(this.#offset, end - 64 * 1024);
      const last = (await read(this.#path, start, end)).lastIndexOf(0x0a);
      if (last !== -1) return start + last + 1;
      end = start;
    }
    return this.#offset;
  }
}

async function read(path: string, start: number, end: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(path, { start, end: end - 1 })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Lines of several files as one, by time; of each only the next line is held. */
export async function* merged(tails: readonly Tail[]): AsyncGenerator<LogLine> {
  const heads: { line: LogLine; rest: AsyncGenerator<LogLine> }[] = [];
  for (const tail of tails) {
    const rest = tail.lines();
    const first = await rest.next();
    if (!first.done) heads.push({ line: first.value, rest });
  }
  while (heads.length > 0) {
    let earliest = 0;
    for (let index = 1; index < heads.length; index += 1)
      if (heads[index]!.line.at < heads[earliest]!.line.at) earliest = index;
    const head = heads[earliest]!;
    yield head.line;
    const next = await head.rest.next();
    if (next.done) heads.splice(earliest, 1);
    else head.line = next.value;
  }
}
