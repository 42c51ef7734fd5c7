import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Secret } from '#schemas/secret.ts';

const bin = fileURLToPath(new URL('../bin.js', import.meta.url));

export interface ChildOptions {
  /** undefined: the one that the environment names. */
  readonly controlDatabase: Secret | undefined;
  readonly key: Secret;
  readonly env: NodeJS.ProcessEnv;
  /** A line of its log, as JSON; warnings and errors only. */
  readonly onLog: (line: string) => void;
}

/**
 * `terrafusion sync-service` as a child of the launcher. In a process group of its own: a Ctrl-C is not meant for it, the gateway ends it.
 * When the launcher is killed the channel closes, and the child ends by itself.
 */
export function spawnSyncService({ controlDatabase, key, env, onLog }: ChildOptions): ChildProcess {
  const child = spawn(process.execPath, [bin, 'sync-service'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: process.platform !== 'win32',
    env: {
      ...env,
      ...(controlDatabase && { DATABASE_URL: controlDatabase.reveal(), DATABASE_URL_FILE: undefined }),
      SYNCSERVICE_API_KEY: key.reveal(),
      SYNCSERVICE_API_KEY_FILE: undefined,
    },
  });
  forEachLine(child.stdout!, (line) => {
    onLog(isJson(line) ? line : asLogLine(line));
  });
  forEachLine(child.stderr!, (line) => {
    onLog(asLogLine(line));
  });
  return child;
}

function forEachLine(stream: Readable, each: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
    if (line.trim() !== '') each(line);
  });
}

function isJson(line: string): boolean {
  try {
    return typeof JSON.parse(line) === 'object';
  } catch {
    return false;
  }
}

/** What the child says outside of its log: settings that are wrong, a defect of the runtime. */
function asLogLine(text: string): string {
  return JSON.stringify({ level: 'error', time: new Date().toISOString(), name: 'sync-service', message: text });
}
