import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { cut, pad, printable, widthOf } from './text.ts';

/** Where a command writes: the terminal, or a buffer in tests. */
export interface Terminal {
  /** Answers: tables, JSON. */
  out(text: string): void;
  /** Everything that is said about the work. */
  err(text: string): void;
  /** Whether `out` goes to a person's terminal. */
  readonly isTty: boolean;
  /** Width of that terminal in characters. */
  readonly columns: number;
  /** Its height in lines. */
  readonly rows: number;
  /** Whether colours are wanted there: on a terminal, unless NO_COLOR is set. */
  readonly colours: boolean;
  /** Whether somebody can be asked. */
  readonly canAsk: boolean;
  /** Asks and waits for a line; undefined when there is none to come. `hidden` does not show what is typed. */
  ask(question: string, options?: { readonly hidden?: boolean }): Promise<string | undefined>;
  /** Everything that comes on the standard input. */
  readAll(): Promise<string>;
}

const WIDTH = 120;
const HEIGHT = 24;

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  get isTty() {
    return process.stdout.isTTY;
  },
  get columns() {
    return fromEnvironment('COLUMNS') ?? (process.stdout.isTTY ? process.stdout.columns : WIDTH);
  },
  get rows() {
    return fromEnvironment('LINES') ?? (process.stdout.isTTY ? process.stdout.rows : HEIGHT);
  },
  get colours() {
    const { NO_COLOR = '', TERM } = process.env;
    return process.stdout.isTTY && NO_COLOR === '' && TERM !== 'dumb';
  },
  get canAsk() {
    return process.stdin.isTTY && process.stderr.isTTY;
  },
  ask: askPerson,
  readAll: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  },
};

function fromEnvironment(name: string): number | undefined {
  const value = Number(process.env[name]);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}

/** The question goes to stderr: what is on stdout may be on its way into a file. */
async function askPerson(question: string, { hidden = false } = {}): Promise<string | undefined> {
  const silent = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  process.stderr.write(question);
  const lines = createInterface({
    input: process.stdin,
    output: hidden ? silent : process.stderr,
    terminal: hidden && process.stdin.isTTY,
  });
  try {
    return await new Promise((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => {
        resolve(undefined);
      });
      lines.once('SIGINT', () => {
        resolve(undefined);
      });
    });
  } finally {
    lines.close();
    if (hidden) process.stderr.write('\n');
  }
}

export type Colour = 'red' | 'yellow' | 'green' | 'gray' | 'bold' | 'cyan';

/** The text in a colour, where colours are wanted. Colour never tells what the words do not. */
export function paint({ colours }: Terminal, colour: Colour | undefined, text: string): string {
  return colours && colour !== undefined ? styleText(colour, text, { validateStream: false }) : text;
}

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Figures stand on the right. */
  readonly right?: boolean;
  /** May be cut when the terminal is too narrow; of several the widest first. */
  readonly flexible?: boolean;
  readonly colour?: (row: Row) => Colour | undefined;
}

/** Narrower than this no column is cut. */
const NARROWEST = 8;

/**
 * Rows under titles, in columns as wide as their widest value. Ends with a line break; empty for no rows. On a terminal flexible columns are
 * cut so that a row stays on its line; elsewhere everything is there.
 */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], terminal?: Terminal): string {
  if (rows.length === 0) return '';
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ value }) => printable(value(row)))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => widthOf(line[index]!))));
  if (terminal?.isTty) narrow(widths, columns, terminal.columns);
  const print = (line: string[], index: number): string =>
    line
      .map((text, column) => {
        const shown = pad(cut(text, widths[column]!), widths[column]!, columns[column]!.right ?? false);
        if (terminal === undefined) return shown;
        const colour = index === 0 ? 'gray' : columns[column]!.colour?.(rows[index - 1]!);
        return paint(terminal, shown.trim() === '' ? undefined : colour, shown);
      })
      .join('  ')
      .trimEnd();
  return `${cells.map(print).join('\n')}\n`;
}

function narrow(widths: number[], columns: readonly { readonly flexible?: boolean }[], available: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width + 2, -2);
  for (let over = total() - available; over > 0; over = total() - available) {
    const widest = columns.reduce<number | undefined>(
      (best, { flexible }, index) =>
        flexible && widths[index]! > NARROWEST && (best === undefined || widths[index]! > widths[best]!) ? index : best,
      undefined,
    );
    if (widest === undefined) return;
    widths[widest] = Math.max(NARROWEST, widths[widest]! - over);
  }
}

/** Names and their values, one a line; what is undefined is left out. */
export function facts(entries: readonly (readonly [name: string, value: string | undefined])[]): string {
  const known = entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined);
  const width = Math.max(...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}\n`).join('');
}

/** JSON for programs: one document, one line break. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

export function count(value: number | null): string {
  return value === null ? '-' : Math.round(value).toLocaleString('en-US');
}

/** "1 pair", "3 pairs". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** "2026-01-31 08:15:30", in UTC as everything here. */
export function moment(iso: string | null): string {
  return iso === null ? '-' : iso.slice(0, 19).replace('T', ' ');
}

/** "4 ms", "1.3 s", "12 min". */
export function duration(seconds: number | null): string {
  if (seconds === null) return '-';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(value: number | null): string {
  if (value === null) return '-';
  const unit = value < 1 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(value) / 10));
  const figure = value / 2 ** (10 * unit);
  return `${unit === 0 ? figure : figure.toFixed(figure < 100 ? 1 : 0)} ${BYTE_UNITS[unit]!}`;
}
