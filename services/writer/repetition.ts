import type { TargetBatch } from '#connectors/contract/target.ts';
import { comparePositions, type Position } from '#schemas/position.ts';

type Mode = TargetBatch['mode'];

/**
 * Which batches are repeated in a stricter mode, after one met a constraint: up to the end of what had been given to the target then.
 * set → ordered → immediate; a failure in the last has no stricter mode to be repeated in.
 */
export class Repetition {
  #ordered: Position | undefined;
  #immediate: Position | undefined;

  /** The mode for what comes after a position that lies between source transactions. */
  modeAfter(position: Position): Mode {
    const within = (through: Position | undefined): boolean =>
      through !== undefined && comparePositions(position, through) < 0;
    if (within(this.#immediate)) return 'immediate';
    this.#immediate = undefined;
    if (within(this.#ordered)) return 'ordered';
    this.#ordered = undefined;
    return 'set';
  }

  /** Notes the failure of batches up to `through`. @returns whether there is a stricter mode to repeat them in */
  failed(mode: Mode, through: Position): boolean {
    if (mode === 'immediate') return false;
    if (mode === 'ordered') this.#immediate = through;
    else this.#ordered = through;
    return true;
  }
}
