import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { SourceSnapshot } from '#connectors/contract/source.ts';
import type { TargetLoad } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { copyJob, type Hands } from './copy.ts';
import type { LoadOptions } from './options.ts';
import type { Job, LoadPlan, Part } from './plan.ts';
import type { Schedule } from './schedule.ts';
import { Throttle } from './throttle.ts';

/** Connections a table: more than two ranges at once gain nothing on one disk. */
const CONNECTIONS_A_TABLE = 2;

export interface Failure {
  readonly error: unknown;
  readonly job: Job;
}

/** @returns what ended it, when it was a job's failure. @throws everything else */
export async function runWorkers(
  options: LoadOptions,
  load: TargetLoad,
  snapshot: SourceSnapshot,
  schedule: Schedule<Job>,
  { units, resumed }: LoadPlan,
  outer: ConnectorContext,
): Promise<Failure | undefined> {
  const { parallelTables, parallelChunks, rowsPerSecond, bytesPerSecond } = options.limits;
  const stop = new AbortController();
  const context: ConnectorContext = { ...outer, signal: AbortSignal.any([outer.signal, stop.signal]) };
  const throttle = new Throttle(outer.clock, { rows: rowsPerSecond, bytes: bytesPerSecond });
  const refused = new RefusedBytes(options, context);
  let failure: Failure | undefined;
  const worker = async (): Promise<void> => {
    await using hands = new Worker(options, load, { snapshot, throttle, resumed }, refused, context);
    for (let job = await schedule.take(context.signal); job !== undefined; job = await schedule.take(context.signal)) {
      try {
        await hands.copy(job);
      } catch (error) {
        failure ??= { error, job };
        throw error;
      }
      const tables = schedule.finished(job);
      if (tables === undefined) continue;
      for (const { load: table } of job.parts) options.observer.tableDone(table.shape.table);
      crashPoint(crashPoints.LOADER_BETWEEN_TABLES);
    }
  };
  const jobs = units.reduce((sum, unit) => sum + unit.jobs.length, 0);
  const workers = Math.min(parallelChunks, parallelTables * CONNECTIONS_A_TABLE, jobs);
  const woken = (): void => {
    schedule.wake();
  };
  context.signal.addEventListener('abort', woken, { once: true });
  const ended = await Promise.allSettled(
    Array.from({ length: workers }, () =>
      worker().catch((error: unknown) => {
        // The others' work is given up: their transactions end with their connections.
        stop.abort(error);
        throw error;
      }),
    ),
  );
  context.signal.removeEventListener('abort', woken);
  outer.signal.throwIfAborted();
  if (failure !== undefined) return failure;
  const broken = ended.find((one) => one.status === 'rejected');
  if (broken !== undefined) throw broken.reason as Error;
  return undefined;
}

/** Tables whose bytes the target has refused: from then on they go over as text. */
class RefusedBytes {
  readonly #tables = new Set<string>();
  readonly #options: LoadOptions;
  readonly #context: ConnectorContext;

  constructor(options: LoadOptions, context: ConnectorContext) {
    this.#options = options;
    this.#context = context;
  }

  /** The job as it is to be tried. */
  avoidedBy(job: Job): Job {
    return { ...job, parts: job.parts.map((part) => (this.#isRefused(part) ? { ...part, format: 'text' } : part)) };
  }

  /**
   * Whether the job is to be tried once more, as text. A row that the target refuses it refuses in either format; what it says to its text is
   * what counts, and a person can look for. That it would refuse bytes only, should it ever happen, costs a chunk that is read twice.
   */
  note({ parts }: Job, error: unknown): boolean {
    const sent = parts.filter(({ format }) => format === 'binary');
    const isRefusal = error instanceof TerraFusionError && error.code === 'TARGET_ROW_REJECTED';
    if (sent.length === 0 || !isRefusal || this.#context.signal.aborted) return false;
    const tables = sent.map(nameOf);
    for (const table of tables) this.#tables.add(table);
    this.#context.log.debug(
      { pair: this.#options.pairId, error, tables },
      'The target has refused a chunk in the binary format; it is copied as text.',
    );
    return true;
  }

  #isRefused(part: Part): boolean {
    return this.#tables.has(nameOf(part));
  }
}

const nameOf = ({ load }: Part): string => formatTableName(load.target);

/** A connection at either end, opened when the first job comes. */
class Worker implements AsyncDisposable {
  readonly #options: LoadOptions;
  readonly #load: TargetLoad;
  readonly #shared: Pick<Hands, 'throttle' | 'resumed'> & { readonly snapshot: SourceSnapshot };
  readonly #refused: RefusedBytes;
  readonly #context: ConnectorContext;
  #hands: Hands | undefined;
  #connections = new AsyncDisposableStack();

  constructor(
    options: LoadOptions,
    load: TargetLoad,
    shared: Pick<Hands, 'throttle' | 'resumed'> & { readonly snapshot: SourceSnapshot },
    refused: RefusedBytes,
    context: ConnectorContext,
  ) {
    this.#options = options;
    this.#load = load;
    this.#shared = shared;
    this.#refused = refused;
    this.#context = context;
  }

  async copy(job: Job): Promise<void> {
    const tried = this.#refused.avoidedBy(job);
    try {
      await copyJob(tried, await this.#open(), this.#options, this.#context);
    } catch (error) {
      if (!this.#refused.note(tried, error)) throw error;
      // What has failed at either end is of no more use.
      await this[Symbol.asyncDispose]();
      await copyJob(this.#refused.avoidedBy(job), await this.#open(), this.#options, this.#context);
    }
  }

  async #open(): Promise<Hands> {
    const { snapshot } = this.#shared;
    return (this.#hands ??= {
      ...this.#shared,
      reader: this.#connections.use(await snapshot.openReader(this.#context)),
      session: this.#connections.use(await this.#load.openSession(this.#context)),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connections = this.#connections;
    this.#connections = new AsyncDisposableStack();
    this.#hands = undefined;
    await connections.disposeAsync();
  }
}
