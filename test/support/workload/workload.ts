import type pg from 'pg';
import { SeededRandom } from '#services/demo/random.ts';
import type { TestDatabase } from '../database.ts';
import { Locks } from './locks.ts';
import { chooseStep, type Place } from './steps.ts';
import { workloadTables } from './tables.ts';

export interface WorkloadOptions {
  /** The same seed gives the same statements in the same order. */
  readonly seed: number;
  /** Transactions to run, those that roll back included. */
  readonly transactions: number;
  /** Transactions open at the same time. */
  readonly sessions?: number;
  /** Called before each transaction begins. */
  readonly onTransaction?: (number: number) => Promise<void> | void;
}

export interface WorkloadSummary {
  readonly committed: number;
  readonly rolledBack: number;
  readonly statements: number;
}

/** Makes the workload's tables. */
export async function createWorkloadTables(database: TestDatabase): Promise<void> {
  for (const { ddl } of workloadTables) for (const statement of ddl) await database.query(statement);
}

/**
 * Writes to the workload's tables what a seeded random generator thinks of: inserts, updates of any columns, key changes and swaps,
 * deletes, truncates, savepoints with and without rollback, values stored out of line; in transactions that lie over each other.
 * One statement runs at a time, and no two open transactions touch the same keys, so that nothing ever waits and a seed can be replayed.
 */
export async function runWorkload(database: TestDatabase, options: WorkloadOptions): Promise<WorkloadSummary> {
  const random = new SeededRandom(options.seed);
  const locks = new Locks();
  const sessions: Session[] = [];
  for (let number = 0; number < (options.sessions ?? 4); number += 1) {
    const client = await database.connect();
    // Nothing ever waits for a lock; if the generator is wrong about that it shall say so.
    await client.query("SET lock_timeout = '10s'");
    sessions.push(new Session(client, locks.forSession(number), random));
  }
  let begun = 0;
  while (begun < options.transactions || sessions.some((session) => session.open)) {
    const session = sessions[random.whole(0, sessions.length - 1)]!;
    if (session.open) {
      await session.goOn();
    } else if (begun < options.transactions) {
      begun += 1;
      await options.onTransaction?.(begun);
      await session.begin();
    }
  }
  for (const session of sessions) await session.end();
  const total = (count: (session: Session) => number): number => sessions.reduce((sum, one) => sum + count(one), 0);
  return {
    committed: total((session) => session.committed),
    rolledBack: total((session) => session.rolledBack),
    statements: total((session) => session.statements),
  };
}

class Session {
  committed = 0;
  rolledBack = 0;
  statements = 0;
  readonly #client: pg.Client;
  readonly #place: Place;
  readonly #random: SeededRandom;
  #stepsLeft = 0;
  #savepoints = 0;
  #open = false;

  constructor(client: pg.Client, place: Place, random: SeededRandom) {
    this.#client = client;
    this.#place = place;
    this.#random = random;
  }

  get open(): boolean {
    return this.#open;
  }

  async begin(): Promise<void> {
    await this.#run('BEGIN');
    this.#open = true;
    const size: () => number = this.#random.weighted([
      [4, () => 1],
      [4, () => this.#random.whole(2, 8)],
      [1, () => this.#random.whole(20, 50)],
    ]);
    this.#stepsLeft = size();
  }

  /** The transaction's next step, its end included. */
  async goOn(): Promise<void> {
    if (this.#stepsLeft === 0) return this.#finish();
    this.#stepsLeft -= 1;
    const kind: 'write' | 'savepoint' | 'mistake' | 'undo' = this.#random.weighted([
      [10, 'write'],
      [1, 'savepoint'],
      [0.5, 'mistake'],
      [1, 'undo'],
    ]);
    if (kind === 'write') {
      for (const statement of chooseStep(this.#random, this.#place)) await this.#run(statement);
    } else if (kind === 'savepoint' || this.#savepoints === 0) {
      this.#savepoints += 1;
      await this.#run(`SAVEPOINT s${this.#savepoints}`);
    } else {
      if (kind === 'mistake') await this.#client.query('SELECT 1 / 0').catch(() => undefined);
      const forget = kind === 'mistake' || this.#random.chance(0.6);
      await this.#run(`${forget ? 'ROLLBACK TO' : 'RELEASE'} s${this.#savepoints}`);
      // Rolled back to, a savepoint is still there, and may be again.
      if (!forget || this.#random.chance(0.5)) {
        if (forget) await this.#run(`RELEASE s${this.#savepoints}`);
        this.#savepoints -= 1;
      }
    }
  }

  async #finish(): Promise<void> {
    const commit = this.#random.chance(0.85);
    await this.#run(commit ? 'COMMIT' : 'ROLLBACK');
    if (commit) this.committed += 1;
    else this.rolledBack += 1;
    this.#open = false;
    this.#savepoints = 0;
    this.#place.release();
  }

  async #run(statement: string): Promise<void> {
    this.statements += 1;
    try {
      await this.#client.query(statement);
    } catch (error) {
      throw new Error(`The workload's statement failed: ${statement.slice(0, 500)}`, { cause: error });
    }
  }

  async end(): Promise<void> {
    await this.#client.end();
  }
}
