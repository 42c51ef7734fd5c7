import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { startGateway, type RunningGateway } from '#services/gateway/main.ts';
import { silentLog, type Log } from '#services/kernel/log.ts';
import { loadSettings } from '#services/kernel/settings.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { freePort } from './ports.ts';

const bin = fileURLToPath(new URL('../../services/cli/bin.js', import.meta.url));

/** A gateway within this process that listens, with a sync-service of its own, on a control database that goes with it. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: RunningGateway;
  readonly controlDatabase: TestDatabase;
  /** Its data folder. */
  readonly folder: string;
  /** Its key is there once it was started. */
  readonly syncService: { readonly url: string; readonly key: string };
}

export interface TestGatewayOptions {
  /** LOG_LEVEL of the sync-service; "warn" when left out. */
  readonly logLevel?: 'info' | 'warn';
  /** Made once the data folder is there; silent when left out. */
  readonly log?: (folder: string) => Log;
}

export async function startTestGateway({ logLevel = 'warn', log }: TestGatewayOptions = {}): Promise<TestGateway> {
  const controlDatabase = await createDatabase(inject('targetServer'), 'control');
  const folder = await mkdtemp(join(tmpdir(), 'terrafusion-gateway-'));
  const port = await freePort();
  const environment = {
    DATABASE_URL: controlDatabase.url,
    TERRAFUSION_DATA: folder,
    GATEWAY_PORT: '0',
    SYNC_SERVICE_PORT: String(port),
    RATE_LIMIT_PER_MINUTE: '0',
    LOG_LEVEL: logLevel,
  };
  let syncServiceKey = '';
  const gateway = await startGateway(loadSettings(environment), {
    log: log?.(folder) ?? silentLog,
    startSyncService: (key) => {
      syncServiceKey = key.reveal();
      return spawn(process.execPath, [bin, 'sync-service'], {
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        env: { PATH: process.env['PATH'], ...environment, SYNCSERVICE_API_KEY: syncServiceKey },
      });
    },
  });
  return {
    gateway,
    controlDatabase,
    folder,
    syncService: {
      url: `http://127.0.0.1:${port}`,
      get key() {
        return syncServiceKey;
      },
    },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await controlDatabase.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
