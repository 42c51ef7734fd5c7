import { z } from 'zod';
import { moment, momentInput, pageOf, pageQuery, roles } from './common.ts';

/** POST /api/keys */
export const keyBody = z
  .strictObject({
    name: z.string().trim().min(1).max(100).describe('Who or what uses the key; stands in the audit trail.'),
    role: z
      .enum(roles)
      .describe(
        'viewer reads; operator also starts, pauses and replays; editor also makes and changes systems and pairs; admin also keys.',
      ),
    expires_at: momentInput.optional().describe('From then on the key opens nothing. Never when left out.'),
    systems: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(100)
      .optional()
      .describe(
        'Ids or names of systems: the key sees and touches these, and pairs that have both ends among them. All when left out. Not for the role admin.',
      ),
  })
  .meta({ example: { name: 'nightly report', role: 'viewer' } });

export type KeyBody = z.output<typeof keyBody>;

const shape = {
  id: z.string(),
  name: z.string(),
  role: z.enum(roles),
  created_at: moment,
  created_by: z.string().nullable(),
  expires_at: moment.nullable(),
  last_used_at: moment.nullable(),
  revoked_at: moment.nullable(),
  rotated_at: moment.nullable().describe('When it was last given another secret.'),
  systems: z
    .array(z.object({ id: z.string(), name: z.string() }))
    .nullable()
    .describe('What it is limited to; null: to nothing.'),
};
const example = {
  id: 'bQ3kX9sLw2Za',
  name: 'nightly report',
  role: 'viewer' as const,
  created_at: '2026-01-31T08:15:30.123Z',
  created_by: 'admin',
  expires_at: null,
  last_used_at: null,
  revoked_at: null,
  rotated_at: null,
  systems: null,
};

export const keyView = z.object(shape).meta({ example });
export type KeyView = z.output<typeof keyView>;

/** Reply to POST /api/keys: the only time the key itself is shown. */
export const keyMade = z
  .object({ ...shape, key: z.string().describe('Keep it: it is shown only this once.') })
  .meta({ example: { ...example, key: 'tfk_bQ3kX9sLw2Za_…' } });
export type KeyMade = z.output<typeof keyMade>;

/** POST /api/keys/:id/rotate */
export const rotateBody = z
  .strictObject({
    overlap_s: z
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(0)
      .describe('Seconds that the secret before still opens, so that its users can change over; 0: none.'),
  })
  .prefault({})
  .meta({ example: { overlap_s: 3600 } });

export const keysQuery = z.strictObject({ ...pageQuery, role: z.enum(roles).optional() });
export const keysPage = pageOf(keyView);
