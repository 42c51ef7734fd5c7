import { expectSameRows } from '#test/support/rows.ts';
import type { TestDatabase } from '#test/support/database.ts';
import type { TestPair } from '#test/support/installation.ts';
import { TOTAL } from './bank.ts';
import { Loop } from './loop.ts';
import { SteadyClient } from './steady-client.ts';

/** One statement sees one moment. */
const BOOKS = `SELECT (SELECT count(*) FROM checking)::int AS accounts,
  ((SELECT coalesce(sum(balance), 0) FROM checking) + (SELECT coalesce(sum(balance), 0) FROM savings))::bigint::text AS total,
  (SELECT coalesce(sum(transfers), 0) FROM checking)::text AS transfers, (SELECT count(*) FROM ledger)::text AS entries`;

interface Books {
  readonly accounts: number;
  readonly total: string;
  readonly transfers: string;
  readonly entries: string;
}

/** Whether the stream has been laid over everything that the first load has read. */
const CONSISTENT = `SELECT bool_and(p.commit_lsn >= c.until) AS consistent
  FROM _terrafusion.applied_positions p JOIN _terrafusion.load_chunks c USING (pair_id)`;

/**
 * Reads the target's books all the time. (Promise 3: no reader ever sees a part of a source transaction.) A first load comes table by table:
 * it is from "streaming" on that this holds.
 */
export class Auditor {
  readonly #client: SteadyClient;
  readonly #loop: Loop;
  #consistent = false;
  /** How long the last look took, in ms. */
  #lookedFor = 0;
  #last = '';
  looks = 0;
  /** Looks at which the books had moved on since the one before. */
  moved = 0;

  constructor(target: TestDatabase) {
    this.#client = new SteadyClient(() => target.url);
    this.#loop = new Loop(
      () => this.#audit(),
      // The more there is to read, the longer a look takes: most of the time is the product's.
      () => 10 + 3 * this.#lookedFor,
    );
  }

  async #isConsistent(): Promise<boolean> {
    const rows = await this.#client.query<{ there: boolean }>(
      `SELECT to_regclass('_terrafusion.load_chunks') IS NOT NULL AS there`,
    );
    if (!rows[0]!.there) return false;
    return (await this.#client.query<{ consistent: boolean | null }>(CONSISTENT))[0]!.consistent === true;
  }

  async #audit(): Promise<void> {
    this.#consistent ||= await this.#isConsistent();
    const begun = performance.now();
    const [books] = await this.#client.query<Books>({ name: 'books', text: BOOKS });
    this.#lookedFor = performance.now() - begun;
    this.#look(books!);
  }

  #look(books: Books): void {
    if (this.#consistent && (books.total !== String(TOTAL) || books.transfers !== books.entries)) {
      throw new Error(`Part of a source transaction was seen at the target: ${JSON.stringify(books)}`);
    }
    this.looks += 1;
    if (books.entries !== this.#last) this.moved += 1;
    this.#last = books.entries;
  }

  /** Rejects with what it has seen, if it has seen something. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#client.end();
  }
}

/** Both ends, once everything has arrived: every row there once, and each refused one exactly one dead letter. (Promise 2) */
export async function expectBooksEqual(source: TestDatabase, target: TestDatabase, pair: TestPair): Promise<void> {
  await expectSameRows(source, target, ['public.checking', 'public.savings', 'public.ledger']);
  const wanted = await source.query<{ id: string }>(
    "SELECT id FROM note WHERE amount >= 0 AND body <> 'refused' ORDER BY id",
  );
  const arrived = await target.query<{ id: string }>('SELECT id FROM note ORDER BY id');
  if (JSON.stringify(arrived) !== JSON.stringify(wanted)) {
    throw new Error(`${arrived.length} notes arrived, ${wanted.length} should have`);
  }
  const refused = await source.value("SELECT count(*) FROM note WHERE amount < 0 OR body = 'refused'");
  const letters = await pair.countDeadLetters();
  if (String(letters) !== refused) throw new Error(`${letters} dead letters were kept for ${refused} refused rows`);
}
