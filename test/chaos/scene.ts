import { eventually, Hopeless } from '#test/support/eventually.ts';
import { createDatabase, type TestDatabase } from '#test/support/database.ts';
import { openInstallation, type Installation, type TestPair } from '#test/support/installation.ts';
import { startPostgres, type Settings, type TestPostgres } from '#test/support/postgres.ts';
import { openProxy, type Proxy } from '#test/support/proxy.ts';
import { expectSameRows } from '#test/support/rows.ts';
import type { ServiceProcess } from '#test/support/service-process.ts';
import { FAST } from '#test/support/shared-servers.ts';
import type { ErrorCode } from '#schemas/errors.ts';
import { Auditor } from './auditor.ts';
import { createWalk, Walker } from './automaton.ts';
import { createBank, Mover } from './bank.ts';
import { Watcher } from './watcher.ts';

/** A database with the server it is in, and the only way by which the service reaches it. */
export interface End {
  readonly server: TestPostgres;
  readonly database: TestDatabase;
  readonly proxy: Proxy;
}

export type EndName = 'source' | 'target' | 'control';

export interface SceneOptions {
  readonly seed: number;
  readonly brokers?: readonly string[] | undefined;
  /** How many times as long the source pauses between transactions: for scenes that have less of the machine left; 1 when left out. */
  readonly slowness?: number;
  readonly sourceSettings?: Settings;
  /** A source that is there already, with a server that somebody else ends. */
  readonly source?: { readonly server: TestPostgres; readonly database: TestDatabase };
  /** More variables for the service. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Before anything is made in the control database. */
  readonly prepareControl?: (server: TestPostgres) => Promise<void>;
  /** Before tables are made at the target. */
  readonly prepareTarget?: (target: Pick<End, 'server' | 'database'>) => Promise<void>;
  /** More tables at the source. */
  readonly prepareSource?: (source: TestDatabase) => Promise<void>;
}

/** Quick to notice who is gone, as servers across a network would be set up. */
const SOURCE: Settings = { ...FAST, wal_sender_timeout: '10s' };

/**
 * A pair that streams between two servers of its own while rows walk and money moves at the source; the service is a process, and reaches
 * source, target and control database through proxies. Faults come to it one after the other.
 */
export class Scene implements AsyncDisposable {
  readonly target: End;
  readonly control: End;
  readonly installation: Installation;
  readonly pair: TestPair;
  readonly walker: Walker;
  readonly mover: Mover;
  #source: End;
  #service: ServiceProcess;
  #observers: readonly [Auditor, Watcher] | undefined;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    ends: Readonly<Record<EndName, End>>,
    parts: { readonly installation: Installation; readonly pair: TestPair; readonly options: SceneOptions },
    stack: AsyncDisposableStack,
  ) {
    this.#source = ends.source;
    this.target = ends.target;
    this.control = ends.control;
    this.installation = parts.installation;
    this.pair = parts.pair;
    this.#stack = stack;
    this.#service = this.#start();
    const url = (): string => this.source.database.url;
    const { seed, slowness } = parts.options;
    this.walker = new Walker(url, seed, slowness);
    this.mover = new Mover(url, seed, slowness);
    this.mover.beKind();
  }

  /** Resolves once the pair streams and is watched. */
  static async open(options: SceneOptions): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const own = async (settings: Settings): Promise<TestPostgres> => stack.use(await startPostgres({ settings }));
    const end = async (server: TestPostgres, database: TestDatabase): Promise<End> => ({
      server,
      database,
      proxy: stack.use(await openProxy(server.host, server.port)),
    });
    const [from, to, kept] = [
      options.source ?? (await serverWith(await own({ ...SOURCE, ...options.sourceSettings }), 'source')),
      await serverWith(await own(FAST), 'target'),
      await own(FAST),
    ];
    await options.prepareControl?.(kept);
    await options.prepareTarget?.(to);
    await options.prepareSource?.(from.database);
    const [source, target] = [await end(from.server, from.database), await end(to.server, to.database)];
    await createBank(source.database, target.database);
    await createWalk(source.database, target.database);
    const installation = stack.use(
      await openInstallation({
        server: kept.url(),
        ...(options.brokers && { brokers: options.brokers }),
        ...(options.environment && { environment: options.environment }),
      }),
    );
    const pair = await installation.addPair({
      source: source.database,
      target: target.database,
      sourceUrl: source.proxy.through(source.database.url),
      targetUrl: target.proxy.through(target.database.url),
    });
    const control = await end(kept, installation.controlDatabase);
    const scene = new Scene({ source, target, control }, { installation, pair, options }, stack.move());
    try {
      await scene.pair.until('streaming', 120_000);
      await scene.observe();
    } catch (error) {
      const said = scene.lastWords();
      await scene[Symbol.asyncDispose]();
      throw new Error(`The scene could not be set:\n${said}`, { cause: error });
    }
    return scene;
  }

  get source(): End {
    return this.#source;
  }

  end(name: EndName): End {
    return name === 'source' ? this.#source : name === 'target' ? this.target : this.control;
  }

  get service(): ServiceProcess {
    return this.#service;
  }

  /** After it has ended. */
  startService(): void {
    this.#service = this.#start();
  }

  #start(): ServiceProcess {
    const { url } = this.control.database;
    return this.installation.startProcess({ DATABASE_URL: this.control.proxy.through(url) });
  }

  /** The source is another server from now on, under the same address. */
  moveSource(server: TestPostgres, database: TestDatabase): void {
    const { proxy } = this.#source;
    proxy.leadTo(server.host, server.port);
    this.#source = { server, database, proxy };
  }

  /** Reads the target all the time from now on: nothing wrong may ever be seen there. */
  async observe(): Promise<void> {
    this.#observers ??= [new Auditor(this.target.database), await Watcher.start(this.target.database)];
  }

  /** Rejects with what was seen. */
  async unobserve(): Promise<void> {
    const observers = this.#observers;
    this.#observers = undefined;
    for (const observer of observers ?? []) await observer.stop();
  }

  /** The source rests: what is under way there has ended. */
  async rest(): Promise<void> {
    await Promise.all([this.walker.loop.rest(), this.mover.loop.rest()]);
  }

  goOn(): void {
    this.walker.loop.goOn();
    this.mover.loop.goOn();
  }

  /** Resolves once the pair, or the reader of its source, says that it is in this trouble. */
  async untilTold(code: ErrorCode, within = 120_000): Promise<void> {
    let told = '';
    await eventually(
      async () => {
        told = (await this.#troubles()).join('; ');
        return told.includes(`${code}:`);
      },
      { within, every: 50, what: `the service to say ${code}` },
    ).catch((cause: unknown) => {
      throw new Error(`It says: ${told || 'nothing'}`, { cause });
    });
  }

  /** Resolves once the source may forget more than up to there: the bus has it. */
  async untilConfirmed(lsn: string): Promise<void> {
    await eventually(
      () =>
        this.source.database.value<boolean>(
          'SELECT confirmed_flush_lsn > $1::pg_lsn FROM pg_replication_slots WHERE database = current_database() AND NOT temporary',
          [lsn],
        ),
      { within: 60_000, what: `the slot to move on from ${lsn}` },
    );
  }

  /** Resolves once what this pair's target holds was written by a service that began after now. */
  async untilTakenOver(within = 120_000): Promise<void> {
    const held = (): Promise<string> =>
      this.control.database.value(`SELECT token::text FROM terrafusion.leases WHERE name = 'pair:${this.pair.id}'`);
    const before = await held();
    await eventually(async () => (await held()) !== before, { within, every: 100, what: 'somebody else to take over' });
    await this.untilInStep();
  }

  /** Resolves with the pair's error once it has halted. */
  async untilHalted(within = 120_000): Promise<string> {
    return eventually(
      async () => {
        const { state, error } = await this.pair.state();
        return state === 'failed' && (error ?? 'without an error');
      },
      { within, every: 50, what: 'the pair to halt' },
    );
  }

  async #troubles(): Promise<string[]> {
    const { sourceId } = await this.installation.control.pairs.get(this.pair.id);
    const reader = (await this.installation.control.sourceStatuses.of(sourceId))?.error;
    const { error } = await this.pair.state();
    return [error, reader && `${reader.code}: ${reader.message}`].filter((each) => each !== undefined);
  }

  /** Resolves once the pair is well, and what is committed at the source from now on has arrived. */
  async untilInStep(within = 150_000): Promise<void> {
    const deadline = performance.now() + within;
    const left = (): number => Math.max(1000, deadline - performance.now());
    let told = '';
    try {
      await eventually(
        async () => {
          const { state, error } = await this.pair.state();
          told = `${state}, ${error ?? 'without an error'}`;
          if (state === 'failed') throw new Hopeless(`It has halted: ${error ?? 'nobody knows why'}`);
          return state === 'streaming' && error === undefined;
        },
        { within: left(), every: 50, what: 'the pair to stream' },
      );
      const lsn = await eventually(
        async (): Promise<string> =>
          this.source.database.value(`SELECT pg_logical_emit_message(true, 'terrafusion.fence', '')`),
        { within: left(), what: 'the source' },
      );
      await eventually(() => this.#hasPassed(lsn), { within: left(), every: 50, what: `the target to have ${lsn}` });
    } catch (cause) {
      const troubles = (await this.#troubles().catch(() => [])).join('; ');
      const reached = await this.#reached().catch(() => 'which cannot be asked');
      throw new Error(`The pair is ${told} [${troubles}]; ${reached}\n${this.lastWords()}`, { cause });
    }
  }

  /** How far it is, and what its session at the target does. */
  async #reached(): Promise<string> {
    const progress = await this.installation.control.database.query(
      'SELECT commit_lsn::text, next_offset::text, lag_bytes::text, lag_seconds::text FROM terrafusion.pair_progress',
    );
    const sessions = await this.target.database.query(
      `SELECT state, wait_event_type, wait_event, left(query, 60) AS query FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'terrafusion writer%'`,
    );
    return JSON.stringify({ progress, sessions });
  }

  async #hasPassed(lsn: string): Promise<boolean> {
    const [row] = await this.target.database.query<{ passed: boolean }>(
      'SELECT commit_lsn >= $2::pg_lsn AS passed FROM _terrafusion.applied_positions WHERE pair_id = $1',
      [this.pair.id, lsn],
    );
    return row?.passed === true;
  }

  /** With the source at rest: every row as text, every step of every row, and no dead letter for what nothing was wrong with. */
  async expectEqual(): Promise<void> {
    await this.rest();
    await this.untilInStep();
    const watcher = this.#observers![1];
    await expectSameRows(this.source.database, this.target.database);
    await watcher.judge(this.source.database, this.target.database);
    const letters = await this.pair.deadLetters();
    if (letters.length > 0) throw new Error(`Nothing was wrong with any row, but: ${JSON.stringify(letters[0])}`);
    this.goOn();
  }

  /** The end of the service's log, short. */
  lastWords(): string {
    const lines = this.#service.said.split('\n').slice(-25);
    return lines.map((line) => shortened(line)).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = [this.walker.stop(), this.mover.stop(), this.unobserve()];
    await Promise.allSettled(ended);
    await this.#stack.disposeAsync();
  }
}

async function serverWith(server: TestPostgres, name: string): Promise<Pick<End, 'server' | 'database'>> {
  return { server, database: await createDatabase(server.url(), name) };
}

function shortened(line: string): string {
  try {
    const { level, time, message, code, error } = JSON.parse(line) as Record<string, unknown>;
    const reason = (error as { message?: unknown } | undefined)?.message;
    return [time, level, message, code, reason].filter((each) => typeof each === 'string').join(' | ');
  } catch {
    return line.slice(0, 300);
  }
}
