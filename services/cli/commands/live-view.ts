import type { Terminal } from '../output.ts';

/** A picture that is shown again and again: in its place on a terminal, one after the other elsewhere, as JSON lines for programs. */
export interface View extends Disposable {
  /** Text, or data where JSON was asked for. */
  show(picture: string | object): void;
}

export function createView(terminal: Terminal, asJson: boolean): View {
  if (asJson) return new LinesView(terminal);
  return terminal.isTty ? new ScreenView(terminal) : new PlainView(terminal);
}

class LinesView implements View {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(picture: string | object): void {
    this.#terminal.out(`${JSON.stringify(picture)}\n`);
  }

  [Symbol.dispose](): void {
    // Every line is whole.
  }
}

class PlainView implements View {
  readonly #terminal: Terminal;
  #shown = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(picture: string): void {
    const time = `${new Date().toISOString().slice(0, 19)}Z`;
    this.#terminal.out(`${this.#shown++ === 0 ? '' : '\n'}${time}\n${picture}`);
  }

  [Symbol.dispose](): void {
    // Every line is whole.
  }
}

const ESCAPE = '\u001b[';

/** On the terminal's second page, so that what was there before comes back; each line is written over and the rest wiped: no flicker. */
class ScreenView implements View {
  readonly #terminal: Terminal;
  #last = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    // Lines that are too long end at the edge: wrapped, they would push the rest away.
    terminal.out(`${ESCAPE}?1049h${ESCAPE}?25l${ESCAPE}?7l`);
  }

  show(picture: string): void {
    this.#last = picture;
    const { rows } = this.#terminal;
    const lines = picture.trimEnd().split('\n');
    const fits = lines.length < rows;
    const shown = fits ? lines : [...lines.slice(0, Math.max(1, rows - 2)), `… ${lines.length - rows + 2} more lines`];
    this.#terminal.out(`${ESCAPE}H${shown.map((line) => `${line}${ESCAPE}K\n`).join('')}${ESCAPE}J`);
  }

  /** The terminal as it was, with the last picture on it. */
  [Symbol.dispose](): void {
    this.#terminal.out(`${ESCAPE}?7h${ESCAPE}?25h${ESCAPE}?1049l${this.#last}`);
  }
}
