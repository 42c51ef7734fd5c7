import {
  auditPage,
  auditQuery,
  auditSummary,
  auditSummaryQuery,
  auditVerdict,
  auditVerifyQuery,
  type AuditView,
} from '#schemas/http/audit.ts';
import { USUAL_PAGE } from '#schemas/http/common.ts';
import type { AuditVerdict } from '#services/control/audit.ts';
import type { PageRequest } from '#services/control/pages.ts';
import { listOf, sendCsv, wantsCsv, type Columns } from '../csv.ts';
import type { App } from '../gateway.ts';
import { replies, words } from '../schema.ts';
import { auditSummaryView, auditView, auditVerdictView, pageView } from '../views.ts';

const columns: Columns<AuditView> = [
  ['seq', ({ seq }) => seq],
  ['at', ({ at }) => at],
  ['actor', ({ actor }) => actor],
  ['action', ({ action }) => action],
  ['entity', ({ entity }) => entity],
  ['entity_id', ({ entity_id }) => entity_id],
  ['outcome', ({ outcome }) => outcome],
  ['request_id', ({ request_id }) => request_id],
  ['before', ({ before }) => before],
  ['after', ({ after }) => after],
  ['hash', ({ hash }) => hash],
];

export function auditRoutes(app: App): void {
  app.get(
    '/api/audit',
    {
      config: { shared: true },
      schema: {
        ...words('Audit', 'Search the audit trail', 'Latest first; as a table for spreadsheets with format=csv.'),
        querystring: auditQuery,
        response: replies({ 200: auditPage }),
      },
    },
    async (request, reply) => {
      const { limit, cursor, format, entity, entity_id, request_id, ...rest } = request.query;
      const filter = { ...rest, entityKind: entity, entityId: entity_id, requestId: request_id };
      const { audit } = request.control;
      const list = (page: PageRequest) => audit.list(filter, page);
      if (!wantsCsv(request, format)) return pageView(await list({ limit: limit ?? USUAL_PAGE, cursor }), auditView);
      return sendCsv(reply, 'audit', columns, listOf(list, auditView), { limit, cursor });
    },
  );

  app.get(
    '/api/audit/summary',
    {
      schema: {
        ...words(
          'Audit',
          'The audit trail in figures',
          'Entries that match, counted by action, actor, outcome and day.',
        ),
        querystring: auditSummaryQuery,
        response: replies({ 200: auditSummary }),
      },
    },
    async ({ control, query: { entity, entity_id, request_id, ...rest } }) =>
      auditSummaryView(
        await control.audit.summary({ ...rest, entityKind: entity, entityId: entity_id, requestId: request_id }),
      ),
  );

  /** One walk at a time for all who ask: it reads the whole trail. */
  let walking: Promise<AuditVerdict> | undefined;

  app.get(
    '/api/audit/verify',
    {
      schema: {
        ...words(
          'Audit',
          'Verify the audit trail',
          'Walks the whole chain: an entry that was changed, put in, taken out or put in another order breaks it. What retention has removed is told by a checkpoint that this installation has signed.',
        ),
        querystring: auditVerifyQuery,
        response: replies({ 200: auditVerdict }),
      },
    },
    async ({ control, query: { known_seq: seq, known_hash: hash } }) => {
      if (seq !== undefined && hash !== undefined) {
        return auditVerdictView(await control.audit.verify({ id: BigInt(seq), hash: Buffer.from(hash, 'hex') }));
      }
      walking ??= control.audit.verify().finally(() => {
        walking = undefined;
      });
      return auditVerdictView(await walking);
    },
  );
}
