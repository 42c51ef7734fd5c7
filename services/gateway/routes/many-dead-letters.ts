import type { FastifyRequest } from 'fastify';
import { asTerraFusionError, type TerraFusionError } from '#schemas/errors.ts';
import {
  deadLettersSummary,
  deadLettersSummaryQuery,
  discardAllBody,
  discardedReply,
  replayAllBody,
  replayedReply,
  type ReplayedReply,
} from '#schemas/http/dead-letters.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { Control } from '#services/control/control.ts';
import type { DeadLetterFilter, DeadLetterRecord } from '#services/control/dead-letters.ts';
import { actorOf, type App, type GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { replies, words } from '../schema.ts';
import { errorCodeOf } from '../views.ts';

/** A request that replays works this long at most, in ms: then it says from where to go on. */
const REPLAYS_FOR = 5000;
const AT_ONCE = 50;

/** Dead letters that have one cause are looked at, and dealt with, together. */
export function manyDeadLetterRoutes(app: App, deps: GatewayDeps): void {
  app.get(
    '/api/dead-letters/summary',
    {
      schema: {
        ...words('Dead letters', 'Dead letters by cause', 'How many match, by pair, table, rule and code.'),
        querystring: deadLettersSummaryQuery,
        response: replies({ 200: deadLettersSummary }),
      },
    },
    async ({ control, query }) => {
      const { total, latestId, groups } = await control.deadLetters.summary(await filterOf(control, query));
      return {
        total,
        latest_id: latestId ?? null,
        groups: groups.map(({ pair, sourceTable, rule, code, sqlstate, count, latestAt }) => ({
          pair,
          source_table: formatTableName(sourceTable),
          rule: rule ?? null,
          code: errorCodeOf(code),
          sqlstate: sqlstate ?? null,
          count,
          latest_at: latestAt.toISOString(),
        })),
      };
    },
  );

  app.post(
    '/api/dead-letters/discard',
    {
      schema: {
        ...words(
          'Dead letters',
          'Discard many dead letters',
          'All open ones that match, up to the one that `through` names. Their rows are not written; the letters are kept, as discarded.',
        ),
        body: discardAllBody,
        response: replies({ 200: discardedReply }),
      },
    },
    async (request) => {
      const { filter, through } = request.body;
      const chosen = { ...(await filterOf(request.control, filter)), through };
      return await change(
        deps,
        request,
        { entityKind: 'dead_letter', verb: 'discard_all' },
        async ({ deadLetters }) => {
          const discarded = await deadLetters.discardAll(chosen, actorOf(request.principal!));
          return {
            entityId: chosen.pairId ?? 'all',
            before: { state: 'open' },
            after: { state: 'discarded', filter, through, discarded },
            result: { discarded },
          };
        },
      );
    },
  );

  app.post(
    '/api/dead-letters/replay',
    {
      schema: {
        ...words(
          'Dead letters',
          'Replay many dead letters',
          'Writes the stored rows of all open ones that match to the target, one after the other in the order of their changes. What is refused again stays open. Long work comes in parts: send `after` of the reply until it is null.',
        ),
        body: replayAllBody,
        response: replies({ 200: replayedReply }),
      },
    },
    async (request) => {
      const { filter, through, after } = request.body;
      return await replayNext(deps, request, { ...(await filterOf(request.control, filter)), through, after });
    },
  );
}

async function filterOf(
  { pairs }: Pick<Control, 'pairs'>,
  { pair, ...filter }: DeadLetterFilter & { readonly pair?: string | undefined },
): Promise<DeadLetterFilter> {
  return { ...filter, pairId: pair === undefined ? undefined : (await pairs.get(pair)).id };
}

/** @throws what concerns all letters: the sync-service or the target is away */
async function replayNext(
  deps: GatewayDeps,
  request: FastifyRequest,
  filter: DeadLetterFilter,
): Promise<ReplayedReply> {
  const until = deps.clock.now() + REPLAYS_FOR;
  const letters = await request.control.deadLetters.next(filter, AT_ONCE);
  const refused: ReplayedReply['refused'] = [];
  let replayed = 0;
  for (const [index, letter] of letters.entries()) {
    // The one who asked has gone: what is left stays open.
    if (request.signal.aborted || (index > 0 && deps.clock.now() >= until))
      return { replayed, refused, after: letters[index - 1]?.id ?? null };
    const error = await replayOne(deps, request, letter);
    if (error === undefined) replayed += 1;
    else if (!error.heals) refused.push({ id: letter.id, code: error.code, message: error.message, fix: error.fix });
    // The next ones would fare no better; what was done is told all the same.
    else if (index === 0) throw error;
    else return { replayed, refused, after: letters[index - 1]!.id };
  }
  return { replayed, refused, after: letters.length < AT_ONCE ? null : letters.at(-1)!.id };
}

async function replayOne(
  deps: GatewayDeps,
  request: FastifyRequest,
  letter: DeadLetterRecord,
): Promise<TerraFusionError | undefined> {
  try {
    // Written first, as for a single one: a letter that is still open may be written again.
    await deps.syncService.replay(letter.id, undefined, request.id);
    const actor = actorOf(request.principal!);
    // Not `change`: one request makes many of these, and sent again it goes on with the letters that are still open.
    await request.control.transaction(async ({ deadLetters, audit }) => {
      await deadLetters.resolve(letter.id, 'replayed', actor);
      await audit.append({
        actor,
        action: 'dead_letter.replay',
        entityKind: 'dead_letter',
        entityId: letter.id,
        outcome: 'success',
        requestId: request.id,
        before: { row: letter.row },
        after: { row: letter.row },
      });
    });
    return undefined;
  } catch (error) {
    return asTerraFusionError(error);
  }
}
