import { TerraFusionError } from '#schemas/errors.ts';
import { idParams } from '#schemas/http/common.ts';
import { keyBody, keyMade, keysPage, keysQuery } from '#schemas/http/keys.ts';
import { actorOf, type App, type GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { nothing, replies, words } from '../schema.ts';
import { keyView, pageView } from '../views.ts';

export function keyRoutes(app: App, deps: GatewayDeps): void {
  const { control } = deps;

  app.get(
    '/api/keys',
    {
      schema: {
        ...words('Keys', 'List API keys', 'Never with what opens.'),
        querystring: keysQuery,
        response: replies({ 200: keysPage }),
      },
    },
    async ({ query: { limit, cursor, ...filter } }) =>
      pageView(await control.apiKeys.list(filter, { limit, cursor }), keyView),
  );

  app.post(
    '/api/keys',
    {
      schema: {
        ...words('Keys', 'Make an API key', 'The key is shown only in this reply.'),
        body: keyBody,
        response: replies({ 201: keyMade }),
      },
    },
    async (request, reply) => {
      const { name, role, expires_at: expiresAt } = request.body;
      const made = await change(deps, request, { entityKind: 'api_key', verb: 'create' }, async ({ apiKeys }) => {
        const { record, key } = await apiKeys.create({ name, role, expiresAt, createdBy: actorOf(request.principal!) });
        return { entityId: record.id, after: keyView(record), result: { ...keyView(record), key: key.reveal() } };
      });
      return reply.code(201).send(made);
    },
  );

  app.delete(
    '/api/keys/:id',
    {
      schema: {
        ...words(
          'Keys',
          'Revoke an API key',
          'It opens nothing from now on. The last administrator key cannot be revoked.',
        ),
        params: idParams,
        response: replies({ 204: nothing }),
      },
    },
    async (request, reply) => {
      await change(deps, request, { entityKind: 'api_key', verb: 'revoke' }, async ({ apiKeys }) => {
        const admins = await apiKeys.countAdmins();
        const before = await apiKeys.get(request.params.id);
        await apiKeys.revoke(before.id);
        if (admins > 0 && (await apiKeys.countAdmins()) === 0) {
          throw new TerraFusionError('CONFLICTING_STATE', 'This is the last administrator key: make another one first');
        }
        return { entityId: before.id, before: keyView(before), result: undefined };
      });
      return reply.code(204).send(undefined);
    },
  );
}
