import { prettyLine } from '#services/kernel/log-pretty.ts';
import { count, duration, type Terminal } from '../output.ts';
import type { Figures } from './figures.ts';

/** What runs, once it does. */
export interface Summary {
  readonly version: string;
  readonly gateway: string;
  readonly syncService: string;
  readonly dataFolder: string;
  readonly controlDatabase: string;
  readonly bus: string;
  /** Shown once, on the first start. */
  readonly adminKey: string | undefined;
  /** Where the key can be read again; undefined when it was given by a variable. */
  readonly adminKeyFile: string | undefined;
  readonly demo:
    | {
        readonly databases: readonly { readonly name: string; readonly url: string; readonly passwordFile: string }[];
      }
    | undefined;
}

/** Tells a person, or a script, what `terrafusion up` does. */
export interface Screen {
  /** Something begins that takes a moment. */
  step(text: string): void;
  ready(summary: Summary, seconds: number): void;
  /** A pair's target follows its source for the first time since the start. */
  streaming(seconds: number): void;
  figures(figures: Figures): void;
  /** A line of the log, as JSON; only what somebody should know is shown. */
  log(line: string): void;
  stopping(): void;
  stopped(): void;
  /** For scripts; a person is told by the frame of the process. */
  failed(error: { readonly code: string; readonly message: string; readonly fix: string }): void;
}

/** How often a line is written where lines stay, in ms. */
const PLAIN_EVERY = 10_000;

export function createScreen(terminal: Terminal, json: boolean): Screen {
  if (json) return new JsonScreen(terminal);
  return new TextScreen(terminal);
}

/** One line of text with the figures. */
export function figuresLine(figures: Figures): string {
  const states = Object.entries(figures.states)
    .map(([state, pairs]) => (pairs === 1 ? state.replaceAll('_', ' ') : `${pairs} ${state.replaceAll('_', ' ')}`))
    .join(', ');
  const parts = [states === '' ? 'no pairs' : states];
  if (figures.load !== undefined) parts.push(loadText(figures.load));
  else
    parts.push(
      `${rateText(figures.changesPerSecond)} changes/s`,
      `lag ${duration(figures.lagSeconds)}`,
      `${count(figures.changesApplied)} changes`,
    );
  parts.push(`${count(figures.rowsCopied)} rows copied`);
  if (figures.deadLetters > 0)
    parts.push(figures.deadLetters === 1 ? '1 dead letter' : `${count(figures.deadLetters)} dead letters`);
  return parts.join(' · ');
}

const rateText = (rate: number | null): string => (rate === null ? '-' : rate.toFixed(rate < 10 ? 1 : 0));

function loadText({ copied, total, rowsPerSecond }: NonNullable<Figures['load']>): string {
  const share = total === 0 ? 0 : Math.min(1, copied / total);
  const width = 20;
  const bar = `${'█'.repeat(Math.round(share * width))}${'░'.repeat(width - Math.round(share * width))}`;
  const left = rowsPerSecond > 0 ? `, ${duration((total - copied) / rowsPerSecond)} left` : '';
  return `${bar} ${Math.floor(share * 100)} % at ${count(rowsPerSecond)} rows/s${left}`;
}

class TextScreen implements Screen {
  readonly #terminal: Terminal;
  /** Whether the cursor stands in a live line that the next output has to wipe. */
  #live = false;
  #lastPlain = -Infinity;
  #failures = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  step(text: string): void {
    this.#print(`${text}\n`);
  }

  ready(summary: Summary, seconds: number): void {
    const { adminKey, adminKeyFile, demo } = summary;
    const lines = [
      '',
      `TerraFusion Sync ${summary.version} runs (${duration(seconds)})`,
      '',
      `  Dashboard         ${summary.gateway}/dashboard`,
      `  API               ${summary.gateway}/docs`,
      `  Sync-service      ${summary.syncService}`,
      `  Control database  ${summary.controlDatabase}`,
      `  Bus               ${summary.bus}`,
      `  Data folder       ${summary.dataFolder}`,
    ];
    if (adminKey !== undefined) lines.push(`  Admin key         ${adminKey}`, '                    shown this once');
    if (adminKeyFile !== undefined) lines.push(`  Admin key file    ${adminKeyFile}`);
    if (demo !== undefined) {
      lines.push('', '  The demo county: change something in county_pacs, look at county_cama.', '');
      for (const { url, passwordFile } of demo.databases)
        lines.push(`    PGPASSFILE=${quoted(passwordFile)} psql ${url}`);
    }
    lines.push('', '  Ctrl-C stops it; the next start goes on.', '', '');
    this.#print(lines.join('\n'));
  }

  streaming(seconds: number): void {
    this.#print(`Streaming ${duration(seconds)} after the start.\n`);
  }

  figures(figures: Figures): void {
    const failures = figures.failures.map(({ pair, message, fix }) => `${pair}: ${message}\n  ${fix}\n`).join('');
    if (failures !== this.#failures) {
      this.#failures = failures;
      if (failures !== '') this.#print(failures);
    }
    const line = figuresLine(figures);
    if (this.#terminal.isTty) {
      this.#terminal.out(`\r\u001b[2K${cut(line, this.#terminal.columns - 1)}`);
      this.#live = true;
    } else if (figures.at - this.#lastPlain >= PLAIN_EVERY) {
      this.#lastPlain = figures.at;
      this.#print(`${new Date(figures.at).toISOString().slice(11, 19)} ${line}\n`);
    }
  }

  log(line: string): void {
    if (isNotable(line)) this.#print(prettyLine(line));
  }

  stopping(): void {
    this.#print('\nStopping: what is in hand is finished. (Ctrl-C again stops at once.)\n');
  }

  stopped(): void {
    this.#print('Stopped. The next start goes on where this one ended.\n');
  }

  failed({ code, message, fix }: Parameters<Screen['failed']>[0]): void {
    this.#print(`${code}: ${message}\n${fix}\n`);
  }

  #print(text: string): void {
    this.#terminal.out(this.#live ? `\r\u001b[2K${text}` : text);
    this.#live = false;
  }
}

/** One JSON document a line, each with `event`. */
class JsonScreen implements Screen {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  step(text: string): void {
    this.#print('step', { text });
  }

  ready(summary: Summary, seconds: number): void {
    this.#print('ready', { seconds, ...summary });
  }

  streaming(seconds: number): void {
    this.#print('streaming', { seconds });
  }

  figures(figures: Figures): void {
    this.#print('figures', figures);
  }

  log(line: string): void {
    if (isNotable(line)) this.#print('log', JSON.parse(line) as object);
  }

  stopping(): void {
    this.#print('stopping', {});
  }

  stopped(): void {
    this.#print('stopped', {});
  }

  failed(error: Parameters<Screen['failed']>[0]): void {
    this.#print('failed', error);
  }

  #print(event: string, fields: object): void {
    this.#terminal.out(`${JSON.stringify({ event, ...fields })}\n`);
  }
}

/** Warnings and errors; the rest is in the log files. */
function isNotable(line: string): boolean {
  const { level } = JSON.parse(line) as { level?: string };
  return level === 'warn' || level === 'error' || level === 'fatal';
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** For a shell, where it has to be. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
