import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from '#test/support/eventually.ts';
import type { GatewayProduct } from './product.ts';

const program = fileURLToPath(new URL('../load-process.ts', import.meta.url));

/** Commit at the source to written at the target, in ms, of every row. */
export interface Lag {
  readonly rows: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** One-row transactions at the source, at a steady rate, and how long each was on its way. */
export class Changes {
  readonly #product: GatewayProduct;
  readonly #rate: number;
  #next = 1;

  constructor(product: GatewayProduct, rate: number) {
    this.#product = product;
    this.#rate = rate;
  }

  /** Runs them for so long beside the work, if there is any; the first and last second are left out. */
  async beside<T>(seconds: number, work: () => Promise<T>): Promise<{ readonly lag: Lag; readonly result: T }> {
    const { source, target } = this.#product;
    const [first, rate] = [this.#next, this.#rate];
    this.#next += rate * seconds;
    const args = [program, source.url, String(rate), String(seconds), String(first)];
    const [result] = await Promise.all([work(), promisify(execFile)(process.execPath, args)]);
    await eventually(() => target.value<boolean>('SELECT max(id) >= $1 FROM latency', [this.#next - 1]), {
      within: 60_000,
      every: 100,
      what: 'all rows at the target',
    });
    const ms = 'extract(epoch FROM applied_at - committed_at) * 1000';
    const [lag] = await target.query<Lag>(
      `SELECT count(*)::int AS rows, (percentile_disc(0.5) WITHIN GROUP (ORDER BY ${ms}))::float8 AS p50,
         (percentile_disc(0.99) WITHIN GROUP (ORDER BY ${ms}))::float8 AS p99, max(${ms})::float8 AS max
       FROM latency WHERE id >= $1 AND id < $2`,
      [first + rate, this.#next - rate],
    );
    return { lag: lag!, result };
  }
}
