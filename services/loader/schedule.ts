/** Tables that are loaded as one: a table, or several whose foreign keys form a circle. */
export interface Unit<Job> {
  /** Names of its tables. */
  readonly tables: readonly string[];
  /** Names of tables that must be loaded before it begins. */
  readonly after: readonly string[];
  readonly jobs: readonly Job[];
  /** Once it is begun it is finished in the same snapshot, or all of it is read again. */
  readonly atOnce: boolean;
}

interface Running<Job> {
  readonly unit: Unit<Job>;
  next: number;
  left: number;
}

/**
 * Hands out a load's jobs: parents of foreign keys before their children, so many tables at once and no more, and of a table that is
 * begun all before the next one begins.
 */
export class Schedule<Job> {
  readonly #mostTables: number;
  readonly #mayBegin: () => boolean;
  #waiting: Unit<Job>[];
  readonly #running: Running<Job>[] = [];
  readonly #byJob = new Map<Job, Running<Job>>();
  readonly #unfinished: Set<string>;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();

  /** @param mayBegin asked before each job; with false only what must be finished at once goes on */
  constructor(units: readonly Unit<Job>[], mostTables: number, mayBegin: () => boolean = () => true) {
    this.#mostTables = mostTables;
    this.#mayBegin = mayBegin;
    this.#waiting = units.filter(({ jobs }) => jobs.length > 0);
    this.#unfinished = new Set(this.#waiting.flatMap(({ tables }) => tables));
  }

  /** Whether everything has been loaded. */
  get isDone(): boolean {
    return this.#unfinished.size === 0;
  }

  /** The next job, as soon as there is one; undefined when there will be none any more. */
  async take(signal: AbortSignal): Promise<Job | undefined> {
    for (;;) {
      signal.throwIfAborted();
      const job = this.#next();
      if (job !== undefined) return job;
      // What is still to come waits for tables that are being loaded.
      if (this.#running.length === 0) return undefined;
      await this.#wake.promise;
    }
  }

  /** @returns the unit's tables when this was its last job */
  finished(job: Job): readonly string[] | undefined {
    const running = this.#byJob.get(job)!;
    this.#byJob.delete(job);
    running.left--;
    const done = running.left === 0 && running.next === running.unit.jobs.length;
    if (done) for (const table of running.unit.tables) this.#unfinished.delete(table);
    if (running.left === 0 && (done || !this.#isOpen(running.unit))) {
      this.#running.splice(this.#running.indexOf(running), 1);
      this.wake();
    }
    return done ? running.unit.tables : undefined;
  }

  /** Lets all who wait look again: something has changed, or nothing will come any more. */
  wake(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #next(): Job | undefined {
    for (const running of this.#running) {
      if (running.next < running.unit.jobs.length && this.#isOpen(running.unit)) return this.#hand(running);
    }
    if (this.#running.length >= this.#mostTables || !this.#mayBegin()) return undefined;
    const ready = this.#waiting.find(({ after }) => !after.some((table) => this.#unfinished.has(table)));
    if (ready === undefined) return undefined;
    this.#waiting = this.#waiting.filter((unit) => unit !== ready);
    const running = { unit: ready, next: 0, left: 0 };
    this.#running.push(running);
    return this.#hand(running);
  }

  #isOpen({ atOnce }: Unit<Job>): boolean {
    return atOnce || this.#mayBegin();
  }

  #hand(running: Running<Job>): Job {
    const job = running.unit.jobs[running.next++]!;
    running.left++;
    this.#byJob.set(job, running);
    return job;
  }
}
