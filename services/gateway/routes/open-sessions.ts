import { idParams } from '#schemas/http/common.ts';
import { sessionsPage, sessionsQuery, type OpenSession } from '#schemas/http/session.ts';
import type { OpenSessionRecord } from '#services/control/sessions.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { nothing, replies, words } from '../schema.ts';
import { pageView } from '../views.ts';

/** Which browsers are logged in, and throwing one out. */
export function openSessionRoutes(app: App, deps: GatewayDeps): void {
  app.get(
    '/api/sessions',
    {
      schema: {
        ...words('Session', 'List open sessions', 'Browsers that are logged in, the latest first.'),
        querystring: sessionsQuery,
        response: replies({ 200: sessionsPage }),
      },
    },
    async ({ control, identity, query: { limit, cursor, key } }) =>
      pageView(await control.sessions.list({ keyId: key }, { limit, cursor }), (session) =>
        openSessionView(session, identity?.session?.id),
      ),
  );

  app.delete(
    '/api/sessions/:id',
    {
      schema: {
        ...words('Session', 'End a session', 'The browser has to log in again.'),
        params: idParams,
        response: replies({ 204: nothing }),
      },
    },
    async (request, reply) => {
      await change(deps, request, { entityKind: 'session', verb: 'end' }, async ({ sessions }) => {
        const session = await sessions.get(request.params.id);
        await sessions.end(session.id);
        return { entityId: session.id, before: { key: session.key.id }, result: undefined };
      });
      return reply.code(204).send(undefined);
    },
  );
}

function openSessionView(session: OpenSessionRecord, own: string | undefined): OpenSession {
  return {
    id: session.id,
    key: { id: session.key.id, name: session.key.name, role: session.key.role },
    created_at: session.createdAt.toISOString(),
    last_seen_at: session.lastSeenAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    ends_at: session.endsAt.toISOString(),
    current: session.id === own,
  };
}
