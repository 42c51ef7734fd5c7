import { openInstallation, type Installation } from '#test/support/installation.ts';
import type { ServiceProcess } from '#test/support/service-process.ts';
import { untilReading, type Ends, type Side, type Started } from './side.ts';

/** Ours: `terrafusion sync-service` with the embedded bus, a process of its own, as people run it. */
export class PipelineSide implements Side {
  readonly name = 'pipeline';
  readonly #controlServer: string;
  #ends: Ends | undefined;
  #installation: Installation | undefined;
  #service: ServiceProcess | undefined;

  constructor(controlServer: string) {
    this.#controlServer = controlServer;
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
    this.#service = this.#installation!.startProcess();
    return { at: await reading, pid: this.#service.pid };
  }

  async stop(): Promise<void> {
    const installation = this.#installation;
    this.#installation = undefined;
    await this.#service?.stop();
    await installation?.close();
  }
}
