import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { isAlive } from '#services/kernel/embedded-postgres/postmaster.ts';
import { eventually } from '#test/support/eventually.ts';
import { freePort } from '#test/support/ports.ts';

const bin = fileURLToPath(new URL('../../services/cli/bin.js', import.meta.url));

/** What `terrafusion up --json` writes. */
export interface UpEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** An answer of the gateway. */
export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly body: T;
}

interface Ports {
  readonly gateway: number;
  readonly syncService: number;
}

export { isAlive };

/** `terrafusion up` of a test's own: a data folder and ports that nobody else has. */
export class Product implements AsyncDisposable {
  readonly dataFolder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #ports: Ports;
  #child: ChildProcess | undefined;
  #events: UpEvent[] = [];
  #stderr = '';

  static async create(env: Readonly<Record<string, string>> = {}): Promise<Product> {
    const folder = await mkdtemp(join(tmpdir(), 'terrafusion-e2e-'));
    return new Product(folder, { gateway: await freePort(), syncService: await freePort() }, env);
  }

  private constructor(folder: string, ports: Ports, env: Readonly<Record<string, string>>) {
    this.dataFolder = folder;
    this.#ports = ports;
    this.env = {
      TERRAFUSION_DATA: join(folder, 'data'),
      GATEWAY_PORT: String(ports.gateway),
      SYNC_SERVICE_PORT: String(ports.syncService),
      // Tests ask as fast as they can.
      RATE_LIMIT_PER_MINUTE: '0',
      ...env,
    };
  }

  get data(): string {
    return this.env['TERRAFUSION_DATA']!;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#ports.gateway}`;
  }

  get events(): readonly UpEvent[] {
    return this.#events;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Starts it; its events are those of this start. */
  start(...args: string[]): void {
    this.#events = [];
    this.#stderr = '';
    // Nothing of our own environment but what finds programs: a DATABASE_URL of the person who runs the tests is none of its business.
    const { PATH = '', TMPDIR } = process.env;
    const child = spawn(process.execPath, [bin, 'up', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...this.env },
      cwd: this.dataFolder,
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#events.push(JSON.parse(line) as UpEvent));
    child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#child = child;
  }

  /** The first event of this kind; fails when the process ends without it. */
  async event(kind: string, within = 60_000): Promise<UpEvent> {
    return await eventually(
      () => {
        const found = this.#events.find(({ event }) => event === kind);
        if (found === undefined && this.#child?.exitCode !== null) throw new Error(`It has ended: ${this.told()}`);
        return found;
      },
      { within, what: `the event "${kind}"` },
    ).catch((cause: unknown) => {
      throw new Error(`There was no event "${kind}". ${this.told()}`, { cause });
    });
  }

  /** What it has said so far, for messages of tests. */
  told(): string {
    return `${JSON.stringify(this.#events.filter(({ event }) => event !== 'figures'))}\n${this.#stderr}`;
  }

  /** Sends a signal to the launcher alone. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Waits until it has ended; the exit code, or the signal that ended it. */
  async ended(within = 60_000): Promise<number | NodeJS.Signals> {
    const child = this.#child;
    if (child === undefined) throw new Error('It was not started');
    if (child.exitCode === null && child.signalCode === null) {
      const late = AbortSignal.timeout(within);
      await once(child, 'exit', { signal: late }).catch((cause: unknown) => {
        throw new Error(`It did not end within ${within} ms. ${this.told()}`, { cause });
      });
    }
    return child.signalCode ?? child.exitCode!;
  }

  /** The key in the data folder. */
  async key(): Promise<string> {
    return (await readFile(join(this.data, 'admin-key'), 'utf8')).trim();
  }

  async ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const reply = await fetch(new URL(path, this.url), {
      method,
      headers: {
        'x-api-key': await this.key(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: reply.status, body: (await reply.json()) as T };
  }

  /** Rows from a database of the demo, as the county's clerk. */
  async query<R extends object>(database: 'county_pacs' | 'county_cama', sql: string): Promise<R[]> {
    const [line] = (await readFile(join(this.data, 'demo', 'pgpass'), 'utf8')).split('\n');
    const [host, port, , user, password] = line!.split(':');
    const client = new pg.Client({ host: host!, port: Number(port), user: user!, password: password!, database });
    await client.connect();
    try {
      const { rows } = await client.query<R>(sql);
      return rows;
    } finally {
      await client.end();
    }
  }

  async postgresPid(): Promise<number> {
    const [pid] = (await readFile(join(this.data, 'postgres', 'cluster', 'postmaster.pid'), 'utf8')).split('\n');
    return Number(pid);
  }

  async syncServicePid(): Promise<number> {
    const lock = await readFile(join(this.data, 'supervised-sync-service.lock'), 'utf8');
    return (JSON.parse(lock) as { pid: number }).pid;
  }

  /** SIGKILL to the launcher, the sync-service and the database server, as far as they run, in this order and without a pause. */
  async killAll(): Promise<void> {
    const others = await Promise.all([
      this.syncServicePid().catch(() => undefined),
      this.postgresPid().catch(() => undefined),
    ]);
    for (const pid of [this.#child!.pid, ...others]) {
      // A lock that an earlier start has left may name a process that is gone.
      if (pid !== undefined && (await isAlive(pid))) process.kill(pid, 'SIGKILL');
    }
    await this.ended();
  }

  /** Ends what runs, whatever it is, and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGINT');
      await this.ended().catch(() => this.#child?.kill('SIGKILL'));
    }
    // Somebody else's data folder, and what runs on it, stays.
    const own = this.data.startsWith(this.dataFolder);
    for (const pidOf of !own ? [] : [() => this.syncServicePid(), () => this.postgresPid()]) {
      await pidOf()
        .then(
          (pid) => process.kill(pid, 'SIGKILL'),
          () => undefined,
        )
        .catch(() => undefined);
    }
    await eventually(
      () =>
        rm(this.dataFolder, { recursive: true, force: true }).then(
          () => true,
          () => false,
        ),
      { what: 'the data folder to be removed' },
    );
  }
}
