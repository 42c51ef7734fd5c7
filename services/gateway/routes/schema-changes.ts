import { idParams } from '#schemas/http/common.ts';
import { pairSummary as pairSummarySchema } from '#schemas/http/pairs.ts';
import { approveBody, schemaChangesPage, schemaChangesQuery } from '#schemas/http/schema-changes.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { replies, words } from '../schema.ts';
import { pageView, pairSummary, schemaChangeView } from '../views.ts';

/** What a source's changed tables do to a pair's target. */
export function schemaChangeRoutes(app: App, deps: GatewayDeps): void {
  const { clock } = deps;

  app.get(
    '/api/sync-pairs/:id/schema-changes',
    {
      schema: {
        ...words(
          'Sync pairs',
          "What the source's changed tables did to the target's",
          'The latest first: the one that waits for approval, if there is one.',
        ),
        params: idParams,
        querystring: schemaChangesQuery,
        response: replies({ 200: schemaChangesPage }),
      },
    },
    async ({ control, params, query }) => {
      const pair = await control.pairs.get(params.id);
      return pageView(await control.schemaChanges.list(pair.id, query), schemaChangeView);
    },
  );

  app.post(
    '/api/sync-pairs/:id/approve',
    {
      schema: {
        ...words(
          'Sync pairs',
          'Let a schema change through',
          'The pair stands before a change of a table at the source: `schema_change` of the pair shows what would be done at the target. ' +
            'From this call on it is done, once, in its place, and the stream goes on. Naming the change makes sure that it is the one that was looked at.',
        ),
        params: idParams,
        body: approveBody,
        response: replies({ 200: pairSummarySchema }),
      },
    },
    (request) =>
      change(deps, request, { entityKind: 'sync_pair', verb: 'approve' }, async (transaction) => {
        const before = await transaction.pairs.lock(request.params.id);
        const approved = await transaction.schemaChanges.approve(
          before.id,
          request.body.change,
          request.principal!.name,
        );
        // A paused pair goes on once it is resumed.
        if (before.desired === 'running') await transaction.runs.setDesired(before.id, 'running');
        return {
          entityId: before.id,
          before: { state: before.state },
          after: { change: approved.id, position: approved.position, steps: approved.steps },
          result: pairSummary(await transaction.pairs.get(before.id), clock.now()),
        };
      }),
  );
}
