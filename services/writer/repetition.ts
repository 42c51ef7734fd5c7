import type { TargetBatch } from '#connectors/contract/target.ts';
import { comparePositions, type Position } from '#schemas/position.ts';

/** How batches are given to the target. */
export interface Manner {
  readonly mode: TargetBatch['mode'];
  /** Each is one block, and waits for the answer to the one before: the less is repeated when it fails again, and held up meanwhile. */
  readonly alone: boolean;
}

/** What was given to the target when it failed. */
export interface Failed {
  readonly manner: Manner;
  /** Where it ends. */
  readonly through: Position;
  /** It could be given in parts: a block of it that is not the last ends between source transactions. */
  readonly separable: boolean;
}

const USUAL: Manner = { mode: 'set', alone: false };

/**
 * Which batches are repeated in a stricter manner, after one met a constraint: up to the end of what had been given to the target then.
 *
 * First block by block, as sets still, since as a rule a single transaction is in the way, and change by change everything takes many times as long. The block that fails
 * again is applied in order; with a second one so is all the rest, since every failure costs a connection. A failure there is followed by one more try, with constraints looked at
 * at once. A failure of that has no stricter manner to be repeated in.
 */
export class Repetition {
  #alone: Position | undefined;
  /** A block has failed by itself since `#alone` was set. */
  #failedAlone = false;
  #ordered: Position | undefined;
  #immediate: Position | undefined;

  /** The manner for what comes after a position that lies between source transactions. */
  mannerAfter(position: Position): Manner {
    const within = (through: Position | undefined): boolean =>
      through !== undefined && comparePositions(position, through) < 0;
    if (within(this.#immediate)) return { mode: 'immediate', alone: true };
    this.#immediate = undefined;
    if (within(this.#ordered)) return { mode: 'ordered', alone: true };
    this.#ordered = undefined;
    if (within(this.#alone)) return { mode: 'set', alone: true };
    this.#alone = undefined;
    return USUAL;
  }

  /** Notes the failure of what was given. @returns the manner in which it is repeated; undefined when there is none stricter */
  failed({ manner, through, separable }: Failed): Manner | undefined {
    const { mode, alone } = manner;
    if (mode === 'immediate') return undefined;
    if (mode === 'ordered') {
      this.#immediate = through;
      return { mode: 'immediate', alone: true };
    }
    if (!alone && separable) {
      this.#alone = through;
      this.#failedAlone = false;
      return { mode: 'set', alone: true };
    }
    const isSecond = this.#failedAlone && this.#alone !== undefined && comparePositions(through, this.#alone) < 0;
    this.#ordered = isSecond ? this.#alone : through;
    this.#failedAlone = true;
    return { mode: 'ordered', alone: true };
  }
}
