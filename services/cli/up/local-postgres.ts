import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import {
  openEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '#services/kernel/embedded-postgres.ts';
import { createFileOnce } from '#services/kernel/files.ts';
import type { Log } from '#services/kernel/log.ts';
import { retry } from '#services/kernel/retry.ts';

const SUPERUSER = 'terrafusion';
const PASSWORD_FILE = 'postgres-password';

/** For a control database and a demo county: small, and a source as well as a target. */
const settings = {
  wal_level: 'logical',
  max_connections: '200',
  max_wal_senders: '20',
  max_replication_slots: '20',
  shared_buffers: '128MB',
};

/** The PostgreSQL of the data folder, kept running. */
export interface LocalPostgres extends AsyncDisposable {
  readonly port: number;
  readonly version: string;
  readonly pid: number;
  /** As superuser, password included. */
  urlOf(database: string): Secret;
  ensureDatabase(database: string): Promise<Secret>;
  /** Ends it clean; calling again changes nothing. */
  stop(): Promise<void>;
}

/**
 * Opens the embedded PostgreSQL. Should it end by itself (somebody killed it, it ran out of memory), it is started again on the same
 * port, and everybody connects again. (Promise 5)
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE
 */
export async function openLocalPostgres(dataFolder: string, log: Log): Promise<LocalPostgres> {
  const options: EmbeddedPostgresOptions = {
    folder: join(dataFolder, 'postgres'),
    settings,
    user: SUPERUSER,
    password: await password(dataFolder),
    log,
  };
  const first = await openEmbeddedPostgres(options);
  let current: EmbeddedPostgres = first;
  const stopping = new AbortController();
  const stopped = (): boolean => stopping.signal.aborted;
  // The end of a server that is not our child is looked for by a timer that keeps no process alive: it must not be waited for alone.
  const asked = once(stopping.signal, 'abort');

  const watch = async (): Promise<void> => {
    for (;;) {
      await Promise.race([current.exited.catch(() => undefined), asked]);
      if (stopped()) return;
      log.error({ pid: current.pid }, 'The embedded PostgreSQL has ended by itself and is started again.');
      await current.stop();
      current = await retry(
        () => openEmbeddedPostgres({ ...options, port: first.port, signal: stopping.signal }),
        { firstMs: 200, maxMs: 10_000 },
        { log, signal: stopping.signal, what: 'Starting the embedded PostgreSQL' },
      );
      if (stopped()) {
        await current.stop();
        return;
      }
    }
  };
  const watching = watch().catch((error: unknown) => {
    if (!stopped()) log.error({ error }, 'The embedded PostgreSQL cannot be started again.');
  });

  const stop = async (): Promise<void> => {
    stopping.abort(new Error('stopped'));
    await current.stop();
    await watching;
  };
  return {
    port: first.port,
    version: first.version,
    get pid() {
      return current.pid;
    },
    urlOf: (database) => current.urlOf(database),
    ensureDatabase: (database) => current.ensureDatabase(database),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Made once: the cluster knows it from then on. */
async function password(dataFolder: string): Promise<Secret> {
  const file = join(dataFolder, PASSWORD_FILE);
  try {
    return new Secret((await createFileOnce(file, `${randomBytes(24).toString('base64url')}\n`)).trim());
  } catch (cause) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${file} cannot be read or written: ${(cause as Error).message}`,
      { cause },
    );
  }
}
