import { z } from 'zod';
import { roles } from './common.ts';

/** What each role may do beside what the ones before it may. */
export const roleWords = {
  viewer: 'Looks at everything but rows of data.',
  operator: 'Also starts, pauses and resumes pairs and operations, and looks at, replays and discards dead letters.',
  editor: 'Also makes, changes and deletes systems and pairs, and approves schema changes.',
  admin: 'Also keys, sessions and settings.',
} as const satisfies Record<(typeof roles)[number], string>;

/** GET /api/roles */
export const rolesView = z
  .object({
    roles: z
      .array(z.object({ role: z.enum(roles), may: z.string() }))
      .describe('Weakest first: each may what the ones before it may.'),
    endpoints: z.array(
      z.object({
        method: z.string(),
        path: z.string(),
        access: z.enum(['public', ...roles]).describe('The least role; public: no key is asked for.'),
        summary: z.string(),
        section: z.string(),
        all_systems: z.boolean().describe('Not for keys that are limited to systems.'),
      }),
    ),
  })
  .meta({
    example: {
      roles: [{ role: 'viewer', may: roleWords.viewer }],
      endpoints: [
        {
          method: 'POST',
          path: '/api/sync-pairs/{id}/pause',
          access: 'operator',
          summary: 'Pause a pair',
          section: 'Sync pairs',
          all_systems: false,
        },
      ],
    },
  });
export type RolesView = z.output<typeof rolesView>;
