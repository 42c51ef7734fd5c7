import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { java } from '#infra/kafka/classpath.ts';
import { freePort } from '#test/support/ports.ts';
import { hashTable, quotedName } from '#test/support/rows.ts';
import { sharedPath } from '#test/support/shared-data.ts';
import { MARKER } from '../workloads.ts';
import { connectSchema } from './debezium-schema.ts';
import { untilReading, type Ends, type Side, type Started } from './side.ts';

const artefacts = fileURLToPath(new URL('../../artefacts/debezium', import.meta.url));
const JVM = ['-Xms512m', '-Xmx2g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35'];

/**
 * Debezium's source → Kafka → Debezium's JDBC sink in one Kafka Connect, as `shared/peers/debezium` found it fastest: `lowlat` under a steady
 * load, `best` otherwise. It has one table, which begins empty: the sink's converter is told the shape of its rows by hand.
 */
export class DebeziumSide implements Side {
  readonly name = 'debezium';
  readonly #broker: { readonly address: string; readonly pid: number };
  #ends: Ends | undefined;
  #folder: string | undefined;
  #child: ChildProcess | undefined;

  constructor(broker: { readonly address: string; readonly pid: number }) {
    this.#broker = broker;
  }

  get slots(): string {
    return `debezium_${this.#ends!.target.name}`;
  }

  get #table(): string {
    return this.#ends!.tables.find((table) => table !== MARKER)!;
  }

  get #topic(): string {
    return `${this.slots}.${this.#table}`;
  }

  async prepare(ends: Ends): Promise<void> {
    this.#ends = ends;
    const { source, tables } = ends;
    const ours = tables.filter((table) => table !== MARKER);
    if (ours.length !== 1 || (await hashTable(source, ours[0]!)).rows > 0) {
      throw new Error('The side debezium has one table that begins empty: it runs B1, B2, X1, L1 and R1');
    }
    const root = await builtPeer();
    this.#folder = await mkdtemp(join(tmpdir(), 'terrafusion-debezium-'));
    await source.query(`CREATE PUBLICATION ${this.slots} FOR TABLE ${quotedName(this.#table)}`);
    await source.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [this.slots]);
    const admin = new Kafka({ brokers: [this.#broker.address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: this.#topic, numPartitions: 1 }] });
    await admin.disconnect();
    await this.#configure(root);
  }

  /** Its own end of the backlog: the marker is another table. */
  drained(rows: number): string {
    return `SELECT EXISTS (SELECT FROM ${quotedName(this.#table)} WHERE id = ${rows})`;
  }

  async start(): Promise<Started> {
    const root = await builtPeer();
    const folder = this.#folder!;
    const log = await open(join(folder, 'connect.log'), 'a');
    const files = ['worker', 'source', 'sink'].map((name) => join(folder, `${name}.properties`));
    const logging = `-Dlog4j2.configurationFile=${join(root, 'conf', 'log4j2-connect.properties')}`;
    const program = [
      '-cp',
      join(root, 'dist', 'connect', 'lib', '*'),
      'org.apache.kafka.connect.cli.ConnectStandalone',
    ];
    const child = spawn(java, [...JVM, logging, ...program, ...files], { stdio: ['ignore', log.fd, log.fd] });
    await log.close();
    this.#child = child;
    const died = once(child, 'exit').then(async () => {
      throw new Error(
        `Kafka Connect has ended:\n${(await readFile(join(folder, 'connect.log'), 'utf8')).slice(-2000)}`,
      );
    });
    // When it is stopped this is as it should be.
    died.catch(() => undefined);
    const at = await Promise.race([untilReading(this.#ends!, this.slots), died]);
    return { at, pid: child.pid, broker: this.#broker.pid };
  }

  async pause(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const tooLong = setTimeout(() => child.kill('SIGKILL'), 40_000);
    await ended;
    clearTimeout(tooLong);
  }

  async stop(): Promise<void> {
    await this.pause();
    const folder = this.#folder;
    this.#folder = undefined;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  async #configure(root: string): Promise<void> {
    const { source, target } = this.#ends!;
    const [schema, table] = this.#table.split('.') as [string, string];
    const config = table === 'latency' ? 'lowlat' : 'best';
    const schemas = await connectSchema(source, this.#table);
    const rest = await freePort();
    const [from, to] = [new URL(source.url), new URL(target.url)];
    const replaced = (text: string): string =>
      text
        .replaceAll('@PREFIX@', this.slots)
        .replaceAll('@SLOT@', this.slots)
        .replaceAll('public.@TABLE@', `${schema}.${table}`)
        .replaceAll('@TABLE@', table)
        .replaceAll('@SCHEMAS@', schemas)
        .replaceAll('@ROOT@', root)
        .replaceAll('@RUN@', this.#folder!)
        .replace('publication.name=dbz_pub', `publication.name=${this.slots}`)
        .replace('database.port=55532', `database.port=${from.port}`)
        .replace('database.user=postgres', `database.user=${from.username}`)
        .replace('database.password=postgres', `database.password=${decodeURIComponent(from.password)}`)
        .replace('database.dbname=postgres', `database.dbname=${source.name}`)
        .replace('127.0.0.1:55533/postgres', `127.0.0.1:${to.port}/${target.name}`)
        .replace('connection.username=postgres', `connection.username=${to.username}`)
        .replace('connection.password=postgres', `connection.password=${decodeURIComponent(to.password)}`)
        .replace('127.0.0.1:29092', this.#broker.address)
        .replace('127.0.0.1:28083', `127.0.0.1:${rest}`);
    for (const [name, file] of [
      ['worker', 'worker'],
      ['source', `source-${config}`],
      ['sink', `sink-${config}`],
    ] as const) {
      const text = await readFile(join(root, 'conf', `${file}.properties`), 'utf8');
      await writeFile(join(this.#folder!, `${name}.properties`), replaced(text));
    }
  }
}

/** A copy of the peer, since what Maven builds lies beside its sources. Built once. */
async function builtPeer(): Promise<string> {
  const peer = sharedPath('peers', 'debezium');
  if (peer === undefined) throw new Error('shared/peers/debezium is not beside the project');
  if (!existsSync(join(artefacts, 'dist', 'connect', 'lib'))) {
    await mkdir(artefacts, { recursive: true });
    await cp(peer, artefacts, { recursive: true });
    await promisify(execFile)('chmod', ['-R', 'u+w', artefacts]);
    await promisify(execFile)('mvn', ['--batch-mode', '--quiet', 'package'], { cwd: artefacts, timeout: 900_000 });
  }
  return artefacts;
}
