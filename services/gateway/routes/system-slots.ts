import type { SlotAtSource } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { idParams } from '#schemas/http/common.ts';
import {
  systemSlotParams,
  systemSlotQuery,
  systemSlotsPage,
  systemSlotsQuery,
  type SlotKind,
  type SystemSlotView,
} from '#schemas/http/system-slots.ts';
import { installationPart, parseStreamName } from '#schemas/stream-names.ts';
import type { Control } from '#services/control/control.ts';
import { cutPage, decodeCursor } from '#services/control/pages.ts';
import { lockSource } from '#services/control/source-lock.ts';
import { look, openSource, storedConnection } from '../ends.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { nothing, replies, words } from '../schema.ts';

/** What of ours is at a source, needed or left behind. (CHECKLIST 11) */
export function systemSlotRoutes(app: App, deps: GatewayDeps): void {
  const { clock, control: everything } = deps;

  app.get(
    '/api/systems/:id/slots',
    {
      schema: {
        ...words(
          'Systems',
          'Slots and publications of ours at a system',
          'Those that pairs need, and orphans: left behind by a removal that was forced, or by an installation whose control database is gone.',
        ),
        params: idParams,
        querystring: systemSlotsQuery,
        response: replies({ 200: systemSlotsPage }),
      },
    },
    async ({ control, params, query: { limit, cursor }, log, signal }) => {
      const [after = ''] = cursor === undefined ? [] : decodeCursor(cursor, 'text');
      const source = openSource(await storedConnection(control, params.id));
      const found = await look('source', { clock, log, signal }, (context) => source.listStreams(context));
      // Another's slot is no orphan because one may not see his pair.
      const kindOf = await kinds(everything);
      // By code units, as names are compared here too.
      const rest = found.filter(({ name }) => name > after).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const page = cutPage(
        rest,
        limit,
        ({ name }) => [name],
        (each) => viewOf(each, kindOf(each.name)),
      );
      return { items: [...page.items], next_cursor: page.nextCursor ?? null };
    },
  );

  app.delete(
    '/api/systems/:id/slots/:name',
    {
      schema: {
        ...words(
          'Systems',
          'Drop an orphan',
          'A slot that nothing needs, with its publication. One that is needed, or from which somebody reads, is refused.',
        ),
        params: systemSlotParams,
        querystring: systemSlotQuery,
        response: replies({ 204: nothing }),
      },
    },
    async (request, reply) => {
      const { control, params, query, log, signal } = request;
      const system = await control.systems.get(params.id);
      const source = openSource(await storedConnection(control, system.id));
      // A load that is making a slot at this moment has not noted it yet.
      await lockSource(control.database, system.id, async () => {
        const found = await look('source', { clock, log, signal }, (context) => source.listStreams(context));
        const slot = found.find(({ name }) => name === params.name);
        if (slot === undefined) {
          throw new TerraFusionError(
            'NOT_FOUND',
            `There is no slot or publication ${params.name} of ours at ${system.name}`,
          );
        }
        refuse((await kinds(everything))(slot.name), slot, query.other_installation);
        await look('source', { clock, log, signal }, (context) => source.dropLeftBehind(slot.name, context));
        await change(deps, request, { entityKind: 'system', verb: 'drop_slot' }, () =>
          Promise.resolve({ entityId: system.id, before: viewOf(slot, 'orphan'), result: undefined }),
        );
      });
      return reply.code(204).send(undefined);
    },
  );
}

function refuse(kind: SlotKind, { name, active, activePid }: SlotAtSource, otherInstallation: boolean): void {
  if (kind === 'needed') {
    throw new TerraFusionError('CONFLICTING_STATE', `${name} is needed by a pair; it goes with the source's last pair`);
  }
  if (active) {
    throw new TerraFusionError('SOURCE_SLOT_IN_USE', `Process ${activePid ?? 'unknown'} reads from slot ${name}`);
  }
  if (kind === 'other_installation' && !otherInstallation) {
    throw new TerraFusionError(
      'CONFLICTING_STATE',
      `${name} was made by another installation; once you are sure that it is gone for good, add other_installation=true`,
    );
  }
}

/** Whose a name is. */
async function kinds({ generations, systems }: Control): Promise<(name: string) => SlotKind> {
  const [needed, installation] = [await generations.neededNames(), installationPart(await generations.installation())];
  const ours = await systems.sourceParts();
  return (name) => {
    if (needed.has(name)) return 'needed';
    const parsed = parseStreamName(name);
    // Names of the first version told the source only: one of a system that we know is ours.
    const own =
      parsed?.installation === undefined ? ours.has(parsed?.source ?? '') : parsed.installation === installation;
    return own ? 'orphan' : 'other_installation';
  };
}

function viewOf(slot: SlotAtSource, kind: SlotKind): SystemSlotView {
  return {
    name: slot.name,
    kind,
    state: slot.state ?? null,
    active: slot.active,
    active_pid: slot.activePid ?? null,
    retained_bytes: slot.retainedBytes ?? null,
    inactive_since: slot.inactiveSince ?? null,
    publication: slot.publication ?? null,
  };
}
