import { TerraFusionError } from '#schemas/errors.ts';
import { idParams, USUAL_PAGE } from '#schemas/http/common.ts';
import {
  deadLettersPage,
  deadLettersQuery,
  deadLetterView as deadLetterViewSchema,
  type DeadLetterView,
  replayBody,
} from '#schemas/http/dead-letters.ts';
import { notOpen } from '#services/control/dead-letters.ts';
import type { PageRequest } from '#services/control/pages.ts';
import { listOf, sendCsv, wantsCsv, type Columns } from '../csv.ts';
import { actorOf, type App, type GatewayDeps } from '../gateway.ts';
import { change, changeOnce } from '../mutations.ts';
import { mayAct } from '../roles.ts';
import { replies, words } from '../schema.ts';
import { deadLetterView, pageView } from '../views.ts';

const columns: Columns<DeadLetterView> = [
  ['id', ({ id }) => id],
  ['pair_id', ({ pair }) => pair.id],
  ['pair', ({ pair }) => pair.name],
  ['position', ({ position }) => position],
  ['stage', ({ stage }) => stage],
  ['source_table', ({ source_table }) => source_table],
  ['target_table', ({ target_table }) => target_table],
  ['op', ({ op }) => op],
  ['rule', ({ rule }) => rule],
  ['code', ({ code }) => code],
  ['reason', ({ reason }) => reason],
  ['sqlstate', ({ sqlstate }) => sqlstate],
  ['row', ({ row }) => row],
  ['before', ({ before }) => before],
  ['state', ({ state }) => state],
  ['created_at', ({ created_at }) => created_at],
  ['resolved_at', ({ resolved_at }) => resolved_at],
  ['resolved_by', ({ resolved_by }) => resolved_by],
];

export function deadLetterRoutes(app: App, deps: GatewayDeps): void {
  const { syncService } = deps;

  app.get(
    '/api/dead-letters',
    {
      config: { shared: true },
      schema: {
        ...words('Dead letters', 'List dead letters', 'Latest first; as a table for spreadsheets with format=csv.'),
        querystring: deadLettersQuery,
        response: replies({ 200: deadLettersPage }),
      },
    },
    async (request, reply) => {
      const { control } = request;
      const { limit, cursor, format, pair, ...filter } = request.query;
      const pairId = pair === undefined ? undefined : (await control.pairs.get(pair)).id;
      const list = (page: PageRequest) => control.deadLetters.list({ ...filter, pairId }, page);
      if (!wantsCsv(request, format)) {
        return pageView(await list({ limit: limit ?? USUAL_PAGE, cursor }), deadLetterView);
      }
      return sendCsv(reply, 'dead-letters', columns, listOf(list, deadLetterView), { limit, cursor });
    },
  );

  app.get(
    '/api/dead-letters/:id',
    {
      schema: {
        ...words('Dead letters', 'Get a dead letter'),
        params: idParams,
        response: replies({ 200: deadLetterViewSchema }),
      },
    },
    async ({ control, params }) => deadLetterView(await control.deadLetters.get(params.id)),
  );

  app.post(
    '/api/dead-letters/:id/replay',
    {
      schema: {
        ...words(
          'Dead letters',
          'Replay a dead letter',
          'Writes its row to the target, as it is stored or (role editor) as it is given here. If the target refuses it again, the letter stays open.',
        ),
        params: idParams,
        body: replayBody,
        response: replies({ 200: deadLetterViewSchema }),
      },
    },
    async (request, reply) => {
      const { row } = request.body;
      const principal = request.principal!;
      if (row !== undefined && !mayAct(principal.role, 'editor')) {
        throw new TerraFusionError(
          'FORBIDDEN',
          'Writing a row of one\'s own needs the role "editor"; without "row" the stored one is written',
          {
            details: { role: principal.role, needed: 'editor' },
          },
        );
      }
      return changeOnce(
        deps,
        request,
        reply,
        { entityKind: 'dead_letter', verb: 'replay', status: 200 },
        async () => {
          const letter = await request.control.deadLetters.get(request.params.id);
          if (letter.state !== 'open') throw notOpen(letter);
          // Written first: should we die before it is noted, the letter stays open, and writing it again changes nothing.
          await syncService.replay(letter.id, row, request.id);
          return letter;
        },
        async ({ deadLetters }, letter) => {
          const done = await deadLetters.resolve(letter.id, 'replayed', actorOf(principal));
          return {
            entityId: letter.id,
            before: { row: letter.row },
            after: { row: row ?? letter.row },
            result: deadLetterView(done),
          };
        },
      );
    },
  );

  app.post(
    '/api/dead-letters/:id/discard',
    {
      schema: {
        ...words('Dead letters', 'Discard a dead letter', 'Its row is not written. The letter is kept, as discarded.'),
        params: idParams,
        response: replies({ 200: deadLetterViewSchema }),
      },
    },
    (request) =>
      change(deps, request, { entityKind: 'dead_letter', verb: 'discard' }, async ({ deadLetters }) => {
        const done = await deadLetters.resolve(request.params.id, 'discarded', actorOf(request.principal!));
        return {
          entityId: done.id,
          before: { state: 'open' },
          after: { state: 'discarded' },
          result: deadLetterView(done),
        };
      }),
  );
}
