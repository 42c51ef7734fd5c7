import type { Queryable } from '#services/kernel/database/index.ts';

/** By whose wish a pair's work runs: what finds its log lines again. */
export interface Cause {
  /** The operation that is under way. */
  readonly operation: string | undefined;
  /** Id of the latest request that told the pair, or one of its operations, what to do. */
  readonly request: string | undefined;
}

/** From the audit trail, where a wish and its request stand together; so a restart of anything finds them again. */
export async function causeOf(db: Queryable, pairId: string): Promise<Cause> {
  const row = await db.one<{ operation: string | null; request: string | null }>(
    `SELECT
       (SELECT id::text FROM terrafusion.sync_operations
         WHERE pair_id = $1 AND state IN ('pending', 'running', 'stopping') ORDER BY created_at DESC, id DESC LIMIT 1) AS operation,
       (SELECT request_id FROM (
          (SELECT id, request_id FROM terrafusion.audit_entries
            WHERE entity_kind = 'sync_pair' AND entity_id = $1::text AND request_id IS NOT NULL ORDER BY id DESC LIMIT 1)
          UNION ALL
          (SELECT a.id, a.request_id FROM terrafusion.audit_entries a
            WHERE a.entity_kind = 'sync_operation' AND a.request_id IS NOT NULL AND a.entity_id IN (
              SELECT id::text FROM terrafusion.sync_operations WHERE pair_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1)
            ORDER BY a.id DESC LIMIT 1)
        ) wishes ORDER BY id DESC LIMIT 1) AS request`,
    [pairId],
  );
  return { operation: row?.operation ?? undefined, request: row?.request ?? undefined };
}
