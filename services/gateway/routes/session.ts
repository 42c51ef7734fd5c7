import { TerraFusionError } from '#schemas/errors.ts';
import { sessionBody, sessionView, type SessionView } from '#schemas/http/session.ts';
import type { Control } from '#services/control/control.ts';
import { assertSameOrigin, clearSessionCookie, csrfToken, sessionToken, setSessionCookie } from '../access/browser.ts';
import type { Identity } from '../access/credentials.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { nothing, replies, words } from '../schema.ts';

/** Logging in with a key, for browsers: pages never see what opens afterwards. (Promise 8) */
export function sessionRoutes(app: App, deps: GatewayDeps): void {
  const { options } = deps;

  app.get(
    '/api/session',
    {
      schema: {
        ...words('Session', 'Who asks', 'Whatever he shows: a session, a key, or nothing where keys are not required.'),
        response: replies({ 200: sessionView }),
      },
    },
    (request) => viewOf(request.identity!, request.control, !app.guard.isOpen),
  );

  app.post(
    '/api/session',
    {
      schema: {
        ...words(
          'Session',
          'Log in with a key',
          'Sets a cookie that scripts cannot read. It opens what the key opens, until it was left alone too long, logs out, or the key ends. Everything but GET and HEAD then needs the header X-CSRF-Token.',
        ),
        security: [],
        body: sessionBody,
        response: replies({ 201: sessionView }),
      },
    },
    async (request, reply) => {
      // Another site's page could log a browser in as somebody else.
      assertSameOrigin(request);
      const holder = await app.guard.open(request, request.body.key);
      request.principal = holder;
      const old = sessionToken(request);
      const identity: Identity = await change(
        deps,
        request,
        { entityKind: 'session', verb: 'create' },
        async ({ sessions }) => {
          // The browser forgets it in this moment: nobody could end it later.
          if (old !== undefined) await sessions.endByToken(old);
          const { session, token } = await sessions.begin(holder.id, options.sessions);
          setSessionCookie(request, reply, token.reveal());
          return {
            entityId: session.id,
            after: { key: holder.id, address: request.ip, ends_at: session.endsAt },
            result: {
              by: 'session' as const,
              principal: holder,
              expiresAt: session.expiresAt,
              session: { ...session, csrfToken: csrfToken(token.reveal()) },
            },
          };
        },
      );
      return reply.code(201).send(await viewOf(identity, request.control, !app.guard.isOpen));
    },
  );

  app.delete(
    '/api/session',
    {
      schema: {
        ...words('Session', 'Log out', 'The session ends, and the cookie with it.'),
        response: replies({ 204: nothing }),
      },
    },
    async (request, reply) => {
      const { session } = request.identity!;
      if (!session) throw new TerraFusionError('NOT_FOUND', 'There is no session: the request did not come with one');
      await change(deps, request, { entityKind: 'session', verb: 'end' }, async ({ sessions }) => {
        await sessions.end(session.id);
        return { entityId: session.id, result: undefined };
      });
      clearSessionCookie(request, reply);
      return reply.code(204).send(undefined);
    },
  );
}

async function viewOf(
  { by, principal, expiresAt, session }: Identity,
  { systems }: Control,
  authRequired: boolean,
): Promise<SessionView> {
  // What he sees is what he is limited to.
  const within = principal.systems && (await systems.list({}, { limit: 1000 })).items;
  return {
    by,
    id: principal.id,
    name: principal.name,
    role: principal.role,
    systems: within ? within.map(({ id, name }) => ({ id, name })) : null,
    expires_at: expiresAt?.toISOString() ?? null,
    ends_at: session?.endsAt.toISOString() ?? null,
    csrf_token: session?.csrfToken ?? null,
    auth_required: authRequired,
  };
}
