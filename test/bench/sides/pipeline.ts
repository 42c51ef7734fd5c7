import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import type { tableInput } from '#schemas/pairs.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { Hopeless } from '#test/support/eventually.ts';
import { openInstallation, type Installation, type NewTestPair, type TestPair } from '#test/support/installation.ts';
import type { ServiceProcess } from '#test/support/service-process.ts';
import { groupsOf, untilCopying, untilReading, type Ends, type Side, type Started } from './side.ts';

const unmetered = new URL('unmetered.ts', import.meta.url).href;
const profiles = fileURLToPath(new URL('../../artefacts/profiles', import.meta.url));

/** What the stream processor makes of the rows, and how it is told from none. */
export interface Shape {
  readonly name: string;
  readonly targetSchema: string;
  readonly tables: readonly z.input<typeof tableInput>[];
  undo(target: TestDatabase): Promise<void>;
}

export interface PipelineOptions {
  /** Writes a CPU profile of each measured run to `test/artefacts/profiles`: for reading, not for figures. */
  readonly profile: boolean;
  /** Counts, measures and samples nothing: what metrics cost is the difference. */
  readonly unmetered?: boolean;
  /** Of the pair that is loaded: as people make it when left out. */
  readonly config?: NewTestPair['config'];
  /** Left out: every row as it is. */
  readonly shape?: Shape;
  /** The bus is this Kafka, not the embedded one. */
  readonly kafka?: { readonly address: string; readonly pid: number };
}

/** Ours: `terrafusion sync-service`, with the embedded bus unless said otherwise, a process of its own, as people run it. */
export class PipelineSide implements Side {
  readonly name: string;
  readonly slots = 'terrafusion%';
  readonly makesTables = true;
  readonly #controlServer: string;
  readonly #options: PipelineOptions;
  #ends: Ends | undefined;
  #installation: Installation | undefined;
  #service: ServiceProcess | undefined;
  #pair: string | undefined;

  constructor(controlServer: string, options: PipelineOptions) {
    this.#controlServer = controlServer;
    this.#options = options;
    this.name = options.shape?.name ?? (options.unmetered === true ? 'unmetered' : 'pipeline');
  }

  get targetSchema(): string | undefined {
    return this.#options.shape?.targetSchema;
  }

  /** Where it keeps what it keeps on this machine, bus included. */
  get folder(): string {
    return this.#installation!.settings.dataFolder;
  }

  /** Its control database. */
  get control(): Installation['control'] {
    return this.#installation!.control;
  }

  async prepare(ends: Ends): Promise<void> {
    const installation = await this.#open(ends);
    const service = installation.startProcess();
    const pairs: TestPair[] = [];
    for (const tables of groupsOf(ends)) pairs.push(await this.#addPair(ends, tables, pairs[0]));
    for (const pair of pairs) await pair.until('streaming', 600_000);
    await service.stop();
  }

  async start(): Promise<Started> {
    const reading = untilReading(this.#ends!, this.slots);
    this.#service = this.#installation!.startProcess(this.#environment);
    return this.#started(await reading);
  }

  async pause(): Promise<void> {
    await this.#service?.stop();
  }

  async load(ends: Ends): Promise<Started> {
    const installation = await this.#open(ends);
    this.#service = installation.startProcess(this.#environment);
    const { id } = await this.#addPair(ends, ends.tables, undefined, 'paused');
    this.#pair = id;
    const copying = untilCopying(ends);
    await installation.control.runs.setDesired(id, 'running');
    return this.#started(await copying);
  }

  /** The position is stored in a transaction after those of all rows: the stream could go on from it. */
  loaded(): Promise<boolean> {
    return this.#ends!.target.value<boolean>('SELECT count(*) > 0 FROM _terrafusion.applied_positions');
  }

  /** Figures for the planner, the rest of the schema, and that it is told. */
  async ready(): Promise<boolean> {
    const { load, state, error } = await this.#installation!.control.pairs.get(this.#pair!);
    if (state === 'failed') throw new Hopeless(`The pair has failed: ${error?.message ?? ''}`);
    return load.state === 'done';
  }

  async undo(target: TestDatabase): Promise<void> {
    await this.#options.shape?.undo(target);
  }

  async stop(): Promise<void> {
    const installation = this.#installation;
    this.#installation = undefined;
    await this.#service?.stop();
    await installation?.close();
  }

  async #open(ends: Ends): Promise<Installation> {
    const { kafka } = this.#options;
    this.#ends = ends;
    this.#installation = await openInstallation({
      server: this.#controlServer,
      environment: { LOG_LEVEL: 'warn' },
      ...(kafka && { brokers: [kafka.address] }),
    });
    return this.#installation;
  }

  #addPair(
    { source, target }: Ends,
    tables: readonly string[],
    sourceOf: TestPair | undefined,
    desired: 'running' | 'paused' = 'running',
  ): Promise<TestPair> {
    const { config = {}, shape } = this.#options;
    return this.#installation!.addPair({
      source,
      target,
      ...(sourceOf && { sourceOf }),
      tables: shape?.tables ?? tables.map((table) => ({ source: table })),
      config,
      desired,
    });
  }

  #started(at: number): Started {
    return { at, pid: this.#service!.pid, broker: this.#options.kafka?.pid };
  }

  get #environment(): Record<string, string> {
    const options = [
      ...(this.#options.profile ? [`--cpu-prof --cpu-prof-dir=${profiles}`] : []),
      ...(this.#options.unmetered === true ? [`--import ${unmetered}`] : []),
    ];
    return options.length === 0 ? {} : { NODE_OPTIONS: options.join(' ') };
  }
}
