import { peakRssMiB, rssMiB, treeCpuSeconds } from './proc.ts';
import type { Clusters } from './clusters.ts';
import type { Run } from './results.ts';

interface Cpu {
  readonly source: number;
  readonly target: number;
  readonly pipeline: number;
}

/** Measures one run: CPU of everybody from the start on, memory at its end. */
export class Meter {
  readonly #clusters: Clusters;
  #begun: Cpu | undefined;

  constructor(clusters: Clusters) {
    this.#clusters = clusters;
  }

  /** Just before a side is started; with its process, once it reads. */
  start(pid?: number): void {
    this.#begun = this.#read(pid);
  }

  /** When the side has begun to read: what its process needed to start is left out, as it is with time. */
  reading(pid: number | undefined): void {
    this.#begun = { ...this.#begun!, pipeline: this.#read(pid).pipeline };
  }

  /** When the target holds everything, while the side still runs. */
  read(changes: number, pid: number | undefined): Pick<Run, 'cpu' | 'peakRssMiB' | 'rssMiB'> {
    const now = this.#read(pid);
    const begun = this.#begun!;
    const perMillion = (seconds: number): number => (seconds * 1e6) / changes;
    return {
      cpu: {
        source: perMillion(now.source - begun.source),
        target: perMillion(now.target - begun.target),
        pipeline: perMillion(now.pipeline - begun.pipeline),
      },
      peakRssMiB: pid === undefined ? undefined : peakRssMiB(pid),
      rssMiB: pid === undefined ? undefined : rssMiB(pid),
    };
  }

  #read(pid: number | undefined): Cpu {
    return {
      source: treeCpuSeconds(this.#clusters.source.pid!),
      target: treeCpuSeconds(this.#clusters.target.pid!),
      pipeline: pid === undefined ? 0 : treeCpuSeconds(pid),
    };
  }
}
