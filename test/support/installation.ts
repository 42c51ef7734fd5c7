import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConnector } from '#connectors/registry.ts';
import type { ErrorCode } from '#schemas/errors.ts';
import { pairConfig, tableInput, type PairState } from '#schemas/pairs.ts';
import type { Control } from '#services/control/control.ts';
import { silentLog, type Log } from '#services/kernel/log.ts';
import { loadSettings, type Settings } from '#services/kernel/settings.ts';
import { openControlDatabase } from '#services/control/open.ts';
import { syncService } from '#services/sync-service/main.ts';
import type { z } from 'zod';
import { createDatabase, type TestDatabase } from './database.ts';
import { eventually, Hopeless } from './eventually.ts';
import { ServiceProcess } from './service-process.ts';

export interface InstallationOptions {
  /** Superuser's URL of the server in which the control database is made. */
  readonly server: string;
  /** Kafka; the embedded bus when left out. */
  readonly brokers?: readonly string[];
  /** More variables, for every process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface NewTestPair {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  /** A pair whose registered source this one shares: one reader serves both. */
  readonly sourceOf?: TestPair;
  /** Other URLs to reach them by: another user, a wrong password. */
  readonly sourceUrl?: string;
  readonly targetUrl?: string;
  /** More fields of the source's connection. */
  readonly sourceSettings?: Readonly<Record<string, unknown>>;
  /** As in the API; every table when left out. */
  readonly tables?: readonly z.input<typeof tableInput>[];
  readonly config?: z.input<typeof pairConfig>;
  /** "running" when left out. */
  readonly desired?: 'running' | 'paused';
}

/** A service that runs within the test's own process. */
export interface RunningService extends AsyncDisposable {
  /** Tells it to stop and waits until it has drained. Rejects with what made it fail. */
  stop(): Promise<void>;
}

/** The product as somebody would run it, small: control database, data folder, bus; and sync-services to start, kill and start again. */
export interface Installation extends AsyncDisposable {
  readonly control: Control;
  readonly controlDatabase: TestDatabase;
  readonly settings: Settings;
  /** Registers both ends and makes the pair. */
  addPair(pair: NewTestPair): Promise<TestPair>;
  /** Starts a sync-service within this process. */
  start(log?: Log): RunningService;
  /** Starts `terrafusion sync-service` as a process of its own. */
  startProcess(environment?: Readonly<Record<string, string>>): ServiceProcess;
  /** Ends every service that still runs, and removes control database and data folder. */
  close(): Promise<void>;
}

export interface TestPair {
  readonly id: string;
  state(): Promise<{ readonly state: PairState; readonly error: string | undefined }>;
  /** Resolves once the pair is in the state. Rejects at once, with its error, when it fails instead. */
  until(state: PairState, within?: number): Promise<void>;
  /** Resolves once its first load has chosen the place from which its stream begins. */
  untilBegun(within?: number): Promise<void>;
  /** Resolves with the pair's error once it is one of this code, whether it heals or not. */
  untilError(code: ErrorCode, within?: number): Promise<string>;
  /** Lets the schema change through that the pair waits for. */
  approve(): Promise<void>;
  /** Resolves once everything committed at the source before the call is at the target. */
  fence(within?: number): Promise<void>;
  /** The newest dead letters, at most a hundred. */
  deadLetters(): Promise<readonly { readonly code: string; readonly reason: string }[]>;
  countDeadLetters(): Promise<number>;
  /** Resolves once nothing is left of the pair, after it was deleted. */
  untilPurged(within?: number): Promise<void>;
}

export async function openInstallation(options: InstallationOptions): Promise<Installation> {
  const database = await createDatabase(options.server, 'control');
  const folder = await mkdtemp(join(tmpdir(), 'terrafusion-data-'));
  const environment: Readonly<Record<string, string>> = {
    DATABASE_URL: database.url,
    TERRAFUSION_DATA: folder,
    TERRAFUSION_MASTER_KEY: randomBytes(24).toString('hex'),
    SYNCSERVICE_API_KEY: randomBytes(24).toString('hex'),
    SYNC_SERVICE_PORT: '0',
    ...(options.brokers && { KAFKA_BROKERS: options.brokers.join(',') }),
    ...options.environment,
  };
  const settings = loadSettings(environment);
  const { control } = await openControlDatabase(settings, 'test', silentLog);
  const running: AsyncDisposable[] = [];
  const close = async (): Promise<void> => {
    for (const service of running) await service[Symbol.asyncDispose]();
    await control.database[Symbol.asyncDispose]();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  };
  return {
    control,
    controlDatabase: database,
    settings,
    addPair: (pair) => addPair(control, pair),
    start: (log = silentLog) => {
      const service = startService(settings, log);
      running.push(service);
      return service;
    },
    startProcess: (more = {}) => {
      const service = new ServiceProcess({ ...environment, ...more });
      running.push(service);
      return service;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function startService(settings: Settings, log: Log): RunningService {
  const abort = new AbortController();
  let failure: unknown;
  const finished = syncService(settings, { log })
    .run(abort.signal)
    .catch((error: unknown) => {
      failure = error;
    });
  return {
    stop: async () => {
      abort.abort();
      await finished;
      if (failure !== undefined) throw failure as Error;
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await finished;
    },
  };
}

async function addPair(control: Control, { source, target, ...rest }: NewTestPair): Promise<TestPair> {
  const number = randomBytes(3).toString('hex');
  const [from, to] = [
    rest.sourceOf === undefined
      ? await register(control, `source-${number}`, rest.sourceUrl ?? source.url, rest.sourceSettings)
      : (await control.pairs.get(rest.sourceOf.id)).sourceId,
    await register(control, `target-${number}`, rest.targetUrl ?? target.url),
  ];
  const { id } = await control.pairs.create({
    name: `pair-${number}`,
    sourceId: from,
    targetId: to,
    tables: rest.tables?.map((table) => tableInput.parse(table)),
    config: pairConfig.parse(rest.config ?? {}),
    desired: rest.desired ?? 'running',
  });
  return new Pair(control, id, source, target);
}

async function register(
  control: Control,
  name: string,
  url: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const connector = await loadConnector('postgres');
  const connection = connector.normalise(connector.settings.parse({ url, ...more })) as Record<string, unknown>;
  const system = { name, connector: connector.name, connection, secretFields: connector.secretFields };
  return (await control.systems.create(system)).id;
}

class Pair implements TestPair {
  readonly id: string;
  readonly #control: Control;
  readonly #source: TestDatabase;
  readonly #target: TestDatabase;

  constructor(control: Control, id: string, source: TestDatabase, target: TestDatabase) {
    this.#control = control;
    this.id = id;
    this.#source = source;
    this.#target = target;
  }

  async state(): Promise<{ state: PairState; error: string | undefined }> {
    const { state, error } = await this.#control.pairs.get(this.id);
    return { state, error: error && `${error.code}: ${error.message}` };
  }

  async until(wanted: PairState, within = 60_000): Promise<void> {
    let last = '';
    await eventually(
      async () => {
        const { state, error } = await this.state();
        last = `${state}, ${error ?? 'without an error'}`;
        if (state === 'failed' && wanted !== 'failed') throw new Hopeless('It has failed');
        return state === wanted;
      },
      { within, what: `the pair to be ${wanted}` },
    ).catch((cause: unknown) => {
      throw new Error(`The pair is ${last}`, { cause });
    });
  }

  async untilBegun(within = 60_000): Promise<void> {
    await eventually(async () => (await this.#control.pairs.get(this.id)).load.startOffset !== undefined, {
      within,
      what: 'the load to begin',
    });
  }

  async untilError(code: ErrorCode, within = 60_000): Promise<string> {
    let last = '';
    return eventually(
      async () => {
        const { state, error } = await this.state();
        last = `${state}, ${error ?? 'without an error'}`;
        return error?.startsWith(`${code}:`) ? error : undefined;
      },
      { within, what: `the pair to say ${code}` },
    ).catch((cause: unknown) => {
      throw new Error(`The pair is ${last}`, { cause });
    });
  }

  async approve(): Promise<void> {
    await this.#control.transaction(async ({ schemaChanges, runs }) => {
      await schemaChanges.approve(this.id, undefined, 'test');
      await runs.setDesired(this.id, 'running');
    });
  }

  async fence(within = 60_000): Promise<void> {
    const lsn = await this.#source.value(`SELECT pg_logical_emit_message(true, 'terrafusion.fence', '')`);
    const passed = async (): Promise<boolean> => {
      const { state, error } = await this.state();
      if (state === 'failed') throw new Hopeless(`The pair has failed: ${error ?? 'nobody knows why'}`);
      const rows = await this.#target.query<{ passed: boolean }>(
        'SELECT commit_lsn >= $2::pg_lsn AS passed FROM _terrafusion.applied_positions WHERE pair_id = $1',
        [this.id, lsn],
      );
      return rows[0]?.passed === true;
    };
    await eventually(passed, { within, what: `the pair to pass ${lsn}` });
  }

  async deadLetters(): Promise<readonly { readonly code: string; readonly reason: string }[]> {
    return (await this.#control.deadLetters.list({ pairId: this.id }, { limit: 100, cursor: undefined })).items;
  }

  async countDeadLetters(): Promise<number> {
    const [row] = await this.#control.database.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM terrafusion.dead_letters WHERE pair_id = $1',
      [this.id],
    );
    return row!.count;
  }

  async untilPurged(within = 60_000): Promise<void> {
    const isThere = async (): Promise<boolean> => (await this.#control.pairs.all()).some(({ id }) => id === this.id);
    await eventually(async () => !(await isThere()), { within, what: 'the deleted pair to be gone' });
  }
}
