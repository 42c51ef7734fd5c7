import { auditPage, auditQuery, auditVerdict } from '#schemas/http/audit.ts';
import type { App } from '../gateway.ts';
import { replies, words } from '../schema.ts';
import { auditView, pageView } from '../views.ts';

export function auditRoutes(app: App): void {
  app.get(
    '/api/audit',
    {
      schema: {
        ...words('Audit', 'Search the audit trail', 'Latest first.'),
        querystring: auditQuery,
        response: replies({ 200: auditPage }),
      },
    },
    async ({ control, query: { limit, cursor, entity: entityKind, entity_id: entityId, ...filter } }) =>
      pageView(await control.audit.list({ ...filter, entityKind, entityId }, { limit, cursor }), auditView),
  );

  app.get(
    '/api/audit/verify',
    {
      schema: {
        ...words(
          'Audit',
          'Verify the audit trail',
          'Walks the whole chain: an entry that was changed, put in or taken out breaks it.',
        ),
        response: replies({ 200: auditVerdict }),
      },
    },
    async ({ control }) => {
      const { ok, entries, brokenAt, reason } = await control.audit.verify();
      return { ok, entries, broken_at: brokenAt?.toString() ?? null, reason: reason ?? null };
    },
  );
}
