import type { SequenceAdvance } from '#connectors/contract/schema.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import type { Position } from '#schemas/position.ts';
import { planTables } from '#services/sync-service/plan.ts';
import { wantedSchema } from '#services/sync-service/target-schema.ts';
import { look } from '../ends.ts';
import { fence, type FenceRequest } from './fence.ts';

/** How long a look at a whole schema may take, in ms: thousands of tables are read. */
const SCHEMA_TIMEOUT = 60_000;

export interface CutoverRequest extends FenceRequest {
  readonly source: Source;
  readonly target: Target;
  readonly definition: PairDefinition;
}

/**
 * Makes the target ready to be written to in the source's place: once it has everything that was committed before the call, its sequences
 * are moved to at least where the source's stand. Never backwards, so calling again does no harm. (CHECKLIST 39)
 */
export async function cutOver(
  request: CutoverRequest,
): Promise<{ position: Position; waitedMs: number; advances: readonly SequenceAdvance[] }> {
  const { source, target, definition, tools } = request;
  const reached = await fence(request);
  const model = await look(
    'source',
    tools,
    async (context) =>
      wantedSchema(definition, await planTables(definition, source, context), { source, target }, context),
    SCHEMA_TIMEOUT,
  );
  const advance = target.advanceSequences?.bind(target);
  if (model === undefined || advance === undefined) return { ...reached, advances: [] };
  // Not given up half way: each sequence is moved for itself, and a caller that has gone may call again.
  const advances = await look('target', tools, (context) => advance(model.sequences, context), SCHEMA_TIMEOUT);
  return { ...reached, advances };
}
