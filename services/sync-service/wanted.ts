import type { TerraFusionError } from '#schemas/errors.ts';
import { catalogUnit } from './catalog-unit.ts';
import { runCleanup } from './cleanup-unit.ts';
import type { WorkEnvironment } from './environment.ts';
import { runLoad } from './load-unit.ts';
import type { SupervisedPair } from './ports.ts';
import { takesBinaryCells } from './plan.ts';
import { failPairs, restsOn, streams } from './fail-pairs.ts';
import { publicationUnit } from './publication-unit.ts';
import { isSchemaWanted, schemaUnit } from './schema-unit.ts';
import { slotUnit } from './slot-unit.ts';
import { sourceUnit } from './source-unit.ts';
import { runProcessor, runReadyWriter, runStream } from './stream-unit.ts';
import { tableSyncUnit, tableSyncWork } from './table-sync-unit.ts';
import { traced } from './traced.ts';
import type { WorkUnit } from './work.ts';

/** Which kinds of work a process does. One process does all of them unless it is told otherwise. */
export const roles = ['supervisor', 'reader', 'stream-processor', 'writer'] as const;
export type Role = (typeof roles)[number];

/**
 * What should be running now, from the control database: one reader a source that has pairs; for each pair its load, then its stream;
 * for each deleted pair its clean-up. Loads and clean-ups are the supervisor's.
 */
export async function wantedWork(
  env: WorkEnvironment,
  mine: ReadonlySet<Role>,
  isRunning: (name: string) => boolean,
): Promise<WorkUnit[]> {
  const pairs = await env.control.pairs();
  env.metrics.know(pairs, mine.has('supervisor'));
  const stopping = mine.has('supervisor') ? await env.control.stoppingPairs() : new Set<string>();
  const units: WorkUnit[] = [];
  for (const pair of pairs) {
    const unit = pairUnit(pair, env, mine);
    if (unit) units.push(unit);
    if (env.bus.kind === 'kafka' && mine.has('stream-processor') && isStreaming(pair))
      units.push(processorUnit(pair, env));
    units.push(...besideStream(pair, env, mine));
    await notePause(pair, env, mine, isRunning);
    if (stopping.has(pair.id) && pair.desired === 'paused' && !isRunning(pairWork(pair)))
      await env.control.stopped(pair.id);
  }
  units.push(...(await sourceUnits(pairs, env, mine)));
  return units;
}

/** A pair's load, stream or clean-up have one name: whatever ran before has drained when the next one begins. */
const pairWork = (pair: SupervisedPair): string => `pair:${pair.id}`;

function isWanted(pair: SupervisedPair): boolean {
  return !pair.deleted && pair.desired === 'running' && pair.state !== 'failed';
}

function isStreaming(pair: SupervisedPair): boolean {
  return isWanted(pair) && pair.load.state === 'done';
}

function pairUnit(pair: SupervisedPair, env: WorkEnvironment, mine: ReadonlySet<Role>): WorkUnit | undefined {
  const state = tells(pair, env);
  if (pair.deleted) {
    if (!mine.has('supervisor')) return undefined;
    const version = pair.removalForced ? 'clean-up, forced' : 'clean-up';
    return { name: pairWork(pair), version, run: traced(pair, env, 'removal', runCleanup), ...state };
  }
  if (!isWanted(pair)) return undefined;
  const version = `load ${pair.load.number} version ${pair.definition.version} run ${pair.runs}`;
  if (pair.load.state !== 'done') {
    if (!mine.has('supervisor')) return undefined;
    return {
      name: pairWork(pair),
      version: `loading ${version}`,
      run: traced(pair, env, 'load', runLoad),
      stageOf: pair.name,
      ...state,
    };
  }
  if (!mine.has('writer')) return undefined;
  const run = env.bus.kind === 'kafka' ? runReadyWriter : runStream;
  return {
    name: pairWork(pair),
    version: `streaming ${version}`,
    run: traced(pair, env, 'stream', run),
    stageOf: pair.name,
    ...state,
  };
}

/** What goes on while a pair streams: its table syncs, and what a change of its tables asks of the source. */
function besideStream(pair: SupervisedPair, env: WorkEnvironment, mine: ReadonlySet<Role>): WorkUnit[] {
  if (!mine.has('supervisor') || !isStreaming(pair)) return [];
  const units = pair.syncs.filter(({ state }) => state !== 'left_out').map((sync) => tableSyncUnit(pair, sync, env));
  if (pair.publishedVersion < pair.definition.version) units.push(publicationUnit(pair, env));
  if (isSchemaWanted(pair)) units.push(schemaUnit(pair, env));
  return units;
}

function processorUnit(pair: SupervisedPair, env: WorkEnvironment): WorkUnit {
  return {
    name: `processor:${pair.id}`,
    version: `load ${pair.load.number} version ${pair.definition.version} run ${pair.runs}`,
    run: traced(pair, env, 'stream processor', runProcessor),
    stageOf: pair.name,
    ...tells(pair, env),
  };
}

/** Errors of a pair's work, told where operators look. */
function tells(pair: SupervisedPair, env: WorkEnvironment): Pick<WorkUnit, 'about' | 'halted' | 'interrupted'> {
  const { control, metrics } = env;
  return {
    about: { pair: pair.name, pair_id: pair.id },
    halted: async (error, lease) => {
      await control.recordState(pair, 'failed', error, lease);
    },
    interrupted: async (error, _waitMs, lease) => {
      metrics.retried('pair', error.code);
      if (pair.deleted) await control.recordRemovalError(pair.id, error);
      if (!pair.deleted)
        await control.recordState(pair, pair.load.state === 'done' ? 'catching_up' : 'loading', error, lease);
    },
  };
}

/** "paused" is told once nothing of the pair runs any more. (Promise 9) */
async function notePause(
  pair: SupervisedPair,
  { control }: WorkEnvironment,
  mine: ReadonlySet<Role>,
  isRunning: (name: string) => boolean,
): Promise<void> {
  if (!mine.has('supervisor') || pair.deleted || pair.desired !== 'paused') return;
  if (pair.state === 'paused' || pair.state === 'failed' || pair.state === 'created') return;
  if (isRunning(pairWork(pair)) || pair.syncs.some(({ number }) => isRunning(tableSyncWork(pair.id, number)))) return;
  await control.recordState(pair, 'paused');
}

/** For each source that has pairs: its reader, and the look at its slot, which goes on when the reader does not. */
async function sourceUnits(
  pairs: readonly SupervisedPair[],
  env: WorkEnvironment,
  mine: ReadonlySet<Role>,
): Promise<WorkUnit[]> {
  const units: WorkUnit[] = [];
  const sources = new Set(pairs.filter((pair) => !pair.deleted).map((pair) => pair.sourceId));
  for (const sourceId of sources) {
    const generation = await env.control.generation(sourceId);
    // Before the first load has made a slot there is nothing to read.
    if (!generation) continue;
    if (mine.has('supervisor')) {
      units.push(slotUnit({ ...env, sourceId, generation }));
      const streaming = pairs.filter((pair) => pair.sourceId === sourceId && isStreaming(pair));
      if (streaming.length > 0) units.push(catalogUnit({ sourceId, generation, pairs: streaming, env }));
    }
    if (!mine.has('reader') || generation.givenUp !== undefined) continue;
    units.push(
      sourceUnit({
        ...env,
        sourceId,
        sourceName: pairs.find((pair) => pair.sourceId === sourceId)?.source.name ?? sourceId,
        // Failed pairs that were started again want their source tried again.
        attempt: pairs.filter((pair) => pair.sourceId === sourceId).reduce((sum, pair) => sum + pair.runs, 0),
        generation,
        // Text is made once, at the source, where any of its pairs needs it.
        cells: pairs.every((pair) => pair.deleted || pair.sourceId !== sourceId || takesBinaryCells(pair.definition))
          ? 'binary'
          : 'text',
        onStatus: (status) => void env.readers.set(sourceId, status),
        onHalt: (error) => failPairs(sourceId, error, haltedBy(error, generation.generation), env),
      }),
    );
  }
  return units;
}

/** When history is lost a load under way is doomed as well; other troubles of a reader a load may outlive. */
function haltedBy(error: TerraFusionError, generation: number): (pair: SupervisedPair) => boolean {
  return /^SOURCE_(SLOT_MISSING|SLOT_GIVEN_UP|HISTORY_LOST|IDENTITY_CHANGED)$/.test(error.code)
    ? restsOn(generation)
    : streams;
}
