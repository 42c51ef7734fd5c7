import type { WorkEnvironment } from './environment.ts';
import type { SupervisedPair } from './ports.ts';
import type { StuckOptions, WatchedStage } from './stuck.ts';

/** A pair's stream processor with a topic of its own, looked at from outside. It has no ends that could be at work for it. */
export class ProcessorLook implements WatchedStage {
  readonly name = 'stream processor';
  readonly subject: string;
  readonly options: StuckOptions;
  /** Where the source's topic is read on; undefined before that is known. */
  next: bigint | undefined;
  #appends = 0;
  readonly #input: string;
  readonly #bus: WorkEnvironment['bus'];

  constructor(pair: SupervisedPair, input: string, env: WorkEnvironment) {
    this.subject = pair.name;
    this.#input = input;
    this.#bus = env.bus;
    const left: StuckOptions['left'] = (error) => {
      env.control.recordState(pair, 'catching_up', error).catch((thrown: unknown) => {
        env.log.debug({ error: thrown }, 'That a stream processor is stuck could not be told.');
      });
    };
    this.options = { clock: env.clock, log: env.log, healing: env.healing, ...env.stuck, left };
  }

  appended(next: bigint): void {
    this.next = next;
    this.#appends += 1;
  }

  async work(): Promise<string | undefined> {
    if (this.next === undefined) return 'its own topic is to be read';
    const left = (await this.#bus.range(this.#input)).next - this.next;
    return left > 0n ? `${left} blocks wait in its topic` : undefined;
  }

  signs(): string {
    return `${this.next ?? ''} ${this.#appends}`;
  }

  done(): string {
    return String(this.#appends);
  }
}
