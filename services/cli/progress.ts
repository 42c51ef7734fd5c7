import type { OperationView } from '#schemas/http/operations.ts';
import { count, duration, type Terminal } from './output.ts';

/** How an operation's progress is told: on one line that is written over, line by line, or as JSON lines. */
export interface ProgressDisplay {
  show(operation: OperationView, at: number): void;
  ended(operation: OperationView, at: number): void;
  /** Nobody looks any longer; what is said next begins on a line of its own. */
  leave(): void;
}

/** Between two lines where nobody sees a bar move, in milliseconds. */
const LINE_EVERY = 5000;
const BAR = 24;

export function progressDisplay(terminal: Terminal, asJson: boolean): ProgressDisplay {
  if (asJson) return new JsonProgress(terminal);
  return terminal.isTty ? new BarProgress(terminal) : new LineProgress(terminal);
}

/** Rows a second between looks, smoothed a little; undefined before there are two of them. */
class Rate {
  #last: { readonly rows: number; readonly at: number } | undefined;
  #perSecond: number | undefined;

  note(rows: number, at: number): number | undefined {
    const last = this.#last;
    if (last && at > last.at) {
      const now = (Math.max(0, rows - last.rows) / (at - last.at)) * 1000;
      this.#perSecond = this.#perSecond === undefined ? now : this.#perSecond * 0.7 + now * 0.3;
    }
    if (!last || at > last.at) this.#last = { rows, at };
    return this.#perSecond;
  }
}

interface Figures {
  /** 0 to 1; undefined where nobody can tell. */
  readonly part: number | undefined;
  readonly text: string;
}

/** What is known of the work: rows while a load copies, changes while a stream catches up. */
function figuresOf({ state, counts, progress }: OperationView, perSecond: number | undefined): Figures {
  const total = progress['rows_total'];
  if (typeof total === 'number' && total > 0) {
    const left = Math.max(0, total - counts.rows_copied);
    const rate = perSecond === undefined || perSecond < 1 ? '' : `, ${count(perSecond)}/s`;
    const time = rate === '' || left === 0 ? '' : `, ${duration(left / perSecond!)} left`;
    return {
      part: Math.min(1, counts.rows_copied / total),
      text: `${count(counts.rows_copied)} of about ${count(total)} rows${rate}${time}`,
    };
  }
  const changes = counts.inserted + counts.updated + counts.deleted;
  return { part: undefined, text: state === 'pending' ? 'waits to begin' : `${count(changes)} changes applied` };
}

class BarProgress implements ProgressDisplay {
  readonly #terminal: Terminal;
  readonly #rate = new Rate();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(operation: OperationView, at: number): void {
    const { part, text } = figuresOf(operation, this.#rate.note(operation.counts.rows_copied, at));
    const done = Math.round((part ?? 0) * BAR);
    const bar =
      part === undefined ? '' : `[${'#'.repeat(done)}${'.'.repeat(BAR - done)}] ${Math.floor(part * 100)} %  `;
    const line = `${operation.type} ${operation.state}  ${bar}${text}`;
    this.#terminal.out(`\r\u001b[2K${line.slice(0, Math.max(0, this.#terminal.columns - 1))}`);
  }

  ended(operation: OperationView): void {
    this.#terminal.out(`\r\u001b[2K${summary(operation)}`);
  }

  leave(): void {
    this.#terminal.out('\n');
  }
}

class LineProgress implements ProgressDisplay {
  readonly #terminal: Terminal;
  readonly #rate = new Rate();
  #told: { readonly state: string; readonly at: number } | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(operation: OperationView, at: number): void {
    const { text } = figuresOf(operation, this.#rate.note(operation.counts.rows_copied, at));
    if (this.#told?.state === operation.state && at - this.#told.at < LINE_EVERY) return;
    this.#told = { state: operation.state, at };
    this.#terminal.out(`${operation.type} ${operation.state}: ${text}\n`);
  }

  ended(operation: OperationView): void {
    this.#terminal.out(summary(operation));
  }

  leave(): void {
    // Every line is whole.
  }
}

class JsonProgress implements ProgressDisplay {
  readonly #terminal: Terminal;
  #told = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(operation: OperationView): void {
    const line = JSON.stringify({ event: 'progress', operation });
    if (line === this.#told) return;
    this.#told = line;
    this.#terminal.out(`${line}\n`);
  }

  ended(operation: OperationView): void {
    this.#terminal.out(`${JSON.stringify({ event: 'ended', operation })}\n`);
  }

  leave(): void {
    // Every line is whole.
  }
}

function summary({ type, state, counts, error, started_at, finished_at }: OperationView): string {
  const took =
    started_at === null || finished_at === null
      ? ''
      : ` in ${duration((Date.parse(finished_at) - Date.parse(started_at)) / 1000)}`;
  const done = [
    ...(type === 'incremental' ? [] : [`${count(counts.rows_copied)} rows copied`]),
    `${count(counts.inserted)} inserted, ${count(counts.updated)} updated, ${count(counts.deleted)} deleted`,
    ...(counts.dead_letters > 0 ? [`${count(counts.dead_letters)} dead letters`] : []),
  ].join('; ');
  const why = error === null ? '' : `${error.code}: ${error.message}\n  ${error.fix}\n`;
  return `${type} ${state}${took}: ${done}\n${why}`;
}
