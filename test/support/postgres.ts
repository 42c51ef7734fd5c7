import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { giveTo, spawnAs, type Account } from '#services/kernel/embedded-postgres/account.ts';
import { locatePostgres, type PostgresBinaries } from '#services/kernel/embedded-postgres/binaries.ts';
import { settingsText, writeSettings } from '#services/kernel/embedded-postgres/cluster.ts';
import { clearRemains, untilReady } from '#services/kernel/embedded-postgres/postmaster.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { freePort } from './ports.ts';
import { accountFolder, clusterTemplate, copyTree, SUPERUSER } from './postgres-template.ts';
import { descendants } from './processes.ts';

export type { TestDatabase } from './database.ts';

export type Settings = Readonly<Record<string, string | number | boolean>>;

export interface PostgresOptions {
  /** Lines of postgresql.conf, over {@link DEFAULTS}. */
  readonly settings?: Settings;
  /** Lines of pg_hba.conf, before the one that lets everybody in with a password. */
  readonly hba?: readonly string[];
  /** Begins as a copy of this server, which must be down; what is in it then, databases and replication slots, is in the new one. */
  readonly copyOf?: TestPostgres;
  /** Follows a primary: a standby, until it is promoted. */
  readonly standby?: boolean;
  /** Called once the copy is made: the server that was copied may be started again. */
  readonly copied?: () => Promise<void>;
  /** Of another major version, see versions.ts; this platform's of embedded-postgres when left out. */
  readonly binaries?: PostgresBinaries;
}

/** A server as an operator would set it up for us, on durable storage. Tests that need no durability switch fsync off. */
const DEFAULTS: Settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_connections: 200,
  max_wal_senders: 100,
  max_replication_slots: 100,
  max_worker_processes: 40,
  max_logical_replication_workers: 24,
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Files in the data folder, so that a killed server leaves nothing in the machine's shared memory.
  dynamic_shared_memory_type: 'mmap',
};

/** A real PostgreSQL server of its own, in a temporary folder, as an unprivileged user. Gone with the test process, however that ends. */
export interface TestPostgres extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Holds `data` and `server.log`. */
  readonly folder: string;
  /** The postmaster's process id; undefined while it is down. */
  readonly pid: number | undefined;
  /** URL for a database, as the superuser or as somebody else. */
  url(database?: string, login?: { readonly user: string; readonly password?: string }): string;
  /** A session of the superuser, in no database of a test's. */
  connect(): Promise<pg.Client>;
  /** A fresh, empty database. */
  createDatabase(prefix?: string): Promise<TestDatabase>;
  start(): Promise<void>;
  /** Orderly: `fast` ends sessions, `immediate` is a crash of the server that recovers at the next start. */
  shutdown(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Orderly restart on the same port, with more settings if given. */
  restart(settings?: Settings): Promise<void>;
  /** SIGKILL to the postmaster and all its processes. {@link start} recovers. */
  kill9(): Promise<void>;
  /** While it is down: its next start is as a standby, which follows nobody and waits for its promotion. */
  becomeStandby(): Promise<void>;
  /** Everything the server has logged. */
  log(): Promise<string>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** Starts a server; resolves once it accepts connections. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const binaries = options.binaries ?? (await locatePostgres());
  const template = options.copyOf === undefined ? await clusterTemplate(binaries) : join(options.copyOf.folder, 'data');
  const [folder, account] = await accountFolder('terrafusion-pg-', binaries);
  const guard = watchOver(folder);
  const server = new Server(binaries, account, folder, await freePort(), guard, options.settings ?? {});
  try {
    await copyTree(template, server.data);
    await options.copied?.();
    await server.letIn(options.hba ?? []);
    if (options.standby === true) await server.becomeStandby();
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class Server implements TestPostgres {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly folder: string;
  readonly data: string;
  readonly #binaries: PostgresBinaries;
  readonly #account: Account;
  readonly #guard: ChildProcess;
  #settings: Settings;
  #process: ChildProcess | undefined;

  constructor(
    binaries: PostgresBinaries,
    account: Account,
    folder: string,
    port: number,
    guard: ChildProcess,
    settings: Settings,
  ) {
    this.#binaries = binaries;
    this.#account = account;
    this.folder = folder;
    this.data = join(folder, 'data');
    this.port = port;
    this.#guard = guard;
    this.#settings = { ...DEFAULTS, port, ...settings };
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  url(database = 'postgres', login: { readonly user: string; readonly password?: string } = SUPERUSER): string {
    const secret = login.password === undefined ? '' : `:${encodeURIComponent(login.password)}`;
    return `postgresql://${encodeURIComponent(login.user)}${secret}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url() });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  createDatabase(prefix = 'test'): Promise<TestDatabase> {
    return createDatabase(this.url(), prefix);
  }

  async letIn(hba: readonly string[]): Promise<void> {
    if (hba.length === 0) return;
    const file = join(this.data, 'pg_hba.conf');
    const before = await readFile(file, 'utf8');
    await writeFile(file, `${hba.join('\n')}\n${before}`);
  }

  async becomeStandby(): Promise<void> {
    const file = join(this.data, 'standby.signal');
    await writeFile(file, '');
    await giveTo(this.#account, file);
  }

  async start(): Promise<void> {
    const settings = Object.fromEntries(Object.entries(this.#settings).map(([name, value]) => [name, String(value)]));
    await writeSettings(this.data, settingsText(settings, this.#binaries), this.#account);
    await clearRemains(this.data);
    const before = (await this.log()).length;
    const log = await open(join(this.folder, 'server.log'), 'a');
    // Detached: Ctrl-C in the terminal is for the test process, which ends its servers itself.
    const child = spawnAs(this.#account, this.#binaries.postgres, ['-D', this.data], {
      cwd: this.folder,
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    await log.close();
    child.unref();
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    if (!(await untilReady(this.data, child.pid!))) {
      throw new Error(`PostgreSQL did not start:\n${(await this.log()).slice(before)}`);
    }
  }

  async shutdown(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
  }

  async restart(settings: Settings = {}): Promise<void> {
    await this.shutdown();
    this.#settings = { ...this.#settings, ...settings };
    await this.start();
  }

  async kill9(): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) return;
    const backends = await descendants(child.pid);
    const ended = endOf(child);
    for (const pid of [child.pid, ...backends]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // A backend that has just ended by itself.
      }
    }
    await ended;
  }

  async log(): Promise<string> {
    return readFile(join(this.folder, 'server.log'), 'utf8').catch(() => '');
  }

  async stop(): Promise<void> {
    await this.#end('SIGQUIT');
    await rm(this.folder, { recursive: true, force: true });
    this.#guard.stdin?.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const ended = endOf(child);
    child.kill(signal);
    await ended;
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  child.ref(); // Only while somebody waits for it.
  await once(child, 'exit');
}

/** A shell that outlives us by a moment: see postgres-guard.sh. */
function watchOver(folder: string): ChildProcess {
  const script = fileURLToPath(new URL('postgres-guard.sh', import.meta.url));
  const guard = spawn('/bin/sh', [script, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: tmpdir(),
  });
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}
