import { appendAudit, lockTrail, storable, type AuditEntry } from './audit.ts';
import type { Database, Queryable } from './database/index.ts';
import { maskFields } from './masking.ts';

/** Something that a process has seen, and that may repeat itself many times a minute. */
export interface AuditEvent extends Omit<AuditEntry, 'requestId' | 'before'> {
  /** What tells it from others of its action and entity: an error's code. What is the same there is counted, not written again. */
  readonly distinct?: string | undefined;
}

/** How long repeats of an entry are only counted, in seconds; twice as long each time that there were some. */
const FIRST_WINDOW = 60;
const LONGEST_WINDOW = 3600;

interface Burst {
  readonly key: string;
  readonly actor: string;
  readonly action: string;
  readonly entity_kind: string | null;
  readonly entity_id: string | null;
  readonly outcome: 'success' | 'failure';
  readonly after: unknown;
  readonly repeats: number;
  readonly first_at: Date | null;
  readonly last_at: Date | null;
  readonly window_s: number;
}

const columns = 'key, actor, action, entity_kind, entity_id, outcome, after, repeats, first_at, last_at, window_s';

/**
 * As {@link appendAudit}, for events: the first one is an entry at once. What repeats it within a minute is counted, and becomes one entry
 * with `repeated`, `first_at` and `last_at` beside what the last one said; as long as it goes on, less and less often. A pair that fails
 * and recovers a hundred times in a minute is told, and does not bury the trail. Counts are in the database: no crash loses one.
 */
export async function noteAudit(transaction: Queryable, event: AuditEvent): Promise<void> {
  // Before the count: two that come at once must not both be the first, nor wait for each other crosswise.
  await lockTrail(transaction);
  const { distinct, ...entry } = event;
  const key = storable([entry.action, entry.entityKind, entry.entityId, distinct].map((part) => part ?? '').join('\n'));
  const after = storable(maskFields(entry.after));
  const counted = await transaction.run(
    `UPDATE terrafusion.audit_bursts SET repeats = repeats + 1, after = $2, last_at = clock_timestamp(),
            first_at = coalesce(first_at, clock_timestamp())
      WHERE key = $1 AND ends_at > clock_timestamp()`,
    [key, after === null ? null : JSON.stringify(after)],
  );
  if (counted > 0) return;
  const over = await transaction.one<Burst>(
    `DELETE FROM terrafusion.audit_bursts WHERE key = $1 RETURNING ${columns}`,
    [key],
  );
  if (over) await tell(transaction, over);
  await appendAudit(transaction, entry);
  await begin(transaction, { ...burstOf(key as string, entry), window_s: over ? nextWindow(over) : FIRST_WINDOW });
}

/** Writes what has been counted and whose time is up. Returns how many entries that made. */
export async function tellBursts(database: Database): Promise<number> {
  let told = 0;
  for (;;) {
    const over = await database.transaction(async (transaction) => {
      await lockTrail(transaction);
      const burst = await transaction.one<Burst>(
        `DELETE FROM terrafusion.audit_bursts WHERE key = (
           SELECT key FROM terrafusion.audit_bursts WHERE ends_at <= clock_timestamp() ORDER BY ends_at LIMIT 1)
         RETURNING ${columns}`,
      );
      if (burst && burst.repeats > 0) {
        await tell(transaction, burst);
        // It may well go on: what comes now is counted at once.
        await begin(transaction, { ...burst, window_s: nextWindow(burst) });
        told += 1;
      }
      return burst;
    });
    if (!over) return told;
  }
}

async function tell(transaction: Queryable, burst: Burst): Promise<void> {
  if (burst.repeats === 0) return;
  const last = typeof burst.after === 'object' && burst.after !== null ? burst.after : { last: burst.after };
  await appendAudit(transaction, {
    actor: burst.actor,
    action: burst.action,
    entityKind: burst.entity_kind ?? undefined,
    entityId: burst.entity_id ?? undefined,
    outcome: burst.outcome,
    after: {
      ...last,
      repeated: burst.repeats,
      first_at: burst.first_at?.toISOString(),
      last_at: burst.last_at?.toISOString(),
    },
  });
}

async function begin(transaction: Queryable, burst: Burst): Promise<void> {
  const { key, actor, action, entity_kind, entity_id, outcome, window_s } = burst;
  await transaction.run(
    `INSERT INTO terrafusion.audit_bursts (key, actor, action, entity_kind, entity_id, outcome, window_s, ends_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7::int, clock_timestamp() + $7::int * interval '1 second')`,
    [key, actor, action, entity_kind, entity_id, outcome, window_s],
  );
}

function burstOf(key: string, { actor, action, entityKind, entityId, outcome }: AuditEntry): Omit<Burst, 'window_s'> {
  return {
    ...{ key, actor: storable(actor) as string, action, outcome },
    entity_kind: entityKind === undefined ? null : (storable(entityKind) as string),
    entity_id: entityId === undefined ? null : (storable(entityId) as string),
    ...{ after: null, repeats: 0, first_at: null, last_at: null },
  };
}

const nextWindow = ({ window_s, repeats }: Burst): number =>
  repeats === 0 ? FIRST_WINDOW : Math.min(LONGEST_WINDOW, window_s * 2);
