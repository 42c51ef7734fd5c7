import type { Terminal } from '#services/cli/output.ts';

/** A terminal that keeps what was written, and answers as it is told to. */
export class RecordingTerminal implements Terminal {
  readonly isTty: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly colours: boolean;
  readonly canAsk: boolean;
  stdout = '';
  stderr = '';
  readonly #answers: string[];
  readonly #input: string;

  /** `answers` make it one with somebody in front. */
  constructor({
    isTty = false,
    columns = 120,
    rows = 24,
    colours = false,
    answers,
    input = '',
  }: {
    isTty?: boolean;
    columns?: number;
    rows?: number;
    colours?: boolean;
    answers?: readonly string[];
    input?: string;
  } = {}) {
    this.isTty = isTty;
    this.columns = columns;
    this.rows = rows;
    this.colours = colours;
    this.canAsk = answers !== undefined;
    this.#answers = [...(answers ?? [])];
    this.#input = input;
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }

  ask(question: string): Promise<string | undefined> {
    this.stderr += question;
    return Promise.resolve(this.#answers.shift());
  }

  readAll(): Promise<string> {
    return Promise.resolve(this.#input);
  }
}
