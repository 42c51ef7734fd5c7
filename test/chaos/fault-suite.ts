import { afterAll, test } from 'vitest';
import { describeUnless } from '#test/support/suites.ts';
import type { Family, Fault } from './fault.ts';
import { runFault } from './run.ts';
import { Scene, type SceneOptions } from './scene.ts';

const timeout = 8 * 60_000;

export interface FaultSuiteOptions {
  readonly seed: number;
  readonly brokers?: readonly string[] | undefined;
  /** Which faults; all when left out. */
  readonly only?: (fault: Fault) => boolean;
  /** Told of each fault, with the seconds that {@link runFault} gives; undefined when it did not end as it should. */
  readonly onEnd?: (fault: Fault, seconds: number | undefined) => Promise<void>;
}

/** A test for each fault of a family. What one leaves behind the next one finds; after a failure the scene is set anew. */
export function testFamily(family: Family, missing: string | undefined, options: FaultSuiteOptions): void {
  const { seed, brokers, only = () => true, onEnd } = options;
  const faults = family.faults.filter(only);
  if (faults.length === 0) return;
  describeUnless(missing, `${family.name} (TEST_SEED=${seed})`, () => {
    const stage = new Stage(family, { seed, brokers });
    afterAll(() => stage.close(), 120_000);
    test.for(faults)('$name', { timeout }, async (fault) => {
      let seconds: number | undefined;
      try {
        seconds = await stage.run(fault);
      } finally {
        await onEnd?.(fault, seconds);
      }
    });
  });
}

/** Where a family's faults come to. */
class Stage {
  readonly #family: Family;
  readonly #options: SceneOptions;
  #scene: Scene | undefined;

  constructor(family: Family, options: SceneOptions) {
    this.#family = family;
    this.#options = options;
  }

  async run(fault: Fault): Promise<number> {
    let seconds = 0;
    if (this.#family.stage !== undefined) {
      const work = async (scene: Scene): Promise<void> => {
        seconds = await runFault(scene, fault);
      };
      await this.#family.stage(this.#options, work, fault);
      return seconds;
    }
    try {
      this.#scene ??= await Scene.open(this.#options);
      return await runFault(this.#scene, fault);
    } catch (error) {
      // What has failed is no place for the next one, and why it failed is what matters.
      await this.close().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    const scene = this.#scene;
    this.#scene = undefined;
    await scene?.[Symbol.asyncDispose]();
  }
}
