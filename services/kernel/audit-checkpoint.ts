import { appendAudit, AT, canonicalJson } from './audit.ts';
import type { Database, Queryable } from './database/index.ts';

/** Puts a mark on a text that only holders of this installation's master key can make. */
export interface Signer {
  sign(text: string): string;
  /** "unknown key": it may be good, but it was not made with a key that we have. */
  checkSignature(text: string, signature: string): 'good' | 'bad' | 'unknown key';
}

/** An entry that says which entries before it are gone, and with which hash the rest of the chain begins. */
export interface Checkpoint {
  /** The entry's own number. */
  readonly id: bigint;
  /** The last entry that may be gone. */
  readonly through: bigint;
  /** Its hash: the first entry that is left follows it. */
  readonly throughHash: Buffer;
  readonly throughAt: string;
  /** Entries that have gone since the chain began. */
  readonly removed: number;
  readonly signature: 'good' | 'bad' | 'unknown key';
}

export const CHECKPOINT = 'audit.checkpoint';
/** Rows that are deleted at once: a delete of millions would hold its locks for minutes. */
const BATCH = 5000;

interface Content {
  readonly through: string;
  readonly through_hash: string;
  readonly through_at: string;
  readonly removed: number;
}

/** The checkpoint from which the chain is to be read; undefined: from its root. */
export async function latestCheckpoint(db: Queryable, signer: Signer): Promise<Checkpoint | undefined> {
  const row = await db.one<{ id: bigint; after: Partial<Content> & { readonly signature?: unknown } }>(
    'SELECT id, after FROM terrafusion.audit_entries WHERE action = $1 ORDER BY id DESC LIMIT 1',
    [CHECKPOINT],
  );
  if (!row) return undefined;
  const { signature, through, through_hash, through_at, removed } = row.after;
  const readable =
    typeof signature === 'string' &&
    /^\d{1,18}$/.test(through ?? '') &&
    /^[0-9a-f]{64}$/.test(through_hash ?? '') &&
    typeof through_at === 'string' &&
    typeof removed === 'number';
  if (!readable) {
    return {
      ...{ id: row.id, through: 0n, throughHash: Buffer.alloc(0) },
      ...{ throughAt: '', removed: 0, signature: 'bad' },
    };
  }
  const content = { through: through!, through_hash: through_hash!, through_at, removed };
  return {
    id: row.id,
    through: BigInt(content.through),
    throughHash: Buffer.from(content.through_hash, 'hex'),
    throughAt: through_at,
    removed,
    signature: signer.checkSignature(signedText(content), signature),
  };
}

export interface Pruned {
  /** The checkpoint's number; undefined: nothing was old enough. */
  readonly checkpoint: bigint | undefined;
  readonly removed: number;
}

/**
 * Removes what is older than `keepDays`. First comes a checkpoint in the chain, signed: it says what goes and where the rest begins, and
 * without it the database refuses every delete. Killed in between, the next call deletes on. The newest entry always stays.
 */
export async function pruneAudit(
  database: Database,
  signer: Signer,
  { keepDays, actor }: { readonly keepDays: number; readonly actor: string },
): Promise<Pruned> {
  const checkpoint = await database.transaction((transaction) => addCheckpoint(transaction, signer, keepDays, actor));
  const latest = checkpoint ?? (await latestCheckpoint(database, signer))?.id;
  if (latest === undefined) return { checkpoint, removed: 0 };
  let removed = 0;
  for (;;) {
    const gone = await database.run(
      `DELETE FROM terrafusion.audit_entries WHERE id IN (
         SELECT e.id FROM terrafusion.audit_entries e
          WHERE e.id <= (SELECT (c.after->>'through')::bigint FROM terrafusion.audit_entries c WHERE c.id = $1)
          ORDER BY e.id LIMIT ${BATCH})`,
      [latest],
    );
    removed += gone;
    if (gone < BATCH) return { checkpoint, removed };
  }
}

async function addCheckpoint(
  transaction: Queryable,
  signer: Signer,
  keepDays: number,
  actor: string,
): Promise<bigint | undefined> {
  // By number, not by time: a clock that was set back must not make holes.
  const last = await transaction.one<{ id: bigint; hash: Buffer; at: string }>(
    `SELECT id, hash, ${AT} AS at FROM terrafusion.audit_entries
      WHERE id < coalesce(
        (SELECT min(id) FROM terrafusion.audit_entries WHERE at >= clock_timestamp() - $1 * interval '1 day'),
        (SELECT max(id) FROM terrafusion.audit_entries))
      ORDER BY id DESC LIMIT 1`,
    [keepDays],
  );
  if (!last) return undefined;
  const before = await latestCheckpoint(transaction, signer);
  const from = before?.through ?? 0n;
  if (last.id <= from) return undefined;
  const count = await transaction.one<{ count: number }>(
    'SELECT count(*)::int AS count FROM terrafusion.audit_entries WHERE id > $1 AND id <= $2',
    [from, last.id],
  );
  const content: Content = {
    through: last.id.toString(),
    through_hash: last.hash.toString('hex'),
    through_at: last.at,
    removed: (before?.removed ?? 0) + count!.count,
  };
  return appendAudit(transaction, {
    actor,
    action: CHECKPOINT,
    entityKind: 'audit',
    outcome: 'success',
    after: { ...content, keep_days: keepDays, signature: signer.sign(signedText(content)) },
  });
}

const signedText = ({ through, through_hash, through_at, removed }: Content): string =>
  canonicalJson({ what: CHECKPOINT, through, through_hash, through_at, removed });
