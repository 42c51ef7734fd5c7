import { SeededRandom } from '#services/demo/random.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { Loop } from './loop.ts';
import { SteadyClient } from './steady-client.ts';

/**
 * An automaton for each row: version 1, 2, 3 … one at a time, then gone for good. `walk` holds the state each row is in, `step` every state
 * that it was in, in the order of the source's commits. So the target can be asked what loss, repetition and reordering look like, and they
 * do not look alike: see watcher.ts.
 */
const WALK = `CREATE TABLE walk (id bigint PRIMARY KEY, version bigint NOT NULL, sum text NOT NULL, body text)`;
const STEP = `CREATE TABLE step (id bigint, version bigint, n bigint NOT NULL UNIQUE, txn bigint NOT NULL, gone boolean NOT NULL, PRIMARY KEY (id, version))`;
/** The target notes by itself which of its transactions has brought a row: a default, no trigger. */
const ARRIVED = `ALTER TABLE step ADD COLUMN arrived bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint`;

/** What a row says of itself when it is whole: columns of two versions do not agree. */
export const WHOLE = `sum = md5(id || '/' || version)`;

export async function createWalk(source: TestDatabase, target: TestDatabase): Promise<void> {
  await source.query(`${WALK}; ${STEP}`);
  await target.query(`${WALK}; ${STEP}; ${ARRIVED}`);
}

const ROWS = 40;
/** Unchanged most of the time, and too large to be kept in the row: the "unchanged" of an update. (Promise 4) */
const BODY = `repeat(md5(random()::text), 150)`;

interface Walking {
  readonly id: number;
  readonly version: number;
}

/** Walks the rows at the source, a few in each transaction, until it is stopped. Servers may die under it. */
export class Walker {
  readonly #client: SteadyClient;
  readonly #random: SeededRandom;
  #rows: Walking[] = [];
  #n = 0;
  #txn = 0;
  #born = 0;
  #known = false;
  readonly loop: Loop;
  transactions = 0;

  /**
   * @param url of the source, asked again at each connect
   * @param slowness how many times as long the pauses are
   */
  constructor(url: () => string, seed: number, slowness = 1) {
    this.#client = new SteadyClient(url);
    this.#random = new SeededRandom(seed, 1);
    this.loop = new Loop(
      () => this.#walk(),
      () => slowness * this.#random.whole(2, 20),
      () => {
        // Committed or not: the source knows.
        this.#known = false;
      },
    );
  }

  /** After the transaction in hand. Rejects with what made it fail. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.#client.end();
  }

  async #walk(): Promise<void> {
    if (!this.#known) await this.#look();
    await this.#transact();
    this.transactions += 1;
  }

  async #look(): Promise<void> {
    const rows = await this.#client.query<{ id: string; version: string }>('SELECT id, version FROM walk');
    const [last] = await this.#client.query<{ n: string; txn: string; born: string }>(
      'SELECT coalesce(max(n), 0) AS n, coalesce(max(txn), 0) AS txn, coalesce(max(id), 0) AS born FROM step',
    );
    this.#rows = rows.map(({ id, version }) => ({ id: Number(id), version: Number(version) }));
    [this.#n, this.#txn, this.#born] = [Number(last!.n), Number(last!.txn), Number(last!.born)];
    this.#known = true;
  }

  async #transact(): Promise<void> {
    this.#txn += 1;
    const statements = ['BEGIN'];
    const rows = [...this.#rows];
    const count = this.#random.whole(1, 4);
    for (let each = 0; each < count; each += 1) statements.push(...this.#step(rows));
    const commits = !this.#random.chance(0.05);
    await this.#client.query([...statements, commits ? 'COMMIT' : 'ROLLBACK'].join('; '));
    if (commits) this.#rows = rows;
    else this.#known = false;
  }

  #step(rows: Walking[]): string[] {
    if (rows.length < ROWS) return this.#birth(rows);
    const at = this.#random.whole(0, rows.length - 1);
    const { id, version } = rows[at]!;
    if (this.#random.chance(0.1)) {
      rows.splice(at, 1);
      return [`DELETE FROM walk WHERE id = ${id}`, this.#noted(id, version + 1, true)];
    }
    rows[at] = { id, version: version + 1 };
    const body = this.#random.chance(0.1) ? `, body = ${BODY}` : '';
    return [
      `UPDATE walk SET version = ${version + 1}, sum = md5('${id}/${version + 1}')${body} WHERE id = ${id}`,
      this.#noted(id, version + 1, false),
    ];
  }

  #birth(rows: Walking[]): string[] {
    const id = (this.#born += 1);
    rows.push({ id, version: 1 });
    return [`INSERT INTO walk VALUES (${id}, 1, md5('${id}/1'), ${BODY})`, this.#noted(id, 1, false)];
  }

  #noted(id: number, version: number, gone: boolean): string {
    this.#n += 1;
    return `INSERT INTO step VALUES (${id}, ${version}, ${this.#n}, ${this.#txn}, ${gone})`;
  }
}
