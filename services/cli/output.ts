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
}

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  get isTty() {
    return process.stdout.isTTY;
  },
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : 120;
  },
};

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Figures stand on the right. */
  readonly right?: boolean;
}

/** Rows under titles, in columns as wide as their widest value. Ends with a line break; empty for no rows. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  if (rows.length === 0) return '';
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ value }) => value(row)))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]!.length)));
  const print = (line: string[]): string =>
    line
      .map((cell, index) => (columns[index]!.right ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!)))
      .join('  ')
      .trimEnd();
  return `${cells.map(print).join('\n')}\n`;
}

/** JSON for programs: one document, one line break. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

export function count(value: number | null): string {
  return value === null ? '-' : Math.round(value).toLocaleString('en-US');
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
