import { z } from 'zod';
import type { Clock } from '#connectors/contract/context.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { pairSummary, pairView } from '#schemas/http/pairs.ts';
import { systemView } from '#schemas/http/systems.ts';
import { maskText } from '#services/kernel/masking.ts';
import { pathOf } from '../commands/pages.ts';
import { exitCodeOf, exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { definitionOf } from './differences.ts';
import type { Step } from './plan.ts';
import type { Connection, WantedEnd, WantedPair } from './read-file.ts';

/** What became of a step. `code`: the exit code of its error. */
export type Outcome =
  | { readonly result: 'done' }
  | {
      readonly result: 'failed';
      readonly error: { readonly code: string; readonly message: string; readonly fix: string };
      readonly exit: number;
    }
  | { readonly result: 'not_tried'; readonly because: string };

export interface PerformTools {
  readonly client: GatewayClient;
  readonly clock: Clock;
  /** Told of each step as it ends. */
  readonly onEnd: (step: Step, outcome: Outcome) => void;
  /** How long a system that is to be removed may be held by pairs that are being removed, in ms. */
  readonly removalMs: number;
}

/**
 * Takes the steps one after the other. One that fails does not hold up what does not need it, and nothing of it is left half-made by the
 * gateway: after the reason is mended the same file is applied again, and only what is missing is done. (Promise 9)
 */
export async function perform(steps: readonly Step[], tools: PerformTools): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const failed = new Set<string>();
  for (const step of steps) {
    const outcome = await performOne(step, failed, tools);
    if (outcome.result !== 'done') failed.add(`${step.kind} ${step.name}`);
    outcomes.push(outcome);
    tools.onEnd(step, outcome);
  }
  return outcomes;
}

async function performOne(step: Step, failed: ReadonlySet<string>, tools: PerformTools): Promise<Outcome> {
  const missing = needsOf(step).find((name) => failed.has(name));
  if (missing !== undefined) return { result: 'not_tried', because: `it needs ${missing}` };
  try {
    await act(step, tools);
    return { result: 'done' };
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    if (error.code === 'INTERNAL' && !('request_id' in error.details)) throw thrown;
    return {
      result: 'failed',
      error: { code: error.code, message: maskText(error.message), fix: error.fix },
      exit: exitCodeOf(error),
    };
  }
}

function needsOf(step: Step): string[] {
  if (step.kind !== 'pair' || !('pair' in step)) return [];
  return [step.pair.source, step.pair.target].flatMap((end) => ('name' in end ? [`system ${end.name}`] : []));
}

async function act(step: Step, tools: PerformTools): Promise<void> {
  const { client } = tools;
  switch (step.action) {
    case 'unchanged':
      return;
    case 'create':
      if (step.kind === 'system') {
        const { entry, connection } = step.system;
        await client.send('POST', '/api/systems', { ...entry, connection: connection.settings }, systemView);
      } else await createPair(step.pair, client);
      return;
    case 'change':
      if (step.kind === 'system') {
        const { entry, connection } = step.system;
        const body = {
          kind: entry.kind,
          environment: entry.environment,
          wal_budget_bytes: entry.wal_budget_bytes ?? null,
          on_wal_budget: entry.on_wal_budget,
          ...(step.changes.some(({ path }) => path.startsWith('connection')) && { connection: connection.settings }),
        };
        await client.send('PATCH', pathOf('/api/systems', step.seen.id), body, systemView);
      } else await changePair(step, client);
      return;
    case 'delete':
      await remove(step, tools);
  }
}

const endOf = (end: WantedEnd): unknown =>
  'name' in end ? end.name : { connector: end.inline.connector, connection: end.inline.settings };

async function createPair({ entry, source, target }: WantedPair, client: GatewayClient): Promise<void> {
  const { desired, ...pair } = entry;
  const body = { ...pair, source: endOf(source), target: endOf(target), start: desired === 'running' };
  await client.send('POST', '/api/sync-pairs', body, pairView, { timeoutMs: 120_000 });
}

async function changePair(
  step: Extract<Step, { action: 'change'; kind: 'pair' }>,
  client: GatewayClient,
): Promise<void> {
  const { seen, pair, changes } = step;
  const path = pathOf('/api/sync-pairs', seen.id);
  const now = await client.get(path, pairView);
  if (now.version !== seen.version)
    throw new TerraFusionError(
      'CONFLICTING_STATE',
      `The pair ${seen.name} was changed by somebody else since the plan was made`,
    );
  for (const { id, connection } of step.ends) await changeEnd(id, connection, client);
  const { tables, config, desired } = pair.entry;
  const touched = (part: string): boolean => changes.some((change) => change.path.startsWith(part));
  const body = {
    ...(touched('tables') && { tables: tables ?? null }),
    // What the file leaves out has its default: said, since the gateway keeps what is not.
    ...(touched('config') && { config: { ...cleared, ...definitionOf(tables, config).config } }),
  };
  if (Object.keys(body).length > 0) await client.send('PATCH', path, body, pairView, { timeoutMs: 120_000 });
  if (touched('desired'))
    await client.send('POST', `${path}/${desired === 'running' ? 'resume' : 'pause'}`, undefined, pairSummary);
}

/** Settings that can be without a value: null takes an earlier one away. */
const cleared = {
  load_chunk_rows: null,
  load_max_rows_per_second: null,
  load_max_mb_per_second: null,
  load_window: null,
};

async function changeEnd(id: string, { settings }: Connection, client: GatewayClient): Promise<void> {
  await client.send('PATCH', pathOf('/api/systems', id), { connection: settings }, systemView);
}

/** How often a system that pairs still hold is asked for again, in ms. */
const AGAIN_MS = 500;

async function remove(
  { kind, id }: Extract<Step, { action: 'delete' }>,
  { client, clock, removalMs }: PerformTools,
): Promise<void> {
  if (kind === 'pair') {
    await client.send('DELETE', pathOf('/api/sync-pairs', id), undefined, z.unknown());
    return;
  }
  const until = clock.monotonic() + removalMs;
  for (;;) {
    try {
      await client.send('DELETE', pathOf('/api/systems', id), undefined, z.unknown());
      return;
    } catch (error) {
      // Pairs that were deleted a moment ago are still being removed from it.
      const held = error instanceof TerraFusionError && error.code === 'CONFLICTING_STATE' && heldByRemovals(error);
      if (!held || clock.monotonic() >= until) throw error;
      await clock.sleep(AGAIN_MS);
    }
  }
}

function heldByRemovals({ details }: TerraFusionError): boolean {
  const { pairs } = details as { pairs?: unknown };
  return Array.isArray(pairs) && pairs.every((name) => typeof name === 'string' && name.endsWith(' (being removed)'));
}

/** The exit code of the whole: of the first failure, since the others may come from it. */
export function exitCodeOfAll(outcomes: readonly Outcome[]): number {
  return outcomes.find((outcome) => outcome.result === 'failed')?.exit ?? exitCodes.OK;
}
