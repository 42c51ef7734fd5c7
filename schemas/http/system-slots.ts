import { z } from 'zod';
import { pageQuery } from './common.ts';

export const slotKinds = ['needed', 'orphan', 'other_installation'] as const;
export type SlotKind = (typeof slotKinds)[number];

const example = {
  name: 'terrafusion_4f1c2a9e_0198a1f26c1e7c55_3',
  kind: 'orphan' as const,
  state: 'extended',
  active: false,
  active_pid: null,
  retained_bytes: 5_368_709_120,
  inactive_since: '2026-01-12T02:11:07.123Z',
  publication: 'terrafusion_4f1c2a9e_0198a1f26c1e7c55',
};

/** A slot, or a publication without one, that bears a name of ours. */
export const systemSlotView = z
  .object({
    name: z.string(),
    kind: z
      .enum(slotKinds)
      .describe(
        'needed: pairs of this installation read it. orphan: it was ours, and nothing needs it. other_installation: somebody else made it.',
      ),
    state: z
      .string()
      .nullable()
      .describe('reserved, extended, unreserved or lost; null: a publication without a slot.'),
    active: z.boolean().describe('Whether somebody reads from it.'),
    active_pid: z.number().nullable(),
    retained_bytes: z.number().nullable().describe('WAL that the source keeps for it.'),
    inactive_since: z.string().nullable().describe('Where the source tells (17+).'),
    publication: z.string().nullable(),
  })
  .meta({ example });
export type SystemSlotView = z.output<typeof systemSlotView>;

/** GET /api/systems/:id/slots */
export const systemSlotsQuery = z.strictObject(pageQuery);
export const systemSlotsPage = z
  .object({
    items: z.array(systemSlotView),
    next_cursor: z.string().nullable().describe('For the next page; null on the last one.'),
  })
  .meta({ example: { items: [example], next_cursor: null } });

export const systemSlotParams = z.strictObject({
  id: z.string().min(1).max(64).describe('Id or name of the system.'),
  name: z.string().min(1).max(63).describe('As it is listed.'),
});

export const systemSlotQuery = z.strictObject({
  other_installation: z
    .stringbool()
    .default(false)
    .describe('Needed for one that another installation made: make sure that it is gone for good.'),
});
