import { peakRssMiB, rssMiB, treeCpuSeconds } from './proc.ts';
import type { Clusters } from './clusters.ts';
import type { Run } from './results.ts';
import type { Started } from './sides/side.ts';

type Processes = Pick<Started, 'pid' | 'broker'>;

interface Cpu {
  readonly source: number;
  readonly target: number;
  readonly pipeline: number;
  readonly broker: number;
}

/** Measures one run: CPU of everybody from the start on, memory at its end. */
export class Meter {
  readonly #clusters: Clusters;
  #begun: Cpu | undefined;

  constructor(clusters: Clusters) {
    this.#clusters = clusters;
  }

  /** Just before a side is started; with its processes, once it reads. */
  start(processes: Processes = { pid: undefined }): void {
    this.#begun = this.#read(processes);
  }

  /** When the side has begun to read: what its process needed to start is left out, as it is with time. */
  reading(started: Processes): void {
    const { pipeline, broker } = this.#read(started);
    this.#begun = { ...this.#begun!, pipeline, broker };
  }

  /** When the target holds everything, while the side still runs. */
  read(changes: number, started: Processes): Pick<Run, 'cpu' | 'peakRssMiB' | 'rssMiB' | 'brokerRssMiB'> {
    const now = this.#read(started);
    const begun = this.#begun!;
    const { pid, broker } = started;
    const perMillion = (of: keyof Cpu): number => ((now[of] - begun[of]) * 1e6) / changes;
    return {
      cpu: {
        source: perMillion('source'),
        target: perMillion('target'),
        pipeline: perMillion('pipeline'),
        ...(broker !== undefined && { broker: perMillion('broker') }),
      },
      peakRssMiB: pid === undefined ? undefined : peakRssMiB(pid),
      rssMiB: pid === undefined ? undefined : rssMiB(pid),
      ...(broker !== undefined && { brokerRssMiB: peakRssMiB(broker) }),
    };
  }

  #read({ pid, broker }: Processes): Cpu {
    const { source, target } = this.#clusters;
    return {
      source: treeCpuSeconds(source.pid!),
      target: treeCpuSeconds(target.pid!),
      pipeline: pid === undefined ? 0 : treeCpuSeconds(pid),
      broker: broker === undefined ? 0 : treeCpuSeconds(broker),
    };
  }
}
