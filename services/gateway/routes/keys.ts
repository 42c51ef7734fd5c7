import { errorKinds, TerraFusionError } from '#schemas/errors.ts';
import { idParams } from '#schemas/http/common.ts';
import { keyBody, keyMade, keysPage, keysQuery, rotateBody, type KeyBody } from '#schemas/http/keys.ts';
import type { Repositories } from '#services/control/control.ts';
import { invalidFields } from '../fields.ts';
import { actorOf, type App, type GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { nothing, replies, words } from '../schema.ts';
import { keyView, pageView } from '../views.ts';

export function keyRoutes(app: App, deps: GatewayDeps): void {
  app.get(
    '/api/keys',
    {
      schema: {
        ...words('Keys', 'List API keys', 'Never with what opens.'),
        querystring: keysQuery,
        response: replies({ 200: keysPage }),
      },
    },
    async ({ control, query: { limit, cursor, ...filter } }) =>
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
      const made = await change(deps, request, { entityKind: 'api_key', verb: 'create' }, async (transaction) => {
        const { record, key } = await transaction.apiKeys.create({
          name,
          role,
          expiresAt,
          systems: await scopeOf(transaction, request.body),
          createdBy: actorOf(request.principal!),
        });
        return {
          entityId: record.id,
          after: keyView(record),
          result: { ...keyView(record), key: key.reveal() },
          secret: true,
        };
      });
      return reply.code(201).send(made);
    },
  );

  app.post(
    '/api/keys/:id/rotate',
    {
      schema: {
        ...words(
          'Keys',
          'Give a key another secret',
          'The key is shown only in this reply; its id, role and limits stay. Browsers that had logged in with it are logged out.',
        ),
        params: idParams,
        body: rotateBody,
        response: replies({ 200: keyMade }),
      },
    },
    (request) =>
      change(deps, request, { entityKind: 'api_key', verb: 'rotate' }, async ({ apiKeys }) => {
        const before = await apiKeys.get(request.params.id);
        if (before.createdBy === 'TERRAFUSION_ADMIN_KEY') {
          throw new TerraFusionError(
            'CONFLICTING_STATE',
            'The secret of this key is that of TERRAFUSION_ADMIN_KEY: change it there, and start the gateway again',
          );
        }
        const { record, key } = await apiKeys.rotate(before.id, {
          overlapS: request.body.overlap_s,
          // Who rotates his own key from a browser must still see the new one.
          keepSession: request.identity!.session?.id,
        });
        return {
          entityId: record.id,
          before: keyView(before),
          after: { ...keyView(record), overlap_s: request.body.overlap_s },
          result: { ...keyView(record), key: key.reveal() },
          secret: true,
        };
      }),
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

/** @throws REQUEST_INVALID naming the system that is not there */
async function scopeOf({ systems }: Repositories, { role, systems: wanted }: KeyBody): Promise<string[] | undefined> {
  if (wanted === undefined) return undefined;
  // Who can make keys could make himself one without limits.
  if (role === 'admin') throw wrong('systems', 'an administrator cannot be limited to systems');
  const found = await Promise.all(wanted.map(async (idOrName) => (await systems.find(idOrName))?.id));
  const missing = found.indexOf(undefined);
  if (missing >= 0) throw wrong(`systems[${missing}]`, `there is no system "${wanted[missing]!}"`);
  return [...new Set(found as string[])];
}

function wrong(path: string, message: string): TerraFusionError {
  const { fix } = errorKinds.REQUEST_INVALID;
  return invalidFields([{ path, code: 'REQUEST_INVALID', message, fix }]);
}
