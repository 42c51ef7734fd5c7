import type { HealingAction, HealingNote } from '#schemas/healing.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { maskText } from '#services/kernel/masking.ts';

/** What is known of an action. */
export interface HealingRecord {
  readonly enabled: boolean;
  readonly switchedAt: Date | undefined;
  readonly switchedBy: string | undefined;
  readonly times: number;
  readonly countedSince: Date;
  readonly last: (HealingNote & { readonly at: Date; readonly by: string }) | undefined;
}

interface Row {
  readonly id: string;
  readonly enabled: boolean;
  readonly switched_at: Date | null;
  readonly switched_by: string | null;
  readonly times: bigint;
  readonly counted_since: Date;
  readonly last_at: Date | null;
  readonly last_subject: string | null;
  readonly last_code: string | null;
  readonly last_message: string | null;
  readonly last_by: string | null;
}

/** What the product does by itself: its switches, and what was done. */
export class HealingActions {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** By name; what was never switched nor done is not in it. */
  async all(): Promise<ReadonlyMap<string, HealingRecord>> {
    const rows = await this.#db.query<Row>(
      `SELECT id, enabled, switched_at, switched_by, times, counted_since, last_at, last_subject, last_code, last_message, last_by
         FROM terrafusion.healing_actions`,
    );
    return new Map(rows.map((row) => [row.id, toRecord(row)]));
  }

  /** Names of those that are switched off. */
  async switchedOff(): Promise<ReadonlySet<string>> {
    const rows = await this.#db.query<{ id: string }>('SELECT id FROM terrafusion.healing_actions WHERE NOT enabled');
    return new Set(rows.map(({ id }) => id));
  }

  /** Whoever listens on `terrafusion_changes` hears of it. @returns whether it was on before */
  async turn(action: HealingAction, enabled: boolean, by: string): Promise<boolean> {
    const before = await this.#db.one<{ enabled: boolean }>(
      'SELECT enabled FROM terrafusion.healing_actions WHERE id = $1 FOR UPDATE',
      [action],
    );
    await this.#db.run(
      `INSERT INTO terrafusion.healing_actions (id, enabled, switched_at, switched_by) VALUES ($1, $2, clock_timestamp(), $3)
       ON CONFLICT (id) DO UPDATE SET enabled = excluded.enabled, switched_at = excluded.switched_at, switched_by = excluded.switched_by`,
      [action, enabled, by],
    );
    return before?.enabled ?? true;
  }

  /** It was done so often since the last word; secrets in the message are masked. (Promise 8) */
  async record(action: HealingAction, note: HealingNote, { times, by }: { times: number; by: string }): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.healing_actions AS known (id, times, last_at, last_subject, last_code, last_message, last_by)
       VALUES ($1, $2, clock_timestamp(), $3, $4, $5, $6)
       ON CONFLICT (id) DO UPDATE SET times = known.times + excluded.times, last_at = excluded.last_at,
         last_subject = excluded.last_subject, last_code = excluded.last_code, last_message = excluded.last_message,
         last_by = excluded.last_by`,
      [action, times, note.subject, note.code ?? null, maskText(note.message), by],
    );
  }
}

function toRecord(row: Row): HealingRecord {
  const { last_at: at, last_subject: subject, last_message: message, last_by: by } = row;
  return {
    enabled: row.enabled,
    switchedAt: row.switched_at ?? undefined,
    switchedBy: row.switched_by ?? undefined,
    times: Number(row.times),
    countedSince: row.counted_since,
    last:
      at === null
        ? undefined
        : { at, subject: subject ?? '', code: row.last_code ?? undefined, message: message ?? '', by: by ?? '' },
  };
}
