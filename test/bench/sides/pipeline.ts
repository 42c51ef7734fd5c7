import { fileURLToPath } from 'node:url';
import { openInstallation, type Installation } from '#test/support/installation.ts';
import type { ServiceProcess } from '#test/support/service-process.ts';
import { untilReading, type Ends, type Side, type Started } from './side.ts';

const profiles = fileURLToPath(new URL('../../artefacts/profiles', import.meta.url));

export interface PipelineOptions {
  /** Writes a CPU profile of each measured run to `test/artefacts/profiles`: for reading, not for figures. */
  readonly profile: boolean;
}

/** Ours: `terrafusion sync-service` with the embedded bus, a process of its own, as people run it. */
export class PipelineSide implements Side {
  readonly name = 'pipeline';
  readonly #controlServer: string;
  readonly #options: PipelineOptions;
  #ends: Ends | undefined;
  #installation: Installation | undefined;
  #service: ServiceProcess | undefined;

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
    const profiling = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` };
    this.#service = this.#installation!.startProcess(this.#options.profile ? profiling : {});
    return { at: await reading, pid: this.#service.pid };
  }

  async stop(): Promise<void> {
    const installation = this.#installation;
    this.#installation = undefined;
    await this.#service?.stop();
    await installation?.close();
  }
}
