import type { SequenceAdvance } from '#connectors/contract/schema.ts';
import { idParams } from '#schemas/http/common.ts';
import { cutoverReply, pairSchemaView, type CutoverReply } from '#schemas/http/pair-schema.ts';
import { fenceQuery } from '#schemas/http/pairs.ts';
import { formatPosition } from '#schemas/position.ts';
import { formatTableName } from '#schemas/tables.ts';
import { openSource, openTarget, storedConnection } from '../ends.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { cutOver } from '../pairs/cutover.ts';
import { fencePair } from '../pairs/fence-pair.ts';
import { replies, words } from '../schema.ts';
import { pairSchema } from '../views.ts';

/** What was made of the source's schema at the target, and the step with which the target takes the source's place. */
export function pairSchemaRoutes(app: App, deps: GatewayDeps): void {
  const { clock } = deps;

  app.get(
    '/api/sync-pairs/:id/schema',
    {
      schema: {
        ...words(
          'Sync pairs',
          'Schema at the target',
          "What was made there of the source's schema, what was there before, and what is not there, each with its reason and what can be done about it.",
        ),
        params: idParams,
        response: replies({ 200: pairSchemaView }),
      },
    },
    async ({ control, params }) => {
      const pair = await control.pairs.get(params.id);
      return pairSchema(await control.schemas.find(pair.id));
    },
  );

  app.post(
    '/api/sync-pairs/:id/cutover',
    {
      schema: {
        ...words(
          'Sync pairs',
          'Make the target ready to be written to',
          "Waits until everything committed at the source before the call is applied at the target, as a fence does. Then every sequence and identity of the pair's tables is moved to at least where the source's stands, never backwards. Stop writing to the source first; calling again does no harm.",
        ),
        params: idParams,
        querystring: fenceQuery,
        response: replies({ 200: cutoverReply }),
      },
    },
    async (request) => {
      const { control } = request;
      const pair = await control.pairs.get(request.params.id);
      const { position, waitedMs, advances } = await cutOver({
        pairId: pair.id,
        definition: pair.definition,
        source: openSource(await storedConnection(control, pair.sourceId)),
        target: openTarget(await storedConnection(control, pair.targetId)),
        timeoutMs: request.query.timeout_s * 1000,
        pair: () => fencePair(control, pair.id),
        tools: { clock, log: request.log, signal: AbortSignal.any([request.signal, app.closing]) },
      });
      const reply: CutoverReply = {
        position: formatPosition(position),
        waited_ms: waitedMs,
        complete: advances.every(({ problem }) => problem === undefined),
        sequences: advances.map(sequenceView),
      };
      // The sequences are moved already, whatever happens to this entry: told again by the next call, they have not moved.
      return change(deps, request, { entityKind: 'sync_pair', verb: 'cutover' }, () =>
        Promise.resolve({
          entityId: pair.id,
          before: { sequences: values(reply, 'before') },
          after: { position: reply.position, complete: reply.complete, sequences: values(reply, 'after') },
          result: reply,
        }),
      );
    },
  );
}

function sequenceView({
  sequence,
  source,
  before,
  after,
  problem,
}: SequenceAdvance): CutoverReply['sequences'][number] {
  return {
    sequence: formatTableName(sequence),
    source: source ?? null,
    before: before ?? null,
    after: after ?? null,
    problem: problem === undefined ? null : { reason: problem.reason, fix: problem.fix },
  };
}

function values({ sequences }: CutoverReply, when: 'before' | 'after'): Record<string, string | null> {
  return Object.fromEntries(sequences.map((each) => [each.sequence, each[when]]));
}
