import { AT, auditHash, ROOT, type AuditRow } from './audit.ts';
import { latestCheckpoint, type Checkpoint, type Signer } from './audit-checkpoint.ts';
import type { Database } from './database/index.ts';

/** Whether the chain holds. */
export interface AuditVerdict {
  readonly ok: boolean;
  /** Entries that were looked at. */
  readonly entries: number;
  /** The first entry at which the chain does not hold. */
  readonly brokenAt?: bigint;
  readonly reason?: string;
  /** The last entry. Kept elsewhere, it later proves that nothing was cut off behind it. */
  readonly head?: AuditMark;
  /** Where the chain begins, when its older entries were removed. */
  readonly checkpoint?: Checkpoint;
}

/** An entry's number and hash. */
export interface AuditMark {
  readonly id: bigint;
  readonly hash: Buffer;
}

type Row = AuditRow & { readonly previous_hash: Buffer; readonly hash: Buffer };

/** Entries that are read at once: at most so many, and at most so much of what they hold, as it is stored. (Promise 6) */
const PAGE = 1000;
const PAGE_BYTES = 512 * 1024;

/** Only numbers and sizes are summed up; what entries hold is read for those that fit. */
const page = `WITH next AS (
    SELECT id, sum(coalesce(pg_column_size(before), 0) + coalesce(pg_column_size(after), 0)) OVER (ORDER BY id) AS bytes,
           row_number() OVER (ORDER BY id) AS nth
      FROM (SELECT id, before, after FROM terrafusion.audit_entries WHERE id > $1 ORDER BY id LIMIT ${PAGE}) AS n
  )
  SELECT e.id, ${AT} AS at, e.actor, e.action, e.entity_kind, e.entity_id, e.outcome, e.request_id, e.before, e.after,
         e.previous_hash, e.hash
    FROM next JOIN terrafusion.audit_entries e USING (id)
   WHERE next.bytes <= ${PAGE_BYTES} OR next.nth = 1 ORDER BY e.id`;

/**
 * Walks the whole chain in pages. Names the first entry that was changed, put in, or follows one that was taken out.
 * @param known a mark that was kept elsewhere: cutting entries off at the end, or making the whole chain anew, cannot be seen from the
 * chain alone
 */
export async function verifyAudit(database: Database, signer: Signer, known?: AuditMark): Promise<AuditVerdict> {
  for (;;) {
    const checkpoint = await latestCheckpoint(database, signer);
    const verdict = await walk(database, checkpoint, known);
    if (verdict.ok) return verdict;
    // Entries were removed, as they may be, while we were walking.
    const now = await latestCheckpoint(database, signer);
    if (now?.id === checkpoint?.id) return verdict;
  }
}

async function walk(
  database: Database,
  checkpoint: Checkpoint | undefined,
  known: AuditMark | undefined,
): Promise<AuditVerdict> {
  let previous = checkpoint?.throughHash ?? ROOT;
  let after = checkpoint?.through ?? 0n;
  let entries = 0;
  let head: AuditMark | undefined;
  let seen = known === undefined || known.id <= after;
  const about = checkpoint === undefined ? {} : { checkpoint };
  const broken = (brokenAt: bigint, reason: string): AuditVerdict => ({
    ok: false,
    entries,
    brokenAt,
    reason,
    ...about,
  });
  if (checkpoint && checkpoint.signature !== 'good') {
    return broken(
      checkpoint.id,
      checkpoint.signature === 'bad'
        ? 'It says that older entries were removed, and was not signed by this installation.'
        : 'It says that older entries were removed, and is signed with a master key that is not known here.',
    );
  }
  for (;;) {
    const rows = await database.query<Row>(page, [after]);
    for (const row of rows) {
      entries += 1;
      if (!row.previous_hash.equals(previous)) {
        return broken(
          row.id,
          'It does not follow the entry before it: entries were taken out, put in or put in another order.',
        );
      }
      if (!row.hash.equals(auditHash(previous, row))) return broken(row.id, 'Its content is not what was written.');
      if (row.id === known?.id) {
        if (!row.hash.equals(known.hash)) return broken(row.id, 'Its hash is not the one that was noted elsewhere.');
        seen = true;
      }
      previous = row.hash;
      after = row.id;
      head = { id: row.id, hash: row.hash };
    }
    if (rows.length === 0) break;
  }
  if (!seen) return broken(known!.id, 'It was noted elsewhere, and is not there any more.');
  return { ok: true, entries, ...(head && { head }), ...about };
}
