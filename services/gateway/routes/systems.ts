import type { FastifyRequest } from 'fastify';
import { MASK } from '#services/kernel/masking.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { idParams } from '#schemas/http/common.ts';
import {
  systemBody,
  systemCheckBody,
  systemCheckReport,
  systemPatch,
  systemsPage,
  systemsQuery,
  systemView as systemViewSchema,
} from '#schemas/http/systems.ts';
import type { Check } from '#connectors/contract/check.ts';
import type { Control } from '#services/control/control.ts';
import { asCheck, look, openSource, openTarget, readConnection, storedConnection, type Connection } from '../ends.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change, changeOnce } from '../mutations.ts';
import { idempotencyHeader, nothing, replies, words } from '../schema.ts';
import { checkViews, pageView, systemView } from '../views.ts';

export function systemRoutes(app: App, deps: GatewayDeps): void {
  app.get(
    '/api/systems',
    {
      config: { lastKnown: true },
      schema: {
        ...words('Systems', 'List systems'),
        querystring: systemsQuery,
        response: replies({ 200: systemsPage }),
      },
    },
    async ({ control, query: { limit, cursor, ...filter } }) =>
      pageView(await control.systems.list(filter, { limit, cursor }), systemView),
  );

  app.post(
    '/api/systems',
    {
      schema: {
        ...words(
          'Systems',
          'Register a system',
          'Its connection is checked for form, not tried; see the check. Secrets are stored encrypted and never shown again.',
        ),
        headers: idempotencyHeader,
        body: systemBody,
        response: replies({ 201: systemViewSchema }),
      },
    },
    async (request, reply) => {
      const { body } = request;
      const made = await changeOnce(
        deps,
        request,
        reply,
        { entityKind: 'system', verb: 'create', status: 201 },
        () => readConnection(body.connector, body.connection),
        async ({ systems }, { connector, settings }) => {
          const system = systemView(
            await systems.create({
              ...body,
              connection: settings,
              secretFields: connector.secretFields,
              walBudgetBytes: body.wal_budget_bytes,
              onWalBudget: body.on_wal_budget,
            }),
          );
          return { entityId: system.id, after: system, result: system };
        },
      );
      return reply.header('location', `/api/systems/${made.id}`).send(made);
    },
  );

  app.get(
    '/api/systems/:id',
    {
      config: { lastKnown: true },
      schema: { ...words('Systems', 'Get a system'), params: idParams, response: replies({ 200: systemViewSchema }) },
    },
    async ({ control, params }) => systemView(await control.systems.get(params.id)),
  );

  app.patch(
    '/api/systems/:id',
    {
      schema: {
        ...words(
          'Systems',
          'Change a system',
          'Pairs that use it go on with the new connection when they next connect; pause and resume them to have it at once.',
        ),
        params: idParams,
        body: systemPatch,
        response: replies({ 200: systemViewSchema }),
      },
    },
    async (request) => {
      const { control } = request;
      const { connection, wal_budget_bytes: walBudgetBytes, on_wal_budget: onWalBudget, ...rest } = request.body;
      const system = await control.systems.get(request.params.id);
      const read =
        connection && (await readConnection(system.connector, await withKeptSecrets(control, system.id, connection)));
      return await change(deps, request, { entityKind: 'system', verb: 'change' }, async ({ systems }) => {
        const before = systemView(await systems.get(system.id));
        const after = systemView(
          await systems.change(system.id, {
            ...rest,
            walBudgetBytes,
            onWalBudget,
            ...(read && { connection: { settings: read.settings, secretFields: read.connector.secretFields } }),
          }),
        );
        return { entityId: system.id, before, after, result: after };
      });
    },
  );

  app.delete(
    '/api/systems/:id',
    {
      schema: {
        ...words('Systems', 'Remove a system', 'Not while pairs use it.'),
        params: idParams,
        response: replies({ 204: nothing }),
      },
    },
    async (request, reply) => {
      await change(deps, request, { entityKind: 'system', verb: 'delete' }, async ({ systems }) => {
        const system = await systems.get(request.params.id);
        await systems.delete(system.id);
        return { entityId: system.id, before: systemView(system), result: undefined };
      });
      return reply.code(204).send(undefined);
    },
  );

  app.post(
    '/api/systems/:id/check',
    {
      schema: {
        ...words(
          'Systems',
          'Check a system',
          'Connects, and looks at each precondition by name, with its fix. Changes nothing there; the system shows what was found as its last check.',
        ),
        params: idParams,
        body: systemCheckBody,
        response: replies({ 200: systemCheckReport }),
      },
    },
    async (request) => {
      const begun = deps.clock.monotonic();
      const { systems } = request.control;
      const { id } = await systems.get(request.params.id);
      const connection = await storedConnection(request.control, id);
      const { as } = request.body;
      const [source, target] = await Promise.all([
        as === 'target' ? undefined : checkEnd('source', connection, deps, request),
        as === 'source' ? undefined : checkEnd('target', connection, deps, request),
      ]);
      const all = [...(source ?? []), ...(target ?? [])];
      for (const [role, checks] of [
        ['source', source],
        ['target', target],
      ] as const) {
        if (checks)
          await systems.noteCheck(id, role, {
            ok: allGood(checks),
            failed: checkViews(checks.filter(({ ok }) => !ok)),
          });
      }
      return {
        ok: allGood(all),
        ...(source && { source: checkViews(source) }),
        ...(target && { target: checkViews(target) }),
        took_ms: Math.round(deps.clock.monotonic() - begun),
      };
    },
  );
}

const allGood = (checks: readonly Check[]): boolean => checks.every(({ ok, required }) => ok || !required);

/** What an end says of itself; that it says nothing in time is an answer too. */
async function checkEnd(
  end: 'source' | 'target',
  connection: Connection,
  { clock }: GatewayDeps,
  { log, signal }: FastifyRequest,
): Promise<Check[]> {
  try {
    return await look(end, { clock, log, signal }, (context) =>
      end === 'source' ? openSource(connection).check(undefined, context) : openTarget(connection).check([], context),
    );
  } catch (error) {
    return [asCheck(error)];
  }
}

/**
 * A connection as it was read from us, changed and sent back: secrets that are still masked stay as they are stored, unless the place
 * they would be sent to is another one. (Promise 8: who may change a system must not thereby learn its password.)
 */
async function withKeptSecrets(
  control: Control,
  id: string,
  connection: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const masked = Object.keys(connection).filter((name) => connection[name] === MASK);
  if (masked.length === 0) return { ...connection };
  const { settings } = await control.systems.connectionOf(id);
  const names = new Set([...Object.keys(settings), ...Object.keys(connection)]);
  const changed = [...names].filter(
    (name) => !masked.includes(name) && name !== 'application_name' && settings[name] !== connection[name],
  );
  if (changed.length > 0) {
    throw new TerraFusionError(
      'REQUEST_INVALID',
      `${masked.map((name) => `connection.${name}`).join(', ')}: give the secret again, since ${changed.join(', ')} changes with it`,
      { details: { fields: masked.map((name) => ({ path: `connection.${name}`, message: 'give the secret again' })) } },
    );
  }
  return { ...connection, ...Object.fromEntries(masked.map((name) => [name, settings[name]])) };
}
