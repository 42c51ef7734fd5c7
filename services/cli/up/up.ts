import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { Control } from '#services/control/control.ts';
import { Demo } from '#services/demo/demo.ts';
import type { AdminKey } from '#services/control/admin-key.ts';
import { startGateway, type RunningGateway } from '#services/gateway/main.ts';
import { pairSummary, pairTableView } from '#services/gateway/views.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { openDatabase } from '#services/kernel/database/index.ts';
import { exitCodeOf, exitCodes } from '#services/kernel/lifecycle.ts';
import { createLog, type KernelLog } from '#services/kernel/log.ts';
import { maskText } from '#services/kernel/masking.ts';
import { loadSettings, type Settings } from '#services/kernel/settings.ts';
import { GatewayClient } from '../gateway-client.ts';
import type { Terminal } from '../output.ts';
import { endOrphan, killSupervised, takeDataFolder } from './data-folder.ts';
import { demoGateway } from './demo-gateway.ts';
import { FigureKeeper, type PairsAndTables } from './figures.ts';
import { openLocalPostgres, type LocalPostgres } from './local-postgres.ts';
import { checkPorts } from './ports.ts';
import { createScreen, type Screen } from './screen.ts';
import { stopOnSignals } from './stop-signals.ts';
import { spawnSyncService } from './sync-service-child.ts';

export interface UpOptions {
  /** Whether the demo county is wanted. */
  readonly demo: boolean;
  readonly json: boolean;
  readonly terminal: Terminal;
}

const CONTROL_DATABASE = 'terrafusion';
/** How long a sync-service of a killed launcher may take to end, in ms. */
const ORPHAN_PATIENCE = 10_000;
/** How long a control database that was named may take to be there, in ms. */
const CONTROL_DATABASE_PATIENCE = 3000;
/** How often the live line is written, in ms. */
const FIGURES_EVERY = 1000;

/**
 * `terrafusion up`: everything on one machine, until it is told to stop. What an earlier start has left, clean or not, is gone on with;
 * everything that can be wrong is looked at before anything is started. (Promise 5)
 */
export async function up({ demo, json, terminal }: UpOptions): Promise<void> {
  const screen = createScreen(terminal, json);
  const launch = new Launch(screen);
  using stop = stopOnSignals(
    process,
    () => performance.now(),
    () => {
      screen.stopping();
    },
    () => {
      launch.abandon();
      process.exit(exitCodes.INTERRUPTED);
    },
  );
  try {
    await launch.run(demo, stop.signal);
    screen.stopped();
    process.exitCode = exitCodes.OK;
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    if (!json) throw error;
    process.exitCode = exitCodeOf(error);
    screen.failed({ code: error.code, message: maskText(error.message), fix: error.fix });
  }
}

/** One run of the product; what has been started is ended in reverse order, however the run ends. */
class Launch {
  readonly #screen: Screen;
  /** When the process began, in ms since 1970. */
  readonly #begunAt = Date.now() - process.uptime() * 1000;
  #postgres: LocalPostgres | undefined;
  #dataFolder: string | undefined;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  async run(wantsDemo: boolean, signal: AbortSignal): Promise<void> {
    const settings = loadSettings();
    await using stack = new AsyncDisposableStack();
    stack.use(await takeDataFolder(settings.dataFolder));
    this.#dataFolder = settings.dataFolder;
    const log = this.#openLog(settings);
    stack.defer(() => {
      log.close();
    });
    const late = (): void => {
      log.error({}, 'Stopping took too long and is cut off. The work in hand is repeated after the next start.');
      this.abandon();
      process.exit(exitCodes.FAILED);
    };
    // Draining has its time, then it is cut off; what was in hand is repeated.
    signal.addEventListener('abort', () => setTimeout(late, settings.shutdownTimeoutMs + 5000).unref());

    await endOrphan(settings.dataFolder, ORPHAN_PATIENCE, log);
    await checkPorts(settings);
    await checkControlDatabase(settings, log);
    const complete = await this.#withDatabase(settings, wantsDemo, log, stack);
    if (isAborted(signal)) return;

    const demo = wantsDemo
      ? await Demo.open({
          folder: join(settings.dataFolder, 'demo'),
          cluster: this.#postgres!,
          clock: systemClock,
          log,
        })
      : undefined;
    this.#screen.step('Starting gateway and sync-service.');
    const orWithout = (step: () => Promise<boolean>): Promise<boolean> => this.#orWithout(step, log, signal);
    const prepared = demo && orWithout(() => demo.prepareDatabases().then(() => true));
    const gateway = await this.#startGateway(complete, log, stack);
    // Asked to stop, it is not waited for: the database that it fills is about to end.
    const isPrepared = await Promise.race([prepared, untilAborted(signal)]);
    const demoRuns =
      demo !== undefined &&
      isPrepared === true &&
      (await orWithout(() => demo.register(demoGateway(clientOf(gateway)))));
    if (isAborted(signal)) return;
    if (demoRuns) {
      const end = new AbortController();
      const traffic = demo.traffic(AbortSignal.any([signal, end.signal])).run();
      stack.defer(async () => {
        end.abort();
        await traffic;
      });
    }
    this.#screen.ready(summary(settings, gateway, this.#postgres, demoRuns ? demo : undefined), this.#seconds());
    await this.#watch(gateway.control, signal);
  }

  /** At once: what runs is killed, as a power failure would. The next start goes on. */
  abandon(): void {
    if (this.#dataFolder !== undefined) killSupervised(this.#dataFolder);
    if (this.#postgres !== undefined) kill(this.#postgres.pid, 'SIGQUIT');
  }

  #openLog({ log, dataFolder }: Settings): KernelLog {
    try {
      return createLog({
        name: 'gateway',
        ...log,
        terminal: {
          write: (line) => {
            this.#screen.log(line);
          },
        },
      });
    } catch (cause) {
      throw new TerraFusionError(
        'DATA_FOLDER_UNUSABLE',
        `No log can be written in ${log.folder}: ${(cause as Error).message}`,
        {
          cause,
          details: { folder: dataFolder },
        },
      );
    }
  }

  /** The settings with a control database in them: the embedded one, unless another was named. */
  async #withDatabase(
    settings: Settings,
    wantsDemo: boolean,
    log: KernelLog,
    stack: AsyncDisposableStack,
  ): Promise<Settings> {
    const embedded = settings.controlDatabase.kind === 'embedded';
    if (!embedded && !wantsDemo) return settings;
    this.#screen.step('Starting PostgreSQL.');
    this.#postgres = stack.use(await openLocalPostgres(settings.dataFolder, log));
    if (!embedded) return settings;
    return {
      ...settings,
      controlDatabase: { kind: 'url', url: await this.#postgres.ensureDatabase(CONTROL_DATABASE) },
    };
  }

  async #startGateway(settings: Settings, log: KernelLog, stack: AsyncDisposableStack): Promise<RunningGateway> {
    const { controlDatabase, syncService } = settings;
    return stack.use(
      await startGateway(settings, {
        log,
        startSyncService:
          syncService.url === undefined &&
          ((key) =>
            spawnSyncService({
              controlDatabase: controlDatabase.kind === 'url' ? controlDatabase.url : undefined,
              key,
              env: process.env,
              onLog: (line) => {
                this.#screen.log(line);
              },
            })),
      }),
    );
  }

  /** The product is more than its demo: what goes wrong there is told, and is false. */
  async #orWithout(step: () => Promise<boolean>, log: KernelLog, signal: AbortSignal): Promise<boolean> {
    try {
      return await step();
    } catch (error) {
      if (!signal.aborted) log.error({ error }, 'The demo county cannot be set up; the next start tries again.');
      return false;
    }
  }

  /** The live line, until the signal is aborted. */
  async #watch(control: Control, signal: AbortSignal): Promise<void> {
    const keeper = new FigureKeeper();
    let streamed = false;
    while (!signal.aborted) {
      const look = await readPairs(control, this.#begunAt).catch(() => undefined);
      if (look !== undefined && !isAborted(signal)) {
        const figures = keeper.next(look, Date.now());
        if (!streamed && (figures.states['streaming'] ?? 0) > 0) {
          streamed = true;
          this.#screen.streaming(this.#seconds());
        }
        this.#screen.figures(figures);
      }
      await delay(FIGURES_EVERY, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Since the process began. */
  #seconds(): number {
    return (Date.now() - this.#begunAt) / 1000;
  }
}

/** A question of its own: the compiler believes that a signal looked at once stays as it was. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function untilAborted(signal: AbortSignal): Promise<false> {
  if (!signal.aborted) await once(signal, 'abort');
  return false;
}

/** One that somebody named must be there and let us in, before anything is started. */
async function checkControlDatabase({ controlDatabase }: Settings, log: KernelLog): Promise<void> {
  if (controlDatabase.kind === 'embedded') return;
  const address = controlDatabase.kind === 'url' ? { url: controlDatabase.url } : controlDatabase;
  const database = await openDatabase(address, {
    name: 'up',
    log,
    connections: 1,
    patienceMs: CONTROL_DATABASE_PATIENCE,
  });
  await database[Symbol.asyncDispose]();
}

function clientOf({ url, adminKey }: RunningGateway): GatewayClient {
  return new GatewayClient({ url, key: adminKey.key });
}

/**
 * What the sync-service tells of the pairs. What it told before this start is history: a pair that nothing has been heard of since is
 * starting, whatever it was then. (Promise 9)
 */
async function readPairs(control: Control, begunAt: number): Promise<PairsAndTables> {
  const { items } = await control.pairs.list({}, { limit: 1000 });
  const tables = await Promise.all(
    items.map(async ({ id }) => [id, (await control.tables.list(id)).map(pairTableView)] as const),
  );
  const pairs = items.map((pair) => {
    const silent =
      pair.desired === 'running' && pair.progress !== undefined && pair.progress.updatedAt.getTime() < begunAt;
    return { ...pairSummary(pair, Date.now()), ...(silent && { state: 'starting' as const }) };
  });
  return { pairs, tables: new Map(tables) };
}

function summary(
  settings: Settings,
  { url, adminKey }: { readonly url: string; readonly adminKey: AdminKey },
  postgres: LocalPostgres | undefined,
  demo: Demo | undefined,
): Parameters<Screen['ready']>[0] {
  const { syncService, controlDatabase, bus, dataFolder } = settings;
  return {
    version: version(),
    gateway: url,
    syncService: syncService.url ?? `http://${syncService.host}:${syncService.port}`,
    dataFolder,
    controlDatabase:
      controlDatabase.kind === 'embedded'
        ? `embedded PostgreSQL ${postgres!.version}, port ${postgres!.port}`
        : 'the one of DATABASE_URL (or PGHOST)',
    bus: bus.kind === 'embedded' ? 'embedded' : `Kafka at ${bus.brokers.join(', ')}`,
    adminKey: adminKey.origin === 'made' ? adminKey.key?.reveal() : undefined,
    adminKeyFile: adminKey.file,
    demo: demo && { databases: demo.databases() },
  };
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended by itself.
  }
}
