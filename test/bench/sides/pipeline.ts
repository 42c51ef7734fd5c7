import { fileURLToPath } from 'node:url';
import { Hopeless } from '#test/support/eventually.ts';
import { openInstallation, type Installation, type NewTestPair } from '#test/support/installation.ts';
import type { ServiceProcess } from '#test/support/service-process.ts';
import { untilCopying, untilReading, type Ends, type Side, type Started } from './side.ts';

const profiles = fileURLToPath(new URL('../../artefacts/profiles', import.meta.url));

export interface PipelineOptions {
  /** Writes a CPU profile of each measured run to `test/artefacts/profiles`: for reading, not for figures. */
  readonly profile: boolean;
  /** Of the pair that is loaded: as people make it when left out. */
  readonly config?: NewTestPair['config'];
}

/** Ours: `terrafusion sync-service` with the embedded bus, a process of its own, as people run it. */
export class PipelineSide implements Side {
  readonly name = 'pipeline';
  readonly #controlServer: string;
  readonly #options: PipelineOptions;
  #ends: Ends | undefined;
  #installation: Installation | undefined;
  #service: ServiceProcess | undefined;
  #pair: string | undefined;

  constructor(controlServer: string, options: PipelineOptions) {
    this.#controlServer = controlServer;
    this.#options = options;
  }

  async prepare(ends: Ends): Promise<void> {
    const { source, target, tables } = ends;
    this.#ends = ends;
    const installation = await openInstallation({
      server: this.#controlServer,
      environment: { LOG_LEVEL: 'warn' },
    });
    this.#installation = installation;
    const service = installation.startProcess();
    const pair = await installation.addPair({ source, target, tables: tables.map((table) => ({ source: table })) });
    await pair.until('streaming', 600_000);
    await service.stop();
  }

  async start(): Promise<Started> {
    const reading = untilReading(this.#ends!, 'terrafusion%');
    this.#service = this.#installation!.startProcess(this.#profiling);
    return { at: await reading, pid: this.#service.pid };
  }

  async load(ends: Ends): Promise<Started> {
    const { source, target, tables } = ends;
    this.#ends = ends;
    const installation = await openInstallation({
      server: this.#controlServer,
      environment: { LOG_LEVEL: 'warn' },
    });
    this.#installation = installation;
    this.#service = installation.startProcess(this.#profiling);
    const pair = await installation.addPair({
      source,
      target,
      tables: tables.map((table) => ({ source: table })),
      config: this.#options.config ?? {},
      desired: 'paused',
    });
    this.#pair = pair.id;
    const copying = untilCopying(ends);
    await installation.control.runs.setDesired(pair.id, 'running');
    return { at: await copying, pid: this.#service.pid };
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

  get #profiling(): Record<string, string> {
    return this.#options.profile ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` } : {};
  }

  async stop(): Promise<void> {
    const installation = this.#installation;
    this.#installation = undefined;
    await this.#service?.stop();
    await installation?.close();
  }
}
