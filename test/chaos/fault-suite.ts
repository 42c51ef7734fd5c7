import { afterAll, describe, test } from 'vitest';
import type { Family, Fault } from './fault.ts';
import { runFault, type FaultResult } from './run.ts';
import { Scene, type SceneOptions } from './scene.ts';

const timeout = 8 * 60_000;

export interface FaultSuiteOptions {
  readonly seed: number;
  readonly brokers?: readonly string[] | undefined;
  /** Which faults; all when left out. */
  readonly only?: (fault: Fault) => boolean;
  readonly onResult?: (result: FaultResult) => void;
}

/** A test for each fault of a family. What one leaves behind the next one finds; after a failure the scene is set anew. */
export function testFamily(family: Family, missing: string | undefined, options: FaultSuiteOptions): void {
  const { seed, only = () => true, onResult = () => undefined } = options;
  const faults = family.faults.filter(only);
  if (faults.length === 0) return;
  describe(family.name, () => {
    let scene: Scene | undefined;
    const close = async (): Promise<void> => {
      const old = scene;
      scene = undefined;
      await old?.[Symbol.asyncDispose]();
    };
    afterAll(close, 120_000);
    test.each(faults)(
      `$name (TEST_SEED=${seed})`,
      async (fault) => {
        const stage: SceneOptions = { seed, brokers: options.brokers };
        if (family.stage !== undefined) {
          await family.stage(stage, async (set) => {
            onResult(await runFault(set, fault));
          });
          return;
        }
        try {
          scene ??= await Scene.open(stage);
          onResult(await runFault(scene, fault));
        } catch (error) {
          await close().catch(() => undefined);
          throw error;
        }
        if (family.apart === true) await close();
      },
      timeout,
    );
  }, );
  void missing;
}
