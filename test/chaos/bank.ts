import { SeededRandom } from '#services/demo/random.ts';
import type { TestDatabase } from '#test/support/database.ts';
import type { NewTestPair } from '#test/support/installation.ts';
import { Loop } from './loop.ts';
import { SteadyClient } from './steady-client.ts';

/**
 * A bank whose books tell whether a transaction was torn, lost or repeated. What each committed transaction keeps true:
 * the sum of both kinds of accounts never changes, and `checking.transfers` counts the ledger's entries.
 */
const ACCOUNTS = 100;
const OPENING = 1_000_000;
export const TOTAL = 2 * ACCOUNTS * OPENING;

const SCHEMA = `
  CREATE TABLE checking (id int PRIMARY KEY, code text NOT NULL UNIQUE, balance bigint NOT NULL, transfers bigint NOT NULL);
  CREATE TABLE savings (id int PRIMARY KEY, balance bigint NOT NULL, remark text);
  CREATE TABLE ledger (n bigint PRIMARY KEY, account int NOT NULL, amount bigint NOT NULL, remark text);
  CREATE TABLE note (id bigint PRIMARY KEY, amount int NOT NULL, body text);`;

/** The target has a rule of its own, which some rows break: the writer's dead letters. */
const TARGET_RULE = "ALTER TABLE note ADD CHECK (body <> 'refused')";

export async function createBank(source: TestDatabase, target: TestDatabase): Promise<void> {
  await source.query(`${SCHEMA}
    INSERT INTO checking SELECT n, 'A' || n, ${OPENING}, 0 FROM generate_series(1, ${ACCOUNTS}) AS n;
    INSERT INTO savings SELECT n, ${OPENING}, repeat(md5(n::text), 200) FROM generate_series(1, ${ACCOUNTS}) AS n;
    INSERT INTO note VALUES (0, -1, 'breaks the rule from the first'), (-1, 1, 'good');`);
  await target.query(`${SCHEMA} ${TARGET_RULE}`);
}

/** Notes pass a rule on the way, which some rows break: the processor's dead letters. */
export const bankTables: NonNullable<NewTestPair['tables']> = [
  { source: 'public.checking' },
  { source: 'public.savings' },
  { source: 'public.ledger' },
  {
    source: 'public.note',
    rules: [{ name: 'not negative', check: 'row.amount >= 0', on_failure: 'quarantine' }],
  },
];

/** What is not done by chance alone, but when a crash point waits for it. */
export type Special = 'large' | 'swap' | 'rule' | 'refused' | 'altered';

/** Transactions between two large ones, or two that alter a table, at the least: a service that is killed all the time would never catch up. */
const BETWEEN = 80;

/** Moves money at the source, transaction after transaction, until it is stopped. The source may die under it. */
export class Mover {
  readonly #client: SteadyClient;
  readonly #random: SeededRandom;
  #entry = 0;
  #note = 0;
  #columns = 0;
  /** Transactions since the last one of these. */
  #spared = BETWEEN;
  #wanted: Special | undefined;
  /** Rows that the target refuses would end a first load: they come once the pair streams. */
  #manners: readonly [Special, ...Special[]] = ['swap', 'rule'];
  readonly loop: Loop;
  transactions = 0;

  /**
   * @param url of the source, asked again at each connect
   * @param slowness how many times as long the pauses are
   */
  constructor(url: () => string, seed: number, slowness = 1) {
    this.#client = new SteadyClient(url);
    this.#random = new SeededRandom(seed);
    // A pace that leaves the two cores to those who are killed. Committed or not when a server dies: it used numbers that it will not use again.
    this.loop = new Loop(
      () => this.#transact(),
      () => slowness * this.#random.whole(0, 12),
    );
  }

  /** Does this kind of transaction again and again until told otherwise. */
  want(special: Special | undefined): void {
    this.#wanted = special;
  }

  /** From now on some rows are such that the target refuses them. */
  beHarsh(): void {
    this.#manners = ['swap', 'rule', 'refused'];
  }

  /** From now on nothing is done that a rule or the target refuses, only what is large or hard to apply. */
  beKind(): void {
    this.#manners = ['swap', 'large'];
  }

  /** After the transaction in hand. Rejects with what made it fail. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.#client.end();
  }

  async #transact(): Promise<void> {
    await this.#client.query('BEGIN');
    for (const statement of this.#statements()) await this.#client.query(statement);
    await this.#client.query(this.#random.chance(0.05) ? 'ROLLBACK' : 'COMMIT');
    this.transactions += 1;
  }

  #statements(): string[] {
    const special = this.#wanted !== undefined && this.#random.chance(0.3) ? this.#wanted : this.#bySurprise();
    this.#spared += 1;
    if (special === 'large' && this.#isTime()) return this.#large();
    if (special === 'swap') return this.#swap();
    if (special === 'rule') return this.#noteOf(-1, 'breaks the rule');
    if (special === 'refused') return this.#noteOf(1, 'refused');
    if (special === 'altered' && this.#isTime()) return this.#alter();
    return this.#random.weighted<() => string[]>([
      [8, () => this.#transfers()],
      [1, () => this.#reopen()],
      [1, () => this.#noteOf(1, 'good')],
    ])();
  }

  #isTime(): boolean {
    if (this.#spared < BETWEEN) return false;
    this.#spared = 0;
    return true;
  }

  #bySurprise(): Special | undefined {
    if (!this.#random.chance(0.03)) return undefined;
    return this.#random.pick(this.#manners);
  }

  #transfers(): string[] {
    const count = this.#random.whole(1, 6);
    return Array.from({ length: count }, () => this.#transfer()).flat();
  }

  #transfer(): string[] {
    const [from, to, amount] = [this.#account(), this.#account(), this.#random.whole(-500, 500)];
    this.#entry += 1;
    return [
      `UPDATE checking SET balance = balance - ${amount}, transfers = transfers + 1 WHERE id = ${from}`,
      `INSERT INTO ledger VALUES (${this.#entry}, ${from}, ${amount}, 'transfer')`,
      `UPDATE savings SET balance = balance + ${amount} WHERE id = ${to}`,
    ];
  }

  /** Goes and comes again with the same balance. */
  #reopen(): string[] {
    const id = this.#account();
    return [
      `CREATE TEMPORARY TABLE closed ON COMMIT DROP AS SELECT * FROM savings WHERE id = ${id}`,
      `DELETE FROM savings WHERE id = ${id}`,
      'INSERT INTO savings SELECT * FROM closed',
    ];
  }

  /** Some 4 MB: several blocks, and more than one batch at the target. */
  #large(): string[] {
    const count = 8000;
    const first = this.#entry + 1;
    this.#entry += count;
    return [
      `UPDATE checking SET transfers = transfers + ${count} WHERE id = ${this.#account()}`,
      `INSERT INTO ledger SELECT n, 1, 0, repeat('many ', 100) FROM generate_series(${first}, ${this.#entry}) AS n`,
      ...this.#transfer(),
    ];
  }

  /** Two unique codes change places: reduced to its end the batch meets the target's unique constraint, in order it does not. */
  #swap(): string[] {
    const one = this.#random.whole(1, ACCOUNTS - 1);
    const codeOf = (id: number): string => `(SELECT code FROM codes WHERE id = ${id})`;
    return [
      `CREATE TEMPORARY TABLE codes ON COMMIT DROP AS SELECT id, code FROM checking WHERE id IN (${one}, ${one + 1})`,
      `UPDATE checking SET code = 'in between' WHERE id = ${one}`,
      `UPDATE checking SET code = ${codeOf(one)} WHERE id = ${one + 1}`,
      `UPDATE checking SET code = ${codeOf(one + 1)} WHERE id = ${one}`,
    ];
  }

  /** A table that gets another column between two of its rows. */
  #alter(): string[] {
    this.#columns += 1;
    return [...this.#transfer(), `ALTER TABLE ledger ADD COLUMN more_${this.#columns} int`, ...this.#transfer()];
  }

  #noteOf(amount: number, body: string): string[] {
    this.#note += 1;
    return [...this.#transfer(), `INSERT INTO note VALUES (${this.#note}, ${amount}, '${body}')`];
  }

  #account(): number {
    return this.#random.whole(1, ACCOUNTS);
  }
}
