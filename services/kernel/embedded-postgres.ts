import { once } from 'node:events';
import { mkdir, open as openFile, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { lockFolder } from './bus/folder-lock.ts';
import { accountFor, giveTo, spawnAs, type Account } from './embedded-postgres/account.ts';
import { locatePostgres, type PostgresBinaries } from './embedded-postgres/binaries.ts';
import {
  checkCluster,
  createCluster,
  portIn,
  readSettings,
  settingsText,
  writeSettings,
} from './embedded-postgres/cluster.ts';
import { choosePort, isFree } from './embedded-postgres/ports.ts';
import {
  clearRemains,
  findPostmaster,
  isAlive,
  lastWords,
  stopPostmaster,
  untilGone,
  untilReady,
} from './embedded-postgres/postmaster.ts';
import { checkLogin, ensureDatabase, HOST } from './embedded-postgres/sessions.ts';
import type { Log } from './log.ts';

export interface EmbeddedPostgresOptions {
  /** Holds the cluster, its settings and its logs; made when it is not there. At most one process uses it. */
  readonly folder: string;
  /** Port on 127.0.0.1. Left out: the one of the last start if it is free, else one that is. */
  readonly port?: number;
  /** Server settings by name, such as `{ wal_level: 'logical' }`; they hold from this start on. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The superuser; fixed when the cluster is made. */
  readonly user: string;
  readonly password: Secret;
  readonly log: Log;
  /** Ends the waiting for a server that is recovering; the server is left as it is. */
  readonly signal?: AbortSignal;
  /** Package with the binaries, for another major version. Left out: this platform's of embedded-postgres. */
  readonly binaries?: string;
}

/** A running server of our own. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Of the database `postgres`, as superuser, password included. */
  readonly url: Secret;
  /** "18.4" */
  readonly version: string;
  readonly pid: number;
  /** It was running already, left by a launcher that was killed. */
  readonly adopted: boolean;
  /** Resolves when the server has ended, asked or not; who needs it then calls {@link stop} and opens it again. */
  readonly exited: Promise<void>;
  /** As {@link url}, of another database. */
  urlOf(database: string): Secret;
  /** Makes the database when it is not there, and gives its URL. */
  ensureDatabase(database: string): Promise<Secret>;
  /** Ends the server clean and fast, and frees the folder. Calling again changes nothing. */
  stop(): Promise<void>;
}

/** How long a clean stop may take, in ms; afterwards the server is ended at once and recovers at its next start. */
const STOP_PATIENCE = 60_000;
/** How often a server that is not our child is looked after, in ms. */
const WATCH_EVERY = 500;

const ownSettings: Readonly<Record<string, string>> = {
  listen_addresses: HOST,
  // TCP is everywhere, and a socket's path may be too long for the system in a deep data folder.
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // One log file a day, seven kept: each overwrites that of the same weekday.
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'postgresql-%a.log',
  log_truncate_on_rotation: 'on',
  log_rotation_age: '1d',
  log_rotation_size: '0',
};

/**
 * Runs PostgreSQL in a folder, from the binaries that npm installed. The server is not our child in the sense of dying with us: it
 * ends by {@link EmbeddedPostgres.stop} only, so that a killed launcher, or one that somebody presses Ctrl-C at, does not take the
 * database from under those who still work. What is found running is taken over when it is as wanted, else ended and started anew;
 * what a crash has left is cleared. (Promise 5)
 *
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE, also when another live process uses the folder or the password does not fit;
 *   PORT_IN_USE for a port that was asked for.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = resolve(options.folder);
  try {
    await mkdir(folder, { recursive: true });
    const lock = await lockFolder(folder, 'postgres.lock');
    try {
      const server = await open(await realpath(folder), options);
      return handle(server, options, () => lock[Symbol.asyncDispose]());
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (
      cause instanceof TerraFusionError ||
      options.signal?.aborted ||
      !['EACCES', 'EPERM', 'ENOSPC', 'EROFS', 'ENOTDIR', 'EEXIST', 'EDQUOT'].includes(code ?? '')
    )
      throw cause;
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${folder} cannot be used: ${message}`, {
      cause,
      details: { folder },
    });
  }
}

interface Server {
  readonly cluster: string;
  readonly pid: number;
  readonly port: number;
  readonly version: string;
  readonly adopted: boolean;
  readonly exited: Promise<void>;
}

async function open(folder: string, options: EmbeddedPostgresOptions): Promise<Server> {
  const { log, signal } = options;
  const begun = performance.now();
  const cluster = join(folder, 'cluster');
  const binaries = await locatePostgres(options.binaries);
  const account = await accountFor(cluster, [folder, binaries.postgres, binaries.folder]);
  await giveTo(account, folder);
  if (!(await checkCluster(cluster, binaries))) {
    await createCluster(folder, cluster, options, binaries, account, { durable: options.settings?.fsync !== 'off' });
  }

  const found = await findPostmaster(cluster);
  if (found !== undefined) {
    const server = await adopt(found.pid, cluster, options, binaries);
    if (server) {
      log.info(
        { folder, port: server.port, pid: server.pid },
        'The embedded PostgreSQL was still running and is taken over.',
      );
      return server;
    }
    log.info(
      { folder, pid: found.pid },
      'The embedded PostgreSQL was running otherwise than wanted and is started anew.',
    );
    await stopPostmaster(found.pid, STOP_PATIENCE);
  }
  await clearRemains(cluster);

  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    const port = options.port ?? (await choosePort(portIn(await readSettings(cluster))));
    if (options.port !== undefined && !(await isFree(options.port))) throw portInUse(options.port);
    await writeSettings(cluster, settingsText(allSettings(options, port), binaries), account);
    const server = await start(folder, cluster, port, binaries, account, options);
    if (server) {
      log.info(
        { folder, port, pid: server.pid, tookMs: Math.round(performance.now() - begun) },
        'The embedded PostgreSQL is running.',
      );
      return server;
    }
    // Somebody took the port between our look and the server's; with a port of our choice another one will do.
    if (options.port !== undefined || attempt === 5) throw portInUse(port);
  }
}

function allSettings({ settings }: EmbeddedPostgresOptions, port: number): Record<string, string> {
  return { ...ownSettings, ...settings, port: String(port) };
}

function portInUse(port: number): TerraFusionError {
  return new TerraFusionError('PORT_IN_USE', `Port ${port} on ${HOST}, wanted for the embedded PostgreSQL, is in use`, {
    details: { port },
  });
}

/** Takes over a running server if it has the wanted settings, or undefined. */
async function adopt(
  pid: number,
  cluster: string,
  options: EmbeddedPostgresOptions,
  binaries: PostgresBinaries,
): Promise<Server | undefined> {
  const running = await readSettings(cluster);
  const port = portIn(running);
  if (port === undefined || (options.port !== undefined && options.port !== port)) return undefined;
  if (running !== settingsText(allSettings(options, port), binaries)) return undefined;
  if (!(await untilReady(cluster, pid, options.signal))) return undefined;
  try {
    await checkLogin(port, cluster, options);
  } catch (error) {
    if (error instanceof TerraFusionError) throw error;
    return undefined;
  }
  return { cluster, pid, port, version: binaries.version, adopted: true, exited: watch(pid) };
}

/** Starts the server; undefined when its port is taken. */
async function start(
  folder: string,
  cluster: string,
  port: number,
  binaries: PostgresBinaries,
  account: Account,
  options: EmbeddedPostgresOptions,
): Promise<Server | undefined> {
  const startLog = join(folder, 'start.log');
  const output = await openFile(startLog, 'w', 0o600);
  const child = spawnAs(account, binaries.postgres, ['-D', cluster], {
    // A file, not a pipe: a pipe would break when we die. A session of its own: Ctrl-C at our terminal is not meant for it.
    stdio: ['ignore', output.fd, output.fd],
    detached: true,
    cwd: folder,
  });
  const exited = new Promise<void>((done, failed) => {
    child.once('error', failed).once('exit', () => {
      done();
    });
  });
  exited.catch(() => undefined);
  try {
    await once(child, 'spawn');
  } finally {
    await output.close();
  }
  child.unref();
  const pid = child.pid!;
  if (!(await untilReady(cluster, pid, options.signal))) {
    await untilGone(pid, STOP_PATIENCE);
    const words = await lastWords(cluster, startLog);
    if (words.some((line) => /could not bind|address already in use/i.test(line)) && !(await isFree(port)))
      return undefined;
    const reason = words.length === 0 ? 'it said nothing' : words.slice(-3).join(' ');
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `PostgreSQL did not start in ${cluster}: ${reason}`, {
      details: { folder: cluster },
    });
  }
  try {
    await checkLogin(port, cluster, options);
  } catch (error) {
    await stopPostmaster(pid, STOP_PATIENCE);
    throw error;
  }
  return { cluster, pid, port, version: binaries.version, adopted: false, exited };
}

/** Resolves when a process that is not our child has ended. */
async function watch(pid: number): Promise<void> {
  while (await isAlive(pid)) {
    await new Promise((wake) => {
      setTimeout(wake, WATCH_EVERY).unref();
    });
  }
}

function handle(
  server: Server,
  { user, password }: EmbeddedPostgresOptions,
  release: () => PromiseLike<void>,
): EmbeddedPostgres {
  let stopping: Promise<void> | undefined;
  const urlOf = (database: string): Secret =>
    new Secret(
      `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password.reveal())}@${HOST}:${server.port}/${encodeURIComponent(database)}`,
    );
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      // A server that ended by itself may have left its PID to somebody else.
      if ((await findPostmaster(server.cluster))?.pid === server.pid) await stopPostmaster(server.pid, STOP_PATIENCE);
      await release();
    })();
    return stopping;
  };
  const { port, pid, version, adopted, exited } = server;
  return {
    host: HOST,
    port,
    pid,
    version,
    adopted,
    exited,
    url: urlOf('postgres'),
    urlOf,
    ensureDatabase: async (database) => {
      await ensureDatabase(urlOf('postgres'), database);
      return urlOf(database);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
