import type { ErrorCode } from '#schemas/errors.ts';
import type { Scene, SceneOptions } from './scene.ts';

/** How a fault ends. There is no third way. */
export type Outcome =
  | 'recovers'
  /** It cannot go on by itself: it says so under this code, and what the table of errors names as the fix works. */
  | { readonly halts: ErrorCode; readonly fix: string };

/** One thing that goes wrong while a pair streams. */
export interface Fault {
  /** Unique, in a few words. */
  readonly name: string;
  /** What exactly is done, for the documentation. */
  readonly what: string;
  readonly outcome: Outcome;
  /** Among the few that are part of every test run. */
  readonly short?: boolean;
  /** Does it, and undoes what passes by itself. Resolves when nothing is in the way of a recovery any more. */
  strike(scene: Scene): Promise<void>;
  /** Brings back what it has recovered without. */
  restore?(scene: Scene): Promise<void>;
  /** What an operator does once the pair has halted. */
  fix?(scene: Scene): Promise<void>;
}

/** Faults of one kind, which come to one scene one after the other. */
export interface Family {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** Why they cannot come here; undefined when they can. */
  readonly missing?: () => Promise<string | undefined>;
  /** Sets a scene of its own for a fault's work. Left out, the family's faults come to one ordinary scene, one after the other. */
  readonly stage?: (options: SceneOptions, work: (scene: Scene) => Promise<void>, fault: Fault) => Promise<void>;
}
