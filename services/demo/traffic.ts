import type pg from 'pg';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';
import { Backoff } from '#services/kernel/retry.ts';
import type { CountyOptions } from './county.ts';
import { SeededRandom } from './random.ts';
import { pickWork, type ClerkWork } from './clerk.ts';

export interface TrafficOptions {
  /** Opens a connection to PACS as the county's clerk. */
  readonly connect: () => Promise<pg.Client>;
  readonly county: CountyOptions;
  /** Transactions a second, on average. */
  readonly rate: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the traffic; the transaction in hand is finished first. */
  readonly signal: AbortSignal;
}

/** What the traffic has done so far. */
export interface TrafficCounts {
  readonly transactions: number;
  /** Rows changed, in committed transactions. */
  readonly rows: number;
}

/**
 * A day at the appraisal office, over and over: values, sales, addresses, new parcels. Each piece of work is one transaction, most of
 * them over several tables, with the pauses between them drawn as if people came in by chance.
 */
export class DemoTraffic {
  readonly #options: TrafficOptions;
  readonly #names = new Map<string, string>();
  #transactions = 0;
  #rows = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  get counts(): TrafficCounts {
    return { transactions: this.#transactions, rows: this.#rows };
  }

  /** Works until the signal is aborted; connects again when the database goes away. Never rejects. */
  async run(): Promise<void> {
    const { clock, log, signal } = this.#options;
    const backoff = new Backoff({ firstMs: 500, maxMs: 10_000 });
    while (!signal.aborted) {
      try {
        await this.#work(backoff);
      } catch (error) {
        if (isAborted(signal)) return;
        log.warn({ error }, 'The demo traffic lost its database; it connects again.');
        await clock.sleep(backoff.next(), signal).catch(() => undefined);
      }
    }
  }

  async #work(backoff: Backoff): Promise<void> {
    const { clock, county, rate, signal } = this.#options;
    const client = await this.#options.connect();
    client.on('error', () => undefined);
    try {
      // Where the last start of the traffic left off decides what this one does: never the same day twice.
      const { rows } = await client.query<{ last: string }>('SELECT last_value AS last FROM pacs.sale_number');
      const random = new SeededRandom(county.seed, Number(rows[0]!.last));
      let due = clock.monotonic();
      while (!signal.aborted) {
        due += (-Math.log(1 - random.next()) / rate) * 1000;
        const pause = due - clock.monotonic();
        // After a stall the work that was missed is not made up for: the county had a break.
        if (pause < -1000) due = clock.monotonic();
        if (pause > 0) await clock.sleep(pause, signal);
        await this.#transaction(client, pickWork(random), random);
        backoff.reset();
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async #transaction(client: pg.Client, work: ClerkWork, random: SeededRandom): Promise<void> {
    let rows = 0;
    await client.query('BEGIN');
    await work(random, this.#options.county, async (text, values) => {
      const result = await client.query({ name: this.#nameOf(text), text, values: [...values] });
      if (result.command !== 'SELECT') rows += result.rowCount ?? 0;
      return result.rows as Record<string, unknown>[];
    });
    await client.query('COMMIT');
    this.#transactions += 1;
    this.#rows += rows;
  }

  /** Prepared statements have names of at most 63 bytes. */
  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) this.#names.set(text, (name = `clerk_${this.#names.size}`));
    return name;
  }
}

/** A question of its own: the compiler believes that a signal looked at once stays as it was. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
