import { z } from 'zod';
import { errorKinds, type ErrorCode } from '../errors.ts';
import { healingActions } from '../healing.ts';
import { moment } from './common.ts';

const example = {
  action: 'restart_stage',
  what: 'The stage connects anew and goes on from what is held, after a wait that grows and is drawn at random.',
  when: 'A reader, load, stream processor or writer meets an error that heals.',
  enabled: true,
  can_switch_off: true,
  off: 'The pair, or with a reader every pair of its source, fails with HEALING_SWITCHED_OFF until somebody resumes it.',
  fixed: null,
  switched_at: null,
  switched_by: null,
  times: 3,
  since: '2026-01-30T22:10:04.511Z',
  last: {
    at: '2026-01-31T08:15:30.123Z',
    subject: 'pacs-to-cama',
    code: 'TARGET_UNREACHABLE',
    message: 'Could not connect to the target sync@10.0.0.6:5432/cama: connection refused',
    by: 'sync-service',
  },
} as const;

/** One thing that the product does by itself. */
export const healingActionView = z
  .object({
    action: z.enum(healingActions),
    what: z.string().describe('What is done.'),
    when: z.string().describe('What it is done about.'),
    enabled: z.boolean(),
    can_switch_off: z.boolean(),
    off: z.string().nullable().describe('What comes of it while it is switched off; null: it cannot be.'),
    fixed: z.string().nullable().describe('Why it cannot be switched off; null: it can.'),
    switched_at: moment.nullable().describe('null: it never was.'),
    switched_by: z.string().nullable(),
    times: z.int().describe('How often it was done.'),
    since: moment.nullable().describe('Since when that is counted; null: it was never done.'),
    last: z
      .object({
        at: moment,
        subject: z.string().describe('The pair, source or process.'),
        code: z.enum(Object.keys(errorKinds) as [ErrorCode, ...ErrorCode[]]).nullable(),
        message: z.string().describe('Why, and what was done.'),
        by: z.string().describe('The process that did it.'),
      })
      .nullable()
      .describe('The last time.'),
  })
  .meta({ example });
export type HealingActionView = z.output<typeof healingActionView>;

/** GET /api/self-healing */
export const selfHealingView = z
  .object({ actions: z.array(healingActionView) })
  .meta({ example: { actions: [example] } });
export type SelfHealingView = z.output<typeof selfHealingView>;

/** Path of one action. */
export const healingParams = z.strictObject({
  action: z
    .string()
    .max(64)
    .describe(`One of: ${healingActions.join(', ')}.`),
});

/** PATCH /api/self-healing/<action> */
export const healingSwitch = z
  .strictObject({ enabled: z.boolean().describe('false: it is not done any more, from now on.') })
  .meta({ example: { enabled: false } });
