import type pg from 'pg';
import type { ConnectorHealing } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { connect, endClient } from './connection.ts';
import type { Role } from './errors.ts';
import type { PostgresSettings } from './settings.ts';

/** How long a session may wait for an answer in silence before the server is asked what has become of it, in ms. */
const PATIENCE_MS = 20_000;
const MOST_PATIENCE_MS = 600_000;
/** How long the asking may take, in ms. */
const ASK_MS = 10_000;

/**
 * Grows with each session that was given up: over a way so narrow that its buffers alone hold a minute's bytes, the server looks as if it
 * waited for us, and giving up in time and again would be no progress.
 */
export class Patience {
  #ms: number;

  constructor(ms: number = PATIENCE_MS) {
    this.#ms = ms;
  }

  get ms(): number {
    return this.#ms;
  }

  spent(): void {
    this.#ms = Math.min(2 * this.#ms, MOST_PATIENCE_MS);
  }
}

/** Our side of a session. */
export interface WatchedSession {
  /** Whether an answer is waited for, or the server does not take what it is sent. */
  readonly waits: boolean;
  /** Changes with every byte that moves, either way. */
  readonly bytesMoved: number;
  /** Ends it without a word. */
  lose(error: TerraFusionError): void;
}

/** The server's side of a session: a process id alone comes again. */
export interface Backend {
  readonly pid: number;
  readonly since: string | null;
}

/** What the server says of its side: at work; waiting for us; gone; or nothing can be said. */
export type Verdict = 'works' | 'waits for us' | 'gone' | 'unreachable' | 'unknown';

/** Asked of a session while it is ours to ask. Behind a pooler it is the server's own session all the same. */
export async function identifyBackend(client: pg.Client): Promise<Backend> {
  const { rows } = await client.query<Backend>(
    'SELECT pid, backend_start::text AS since FROM pg_stat_activity WHERE pid = pg_backend_pid()',
  );
  return rows[0] ?? { pid: 0, since: null };
}

/** Asks the server, by a session of its own, what it does for another one. Never throws. */
export async function askServer(settings: PostgresSettings, role: Role, backend: Backend): Promise<Verdict> {
  let client: pg.Client;
  const signal = AbortSignal.timeout(ASK_MS);
  try {
    client = await connect(settings, { signal }, { role, purpose: 'watch' });
  } catch (error) {
    if (signal.aborted) return 'unreachable';
    const code = error instanceof TerraFusionError ? error.code : '';
    return code.endsWith('_UNREACHABLE') || code.endsWith('_DISCONNECTED') ? 'unreachable' : 'unknown';
  }
  try {
    const { rows } = await client.query<{ readonly type: string | null; readonly state: string | null }>(
      'SELECT wait_event_type AS type, state FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
      [backend.pid, backend.since],
    );
    const [row] = rows;
    if (row === undefined) return backend.since === null ? 'unknown' : 'gone';
    // Without the right to see it there is nothing in these columns.
    if (row.state === null) return 'unknown';
    return row.type === 'Client' ? 'waits for us' : 'works';
  } catch {
    return 'unknown';
  } finally {
    await endClient(client);
  }
}

/** Whom a session is with, and what may be done about it. */
export interface SilentEnd {
  readonly role: Role;
  readonly address: string;
  readonly healing?: ConnectorHealing | undefined;
}

/**
 * Stuck detection: a connection of which both sides think that the other one has the word. No error ever comes of it: the peer's machine
 * is gone, or a router has forgotten the connection, and what was sent is taken all the same. A server that is at work, or waits for a
 * lock, is left in peace however long it takes. (CHECKLIST 4, Promise 5)
 */
export function watchSilence(
  session: WatchedSession,
  ask: () => Promise<Verdict>,
  patience: Patience,
  { role, address, healing }: SilentEnd,
): Disposable {
  let moved = session.bytesMoved;
  let since = performance.now();
  let suspected = 0;
  let asking = false;
  let over = false;
  const isAlive = (): boolean => {
    if (session.waits && session.bytesMoved === moved) return false;
    moved = session.bytesMoved;
    since = performance.now();
    suspected = 0;
    return true;
  };
  const look = async (): Promise<void> => {
    const silence = performance.now() - since;
    if (asking || isAlive() || silence < patience.ms) return;
    asking = true;
    const verdict = await ask();
    asking = false;
    if (over || isAlive()) return;
    const leaves = healing?.isOn('give_up_silent_connection') === false;
    if (verdict === 'works' || verdict === 'unknown' || leaves) since = performance.now();
    // Its answer may have been on the way while the server was asked: once more.
    else if (verdict === 'waits for us' && ++suspected < 2) return;
    else {
      patience.spent();
      const error = lost(role, address, silence, verdict);
      healing?.done('give_up_silent_connection', error.message);
      session.lose(error);
    }
  };
  const timer = setInterval(() => void look(), patience.ms / 12).unref();
  return {
    [Symbol.dispose]: () => {
      over = true;
      clearInterval(timer);
    },
  };
}

function lost(
  role: Role,
  address: string,
  silence: number,
  verdict: Exclude<Verdict, 'works' | 'unknown'>,
): TerraFusionError {
  const found = {
    gone: 'has ended the session without our hearing of it',
    unreachable: 'cannot be reached any more',
    'waits for us': 'waits for us likewise: the connection leads nowhere',
  }[verdict];
  const seconds = Math.max(1, Math.round(silence / 1000));
  return new TerraFusionError(
    role === 'source' ? 'SOURCE_DISCONNECTED' : 'TARGET_UNREACHABLE',
    `The ${role} ${address} was silent for ${seconds} s, and ${found}; the session was given up`,
  );
}
