import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { TestDatabase } from '#test/support/database.ts';
import type { Outage } from './results.ts';

type Seen = NonNullable<Outage['slot']>;

export interface SlotLook {
  /** Milliseconds, from anywhere. */
  readonly at: number;
  /** Bytes of WAL written, and confirmed by the slot, from anywhere. */
  readonly written: number;
  readonly confirmed: number;
}

/** Every quarter of a second. */
const EVERY = 250;

/** Looks at a slot while nobody else does: how far it is confirmed beside how much is written. */
export class SlotWatch {
  readonly #client: pg.Client;
  readonly #slots: string;
  readonly #looks: SlotLook[] = [];
  readonly #abort = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  private constructor(client: pg.Client, slots: string) {
    this.#client = client;
    this.#slots = slots;
  }

  static async start(source: TestDatabase, slots: string): Promise<SlotWatch> {
    const watch = new SlotWatch(await source.connect(), slots);
    await watch.#look();
    watch.#watching = watch.#watch();
    return watch;
  }

  async stop(): Promise<Seen> {
    this.#abort.abort();
    await this.#watching;
    await this.#look();
    await this.#client.end();
    return summary(this.#looks);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#abort;
    const waited = (): Promise<boolean> =>
      delay(EVERY, undefined, { signal }).then(
        () => true,
        () => false,
      );
    while (await waited()) await this.#look();
  }

  async #look(): Promise<void> {
    const { rows } = await this.#client.query<{ written: string; confirmed: string | null }>({
      name: 'slot',
      text: `SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS written,
          min(confirmed_flush_lsn - '0/0'::pg_lsn) AS confirmed
        FROM pg_replication_slots WHERE slot_name LIKE $1 AND NOT temporary`,
      values: [this.#slots],
    });
    const { written, confirmed } = rows[0]!;
    if (confirmed === null) throw new Error(`There is no slot like ${this.#slots}`);
    // Within a run LSNs are far below 2^53.
    this.#looks.push({ at: performance.now(), written: Number(written), confirmed: Number(confirmed) });
  }
}

/** What the slot did between the first look and the last. */
export function summary(looks: readonly SlotLook[]): Seen {
  const [first, last] = [looks[0]!, looks.at(-1)!];
  let movedAt = first.at;
  let before = first.confirmed;
  let longest = 0;
  for (const { at, confirmed } of looks) {
    longest = Math.max(longest, at - movedAt);
    if (confirmed > before) movedAt = at;
    before = confirmed;
  }
  return {
    written: last.written - first.written,
    confirmed: last.confirmed - first.confirmed,
    mostRetained: Math.max(...looks.map(({ written, confirmed }) => written - confirmed)),
    longestStill: longest / 1000,
  };
}
