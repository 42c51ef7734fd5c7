import type { TestDatabase } from '#test/support/database.ts';
import { WHOLE } from './automaton.ts';
import { Loop } from './loop.ts';
import { SteadyClient } from './steady-client.ts';

/** One statement sees one moment: the state of each row, and the last step of it that is noted. */
const STATES = `SELECT id, version, ${WHOLE} AS whole, (SELECT max(version) FROM step WHERE step.id = walk.id) AS stepped FROM walk`;

interface State {
  readonly id: string;
  readonly version: string;
  readonly whole: boolean;
  readonly stepped: string | null;
}

/** What no reader of the target may ever see. Each names what has happened, and to which row. */
export class WrongAtTarget extends Error {
  override readonly name = 'WrongAtTarget';
}

/** Reads the states of all rows at the target, again and again, and knows what may follow what. */
export class Watcher {
  readonly #client: SteadyClient;
  readonly #seen = new Map<string, bigint>();
  readonly #gone = new Set<string>();
  readonly loop: Loop;
  /** Steps up to here were there before it began: they came by the load. */
  readonly #since: bigint;
  looks = 0;

  private constructor(target: TestDatabase, since: bigint) {
    this.#since = since;
    this.#client = new SteadyClient(() => target.url);
    this.loop = new Loop(
      () => this.#watch(),
      () => 20,
    );
  }

  /** @param target whose pair streams: what a load brings comes table by table */
  static async start(target: TestDatabase): Promise<Watcher> {
    return new Watcher(target, BigInt(await target.value('SELECT coalesce(max(n), 0) FROM step')));
  }

  /** Rejects with what it has seen, if it has seen something. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.#client.end();
  }

  /** Everything has arrived: the way by which it came, told apart by what would be wrong with it. */
  async judge(source: TestDatabase, target: TestDatabase): Promise<void> {
    await expectNoStepLost(source, target);
    await expectNothingReordered(target, this.#since);
    await expectNothingSplit(target, this.#since);
  }

  async #watch(): Promise<void> {
    this.#look(await this.#client.query<State>({ name: 'states', text: STATES }));
    this.looks += 1;
  }

  #look(states: readonly State[]): void {
    const there = new Set<string>();
    for (const { id, version: text, whole, stepped } of states) {
      there.add(id);
      const version = BigInt(text);
      const before = this.#seen.get(id) ?? 0n;
      if (!whole) throw new WrongAtTarget(`torn: row ${id} holds columns of two versions, ${text} being one`);
      if (stepped !== text)
        throw new WrongAtTarget(
          `half a transaction: row ${id} is in state ${text}, its last step is ${stepped ?? 'none'}`,
        );
      if (version < before)
        throw new WrongAtTarget(`repetition: row ${id} went back from ${before.toString()} to ${text}`);
      if (this.#gone.has(id)) throw new WrongAtTarget(`repetition: row ${id} was deleted and is there again`);
      this.#seen.set(id, version);
    }
    for (const id of this.#seen.keys()) {
      if (there.has(id)) continue;
      this.#seen.delete(id);
      this.#gone.add(id);
    }
  }
}

/** Loss: a step of the source that the target does not have; the other way round it is one that the source never made. */
async function expectNoStepLost(source: TestDatabase, target: TestDatabase): Promise<void> {
  const text = 'SELECT id, version, n, txn FROM step ORDER BY n';
  const [made, arrived] = await Promise.all([source.query<Step>(text), target.query<Step>(text)]);
  const [lost, invented] = [beyond(made, arrived), beyond(arrived, made)];
  if (lost.length > 0) throw new WrongAtTarget(`loss: ${describe(lost)} of ${made.length} steps never arrived`);
  if (invented.length > 0) throw new WrongAtTarget(`invention: ${describe(invented)} are only at the target`);
}

/** Reordering: of two steps the later one was brought by an earlier transaction of the target. */
async function expectNothingReordered(target: TestDatabase, since: bigint): Promise<void> {
  const rows = await target.query<Step>(
    `SELECT id, version, n, txn FROM (
       SELECT *, max(arrived) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM step WHERE n > $1
     ) AS steps WHERE arrived < before ORDER BY n`,
    [since.toString()],
  );
  if (rows.length > 0) throw new WrongAtTarget(`reordering: ${describe(rows)} arrived before what came before them`);
}

/** Promise 3: all steps of a source transaction were brought by one transaction of the target. */
async function expectNothingSplit(target: TestDatabase, since: bigint): Promise<void> {
  const rows = await target.query<{ txn: string }>(
    'SELECT txn FROM step WHERE n > $1 GROUP BY txn HAVING count(DISTINCT arrived) > 1 ORDER BY 1',
    [since.toString()],
  );
  if (rows.length > 0) throw new WrongAtTarget(`half a transaction: ${rows.length} source transactions came in parts`);
}

interface Step {
  readonly id: string;
  readonly version: string;
  readonly n: string;
  readonly txn: string;
}

function beyond(one: readonly Step[], other: readonly Step[]): Step[] {
  const key = ({ id, version, n }: Step): string => `${id}/${version}/${n}`;
  const there = new Set(other.map(key));
  return one.filter((step) => !there.has(key(step)));
}

function describe(steps: readonly Step[]): string {
  const shown = steps.slice(0, 5).map(({ id, version, n, txn }) => `${id}/${version} (n ${n}, transaction ${txn})`);
  return `${steps.length} steps [${shown.join(', ')}${steps.length > shown.length ? ', …' : ''}]`;
}
