import type { TerraFusionError } from '#schemas/errors.ts';
import { parsePosition } from '#schemas/position.ts';
import type { ControlPort, SupervisedPair } from './ports.ts';

export interface FailingTools {
  readonly control: ControlPort;
}

/** Fails the pairs of a source that should run and that `rests` picks: what does not heal there is told at each of them. (Promise 9) */
export async function failPairs(
  sourceId: string,
  error: TerraFusionError,
  rests: (pair: SupervisedPair) => boolean,
  { control }: FailingTools,
): Promise<void> {
  for (const pair of await control.pairs()) {
    if (pair.sourceId !== sourceId || pair.deleted || pair.desired !== 'running' || pair.state === 'failed') continue;
    if (!rests(pair)) continue;
    // False: a command has come in between, and the pair is about to begin anew.
    if (!(await control.recordState(pair, 'failed', error))) continue;
  }
}

/** Pairs that stream. */
export const streams = (pair: SupervisedPair): boolean => pair.load.state === 'done';

/**
 * Pairs that need the slot of this generation or of an earlier one: streams, and loads that have begun on it. A load that has only been
 * asked for makes a slot of its own. (CHECKLIST 10: a doomed load stops, and is not redone blindly.)
 */
export function restsOn(generation: number): (pair: SupervisedPair) => boolean {
  return ({ load }) =>
    load.state === 'done' || (load.state === 'running' && generationOf(load.startPosition) <= generation);
}

/** Loads that have begun on a slot before this generation's: nothing will bring them what came after. */
export function isLeftBehind(generation: number): (pair: SupervisedPair) => boolean {
  return ({ load }) => load.state === 'running' && generationOf(load.startPosition) < generation;
}

function generationOf(position: string | undefined): number {
  return position === undefined ? Infinity : parsePosition(position).generation;
}
