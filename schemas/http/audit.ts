import { z } from 'zod';
import { exportQuery, moment, momentInput, pageOf } from './common.ts';

export const auditView = z
  .object({
    seq: z.string().describe('Number in the chain; grows, with gaps.'),
    at: moment,
    actor: z.string(),
    action: z.string().describe('"<entity>.<verb>": "sync_pair.create".'),
    entity: z.string().nullable(),
    entity_id: z.string().nullable(),
    outcome: z.enum(['success', 'failure']),
    request_id: z.string().nullable(),
    before: z.unknown().describe('What was; secrets masked.'),
    after: z.unknown().describe('What is since; secrets masked.'),
    hash: z.string(),
  })
  .meta({
    example: {
      seq: '42',
      at: '2026-01-31T08:15:30.123Z',
      actor: 'admin',
      action: 'sync_pair.pause',
      entity: 'sync_pair',
      entity_id: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2',
      outcome: 'success',
      request_id: '0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f10',
      before: { desired: 'running' },
      after: { desired: 'paused' },
      hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    },
  });
export type AuditView = z.output<typeof auditView>;

const filters = {
  since: momentInput.optional().describe('Not before this moment.'),
  until: momentInput.optional().describe('Before this moment.'),
  actor: z.string().max(200).optional().describe('As it stands in the entry: "admin (bQ3kX9sLw2Za)".'),
  action: z.string().max(200).optional(),
  entity: z.string().max(200).optional().describe('Kind of thing: sync_pair, system, sync_operation, api_key …'),
  entity_id: z.string().max(200).optional(),
  outcome: z.enum(['success', 'failure']).optional(),
  request_id: z.string().max(200).optional().describe('All that one request has done.'),
  text: z.string().max(200).optional().describe('Anywhere in the entry, upper or lower case.'),
};
export const auditQuery = z.strictObject({ ...exportQuery, ...filters });
export const auditPage = pageOf(auditView);

const counted = z.array(z.object({ value: z.string(), count: z.int() }));

/** GET /api/audit/summary */
export const auditSummaryQuery = z.strictObject(filters);
export const auditSummary = z
  .object({
    entries: z.int().describe('That match.'),
    first_at: moment.nullable(),
    last_at: moment.nullable(),
    by_action: counted.describe('The hundred most frequent ones.'),
    by_actor: counted.describe('The hundred most frequent ones.'),
    by_outcome: counted,
    by_day: z
      .array(z.object({ day: z.string(), count: z.int(), failures: z.int() }))
      .describe('UTC, latest first, at most 400.'),
  })
  .meta({
    example: {
      entries: 42,
      first_at: '2026-01-30T07:00:00.000Z',
      last_at: '2026-01-31T08:15:30.123Z',
      by_action: [
        { value: 'sync_pair.pause', count: 30 },
        { value: 'pair.halted', count: 12 },
      ],
      by_actor: [
        { value: 'admin (bQ3kX9sLw2Za)', count: 30 },
        { value: 'sync-service', count: 12 },
      ],
      by_outcome: [
        { value: 'success', count: 30 },
        { value: 'failure', count: 12 },
      ],
      by_day: [
        { day: '2026-01-31', count: 40, failures: 12 },
        { day: '2026-01-30', count: 2, failures: 0 },
      ],
    },
  });
export type AuditSummaryView = z.output<typeof auditSummary>;

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');

/** GET /api/audit/verify */
export const auditVerifyQuery = z
  .strictObject({
    known_seq: z
      .string()
      .regex(/^[1-9]\d{0,17}$/, 'must be the number of an entry')
      .optional()
      .describe(
        '`head.seq` of an earlier verification. With `known_hash`: whether that entry is still there, unchanged.',
      ),
    known_hash: hash.optional().describe('`head.hash` of an earlier verification.'),
  })
  .refine((query) => (query.known_seq === undefined) === (query.known_hash === undefined), {
    path: ['known_hash'],
    message: 'give known_seq and known_hash together, or neither',
  });
export const auditVerdict = z
  .object({
    ok: z.boolean(),
    entries: z.int().describe('Entries that were looked at.'),
    broken_at: z.string().nullable().describe('First number at which the chain does not hold.'),
    reason: z.string().nullable(),
    head: z
      .object({ seq: z.string(), hash: z.string() })
      .nullable()
      .describe(
        'The last entry. Kept elsewhere, it proves later that nothing was cut off, and that the chain was not made anew.',
      ),
    removed: z
      .object({ through: z.string(), through_at: moment, entries: z.int(), checkpoint: z.string() })
      .nullable()
      .describe('What retention has removed, as the signed checkpoint says from which the chain goes on.'),
  })
  .meta({
    example: {
      ok: true,
      entries: 42,
      broken_at: null,
      reason: null,
      head: { seq: '142', hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
      removed: { through: '100', through_at: '2025-01-31T08:15:30.123456Z', entries: 100, checkpoint: '101' },
    },
  });
export type AuditVerdictView = z.output<typeof auditVerdict>;
