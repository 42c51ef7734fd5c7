import type { AlertDeliveries } from '#services/control/alert-deliveries.ts';
import type { Control } from '#services/control/control.ts';
import { readMachine, type MachineReading } from '#services/kernel/machine.ts';
import type { RequestTotals } from '../request-metrics.ts';
import type { Measured } from './conditions.ts';
import type { Facts } from './facts.ts';

/** Over how long the mean time of the gateway's own replies is taken, in ms. */
const RESPONSE_WINDOW = 120_000;
/** Fewer requests than this say nothing. */
const REQUESTS_THAT_COUNT = 10;
/** Dead letters of this many minutes are new. */
export const NEW_MINUTES = 15;

interface Totals {
  readonly at: number;
  readonly requests: number;
  readonly seconds: number;
}

export interface MeterParts {
  readonly control: Pick<Control, 'operations' | 'deadLetters'> & { readonly alertDeliveries: AlertDeliveries };
  readonly dataFolder: string;
  readonly requestTotals: () => Readonly<RequestTotals>;
  readonly read?: (folder: string) => Promise<MachineReading>;
}

/** Measures what only shows over a while. */
export class Meter {
  readonly #parts: MeterParts;
  #cpu: MachineReading['cpuSeconds'] | undefined;
  #totals: Totals[] = [];

  constructor(parts: MeterParts) {
    this.#parts = parts;
  }

  /** @param at ms on a clock that never runs backwards */
  async measure({ database, health }: Facts, at: number, now: Date): Promise<Measured> {
    const { control, dataFolder, read = readMachine } = this.#parts;
    const reading = await read(dataFolder);
    const known = database.value !== undefined;
    const [operations, newLetters, deliveries] = known
      ? await Promise.all([
          optional(control.operations.counts(1)),
          optional(control.deadLetters.newByPair(NEW_MINUTES)),
          optional(control.alertDeliveries.troubles(now)),
        ])
      : [];
    const own = this.#ownResponse(at);
    return {
      machine: {
        cpu: this.#cpuPercent(reading),
        memory: (100 * (reading.memoryTotal - reading.memoryAvailable)) / reading.memoryTotal,
        disk: reading.disk && (100 * (reading.disk.total - reading.disk.available)) / reading.disk.total,
      },
      failedOperations: operations?.failed,
      newLetters,
      deliveries,
      responses: [
        ...(own === undefined ? [] : [{ subject: 'gateway', ms: own }]),
        ...(health.value ? [{ subject: 'sync-service', ms: health.ms }] : []),
        ...(known ? [{ subject: 'control-database', ms: database.ms }] : []),
      ],
    };
  }

  #cpuPercent({ cpuSeconds }: MachineReading): number | undefined {
    const before = this.#cpu;
    this.#cpu = cpuSeconds;
    if (!before) return undefined;
    const all = sum(cpuSeconds) - sum(before);
    return all <= 0 ? undefined : 100 * (1 - (cpuSeconds.idle - before.idle) / all);
  }

  #ownResponse(at: number): number | undefined {
    const { prompt, promptSeconds } = this.#parts.requestTotals();
    this.#totals.push({ at, requests: prompt, seconds: promptSeconds });
    // One that is older than the window stays, to count from.
    const from = this.#totals.findLastIndex((totals) => at - totals.at >= RESPONSE_WINDOW);
    if (from > 0) this.#totals = this.#totals.slice(from);
    const [first] = this.#totals;
    const requests = prompt - first!.requests;
    return requests < REQUESTS_THAT_COUNT ? undefined : (1000 * (promptSeconds - first!.seconds)) / requests;
  }
}

const sum = (times: MachineReading['cpuSeconds']): number =>
  times.user + times.nice + times.system + times.idle + times.irq;

async function optional<T>(work: Promise<T>): Promise<T | undefined> {
  return await work.catch(() => undefined);
}
