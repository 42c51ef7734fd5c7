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
  })
  .meta({ example: { name: 'nightly report', role: 'viewer' } });

const shape = {
  id: z.string(),
  name: z.string(),
  role: z.enum(roles),
  created_at: moment,
  created_by: z.string().nullable(),
  expires_at: moment.nullable(),
  last_used_at: moment.nullable(),
  revoked_at: moment.nullable(),
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
};

export const keyView = z.object(shape).meta({ example });
export type KeyView = z.output<typeof keyView>;

/** Reply to POST /api/keys: the only time the key itself is shown. */
export const keyMade = z
  .object({ ...shape, key: z.string().describe('Keep it: it is shown only this once.') })
  .meta({ example: { ...example, key: 'tfk_bQ3kX9sLw2Za_…' } });

export const keysQuery = z.strictObject({ ...pageQuery, role: z.enum(roles).optional() });
export const keysPage = pageOf(keyView);
