import type { Terminal } from '#services/cli/output.ts';

/** A terminal that keeps what was written. */
export class RecordingTerminal implements Terminal {
  readonly isTty: boolean;
  readonly columns: number;
  stdout = '';
  stderr = '';

  constructor({ isTty = false, columns = 120 } = {}) {
    this.isTty = isTty;
    this.columns = columns;
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }
}
