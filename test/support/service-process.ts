import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../services/cli/bin.js', import.meta.url));
/** What it said last is kept, for the message of a test that fails. */
const KEPT_BYTES = 16_384;

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `terrafusion sync-service` as a process that a test can kill. */
export class ServiceProcess implements AsyncDisposable {
  readonly exited: Promise<Ending>;
  readonly #child: ChildProcess;
  #said = '';

  constructor(environment: Readonly<Record<string, string>>, args: readonly string[] = ['sync-service']) {
    // Nothing of our own environment but what finds programs: a DATABASE_URL of the person who runs the tests is none of its business.
    const { PATH = '', TMPDIR } = process.env;
    this.#child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...environment },
    });
    const keep = (chunk: Buffer): void => {
      this.#said = (this.#said + chunk.toString()).slice(-KEPT_BYTES);
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of what it wrote. */
  get said(): string {
    return this.#said;
  }

  /** SIGKILL: no chance to tidy up. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** Tells it to stop, and waits until it has drained. */
  async stop(): Promise<Ending> {
    this.#child.kill('SIGTERM');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) await this.kill();
  }
}
