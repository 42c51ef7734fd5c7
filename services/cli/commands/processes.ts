import { writeSync } from 'node:fs';
import { stdout } from 'node:process';
import { tuneHeap } from '#services/kernel/heap.ts';
import { run, type Service } from '#services/kernel/lifecycle.ts';
import { createLog, type Log } from '#services/kernel/log.ts';
import { loadSettings, type Settings } from '#services/kernel/settings.ts';
import { takeSupervised } from '../up/data-folder.ts';

type Stage = 'reader' | 'stream-processor' | 'writer';

/** `terrafusion gateway` */
export async function runGateway(): Promise<void> {
  tuneHeap();
  const { gateway } = await import('#services/gateway/main.ts');
  await runProcess('gateway', (settings, log) => gateway(settings, { log }));
}

/** `terrafusion sync-service`: by itself, or as the child of a gateway that watches it. */
export async function runSyncService(): Promise<void> {
  tuneHeap();
  const { syncService } = await import('#services/sync-service/main.ts');
  await runProcess('sync-service', (settings, log) => syncService(settings, { log }));
}

/** `terrafusion reader`, `stream-processor`, `writer` */
export async function runStage(stage: Stage): Promise<void> {
  tuneHeap();
  const { syncService } = await import('#services/sync-service/main.ts');
  await runProcess(stage, (settings, log) => syncService(settings, { log, stage }));
}

async function runProcess(name: string, service: (settings: Settings, log: Log) => Service): Promise<void> {
  const settings = loadSettings();
  const log = createLog({
    name,
    ...settings.log,
    ...(process.channel === undefined ? { pretty: stdout.isTTY } : { terminal: { write: tellParent } }),
  });
  try {
    await using stack = new AsyncDisposableStack();
    stack.use(await whenSupervised(settings));
    await run(service(settings, log), { log, drainWithinMs: settings.shutdownTimeoutMs });
  } finally {
    log.close();
  }
}

/** Who watches us shows warnings and errors; the rest is in the files. It may be gone: then nobody listens, and nothing is lost. */
function tellParent(line: string): void {
  if (!/^\{"level":"(warn|error|fatal)"/.test(line)) return;
  try {
    writeSync(1, line);
  } catch {
    // Its end of the pipe is closed, or full.
  }
}

/**
 * A child that is watched over a channel stops when the channel closes: whoever watched it was killed, and the next one would find the
 * port and the bus taken. (Promise 5) Its lock lets that next one find it, should it hang.
 */
async function whenSupervised(settings: Settings): Promise<AsyncDisposable | undefined> {
  if (process.channel === undefined) return undefined;
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
  return await takeSupervised(settings.dataFolder);
}
