import { z } from 'zod';
import { moment, pageOf, pageQuery, roles } from './common.ts';

/** POST /api/session */
export const sessionBody = z
  .strictObject({ key: z.string().min(1).max(400).describe('An API key.') })
  .meta({ example: { key: 'tfk_bQ3kX9sLw2Za_…' } });

/** Reply to POST and GET /api/session: who asks. */
export const sessionView = z
  .object({
    by: z
      .enum(['session', 'key', 'token', 'nobody'])
      .describe('How the caller has shown who he is; "nobody": keys are not required here.'),
    id: z.string().describe('Of the key; of the holder of a token "jwt:<sub>".'),
    name: z.string(),
    role: z.enum(roles),
    systems: z
      .array(z.object({ id: z.string(), name: z.string() }))
      .nullable()
      .describe('What the key is limited to; null: to nothing.'),
    expires_at: moment
      .nullable()
      .describe('When the session ends if nothing more is asked, or the key does; null: never.'),
    ends_at: moment.nullable().describe('When the session ends in any case.'),
    csrf_token: z
      .string()
      .nullable()
      .describe('To be sent in X-CSRF-Token with everything but GET and HEAD; null: not needed.'),
    auth_required: z.boolean().describe('False: whoever reaches the port from its machine is an administrator.'),
  })
  .meta({
    example: {
      by: 'session',
      id: 'bQ3kX9sLw2Za',
      name: 'duty desk',
      role: 'operator',
      systems: null,
      expires_at: '2026-01-31T08:45:30.123Z',
      ends_at: '2026-01-31T20:15:30.123Z',
      csrf_token: '5Xr0mZ3Wq8TtB1yJ6cVnPz2kLs9dGfHaQwErTyUiOpA',
      auth_required: true,
    },
  });
export type SessionView = z.output<typeof sessionView>;

/** GET /api/sessions: browsers that are logged in. */
export const sessionsQuery = z.strictObject({
  ...pageQuery,
  key: z.string().max(64).optional().describe('Id of a key.'),
});
export const openSession = z
  .object({
    id: z.string(),
    key: z.object({ id: z.string(), name: z.string(), role: z.enum(roles) }),
    created_at: moment,
    last_seen_at: moment.describe('May be a minute old.'),
    expires_at: moment.describe('If nothing more is heard of it.'),
    ends_at: moment.describe('In any case.'),
    current: z.boolean().describe('It is the one that asks.'),
  })
  .meta({
    example: {
      id: '0198a1f2-9b11-7d2c-9d33-6a5cf0b7c1e2',
      key: { id: 'bQ3kX9sLw2Za', name: 'duty desk', role: 'operator' },
      created_at: '2026-01-31T08:15:30.123Z',
      last_seen_at: '2026-01-31T08:44:02.001Z',
      expires_at: '2026-01-31T09:14:02.001Z',
      ends_at: '2026-01-31T20:15:30.123Z',
      current: false,
    },
  });
export type OpenSession = z.output<typeof openSession>;
export const sessionsPage = pageOf(openSession);
