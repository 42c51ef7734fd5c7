import { randomBytes } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { Secret } from '#schemas/secret.ts';
import type { Clock } from '#services/kernel/clock.ts';
import { createFileOnce, writeFileDurably } from '#services/kernel/files.ts';
import type { Log } from '#services/kernel/log.ts';
import { defaultCounty, type CountyOptions } from './county.ts';
import { CAMA_DATABASE, demoRoles, ensureDemoDatabases, PACS_DATABASE, type DemoRole } from './databases.ts';
import { CAMA_SYSTEM, demoPair, PACS_SYSTEM } from './pair.ts';
import { DemoTraffic } from './traffic.ts';

/** Transactions a second. */
const TRAFFIC_RATE = 20;
/** Written when everything has been set up once: what somebody deletes later stays deleted. */
const READY_FILE = 'ready';

/** What the demo asks of the gateway; `terrafusion up` answers it over the public API. */
export interface DemoGateway {
  /** The connection of the system of this name as the API shows it; undefined when there is no such system. */
  findConnection(system: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  createSystem(system: { name: string; kind: 'PACS' | 'CAMA'; connection: DemoConnection }): Promise<void>;
  changeConnection(system: string, connection: DemoConnection): Promise<void>;
  hasPair(name: string): Promise<boolean>;
  createPair(pair: typeof demoPair): Promise<void>;
}

/** How a system of the demo is reached. The password is in a file that only the product's user can read. */
export interface DemoConnection {
  readonly url: string;
  readonly password_file: string;
}

export interface DemoOptions {
  /** Folder of the demo's own, for passwords. */
  readonly folder: string;
  /** The cluster that holds the county. */
  readonly cluster: { readonly port: number; urlOf(database: string): Secret };
  readonly clock: Clock;
  readonly log: Log;
  readonly county?: CountyOptions;
}

/** What a person may look at. */
export interface DemoDatabase {
  readonly name: string;
  /** Without the password. */
  readonly url: string;
  /** For PGPASSFILE: lets the county's clerk in. */
  readonly passwordFile: string;
}

/** The demo county, from nothing to a pair that streams. Every step can be repeated and goes on where it was cut short. */
export class Demo {
  readonly #options: DemoOptions;
  readonly #county: CountyOptions;
  readonly #passwords: Readonly<Record<DemoRole, Secret>>;

  static async open(options: DemoOptions): Promise<Demo> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const password = async (role: DemoRole): Promise<Secret> => {
      const text = await createFileOnce(
        passwordFile(options.folder, role),
        `${randomBytes(18).toString('base64url')}\n`,
      );
      return new Secret(text.trim());
    };
    return new Demo(options, {
      source: await password('source'),
      target: await password('target'),
      clerk: await password('clerk'),
    });
  }

  private constructor(options: DemoOptions, passwords: Readonly<Record<DemoRole, Secret>>) {
    this.#options = options;
    this.#county = options.county ?? defaultCounty;
    this.#passwords = passwords;
  }

  /** Databases, roles, tables and rows; needs nothing but the cluster. About three seconds the first time. */
  async prepareDatabases(): Promise<void> {
    const { cluster, folder, log } = this.#options;
    await ensureDemoDatabases({
      adminUrl: (database) => cluster.urlOf(database).reveal(),
      passwords: this.#passwords,
      county: this.#county,
      log,
    });
    const lines = [PACS_DATABASE, CAMA_DATABASE].map(
      (database) => `127.0.0.1:${cluster.port}:${database}:${demoRoles.clerk}:${this.#passwords.clerk.reveal()}\n`,
    );
    await writeFileDurably(join(folder, 'pgpass'), lines.join(''));
    const [pacs, cama] = this.databases();
    await writeFileDurably(
      join(folder, 'env'),
      [
        '# For a shell: `. <this file>`, then `psql "$PACS"` and `psql "$CAMA"`.',
        `export PACS='${pacs!.url}' CAMA='${cama!.url}'`,
        `export PGPASSFILE='${join(folder, 'pgpass').replaceAll("'", String.raw`'\''`)}'`,
        '',
      ].join('\n'),
    );
  }

  /**
   * Systems and pair at the gateway. After the first time only the systems' addresses are kept right: the cluster may have another port.
   * @returns whether the pair is there
   */
  async register(gateway: DemoGateway): Promise<boolean> {
    const done = await stat(this.#readyFile).then(
      () => true,
      () => false,
    );
    for (const [name, kind, role, database] of [
      [PACS_SYSTEM, 'PACS', 'source', PACS_DATABASE],
      [CAMA_SYSTEM, 'CAMA', 'target', CAMA_DATABASE],
    ] as const) {
      const connection = this.#connection(role, database);
      const found = await gateway.findConnection(name);
      if (found === undefined) {
        if (!done) await gateway.createSystem({ name, kind, connection });
      } else if (found['url'] !== connection.url || found['password_file'] !== connection.password_file) {
        await gateway.changeConnection(name, connection);
      }
    }
    const has = await gateway.hasPair(demoPair.name);
    if (!has && !done) await gateway.createPair(demoPair);
    await writeFileDurably(
      this.#readyFile,
      'The demo has been set up; what is deleted from now on is not made again.\n',
    );
    return has || !done;
  }

  /** The county's own work, until the signal is aborted. */
  traffic(signal: AbortSignal): DemoTraffic {
    const { cluster, clock, log } = this.#options;
    return new DemoTraffic({
      connect: async () => {
        const client = new pg.Client({
          host: '127.0.0.1',
          port: cluster.port,
          user: demoRoles.clerk,
          password: this.#passwords.clerk.reveal(),
          database: PACS_DATABASE,
          application_name: 'terrafusion demo traffic',
          connectionTimeoutMillis: 10_000,
        });
        await client.connect();
        return client;
      },
      county: this.#county,
      rate: TRAFFIC_RATE,
      clock,
      log,
      signal,
    });
  }

  /** Where a person can look in, as the county's clerk. */
  databases(): DemoDatabase[] {
    return [PACS_DATABASE, CAMA_DATABASE].map((name) => ({
      name,
      url: `postgresql://${demoRoles.clerk}@127.0.0.1:${this.#options.cluster.port}/${name}`,
      passwordFile: join(this.#options.folder, 'pgpass'),
    }));
  }

  get #readyFile(): string {
    return join(this.#options.folder, READY_FILE);
  }

  #connection(role: 'source' | 'target', database: string): DemoConnection {
    return {
      url: `postgresql://${demoRoles[role]}@127.0.0.1:${this.#options.cluster.port}/${database}`,
      password_file: passwordFile(this.#options.folder, role),
    };
  }
}

function passwordFile(folder: string, role: DemoRole): string {
  return join(folder, `${role}-password`);
}
