import { z } from 'zod';
import { moment, momentInput, pageOf, pageQuery } from './common.ts';

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
  since: momentInput.optional(),
  until: momentInput.optional(),
  actor: z.string().max(200).optional(),
  action: z.string().max(200).optional(),
  entity: z.string().max(200).optional(),
  entity_id: z.string().max(200).optional(),
  outcome: z.enum(['success', 'failure']).optional(),
  text: z.string().max(200).optional().describe('Anywhere in the entry.'),
};
export const auditQuery = z.strictObject({ ...pageQuery, ...filters });
export const auditPage = pageOf(auditView);

/** GET /api/audit/verify */
export const auditVerdict = z
  .object({
    ok: z.boolean(),
    entries: z.number().describe('Entries that were looked at.'),
    broken_at: z.string().nullable().describe('First number at which the chain does not hold.'),
    reason: z.string().nullable(),
  })
  .meta({ example: { ok: true, entries: 42, broken_at: null, reason: null } });
