import type { SlotReading, WalBudgetLevel } from '#schemas/slots.ts';
import type { WalBudgetAction } from '#schemas/systems.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { systemWithin, type Scope } from './scope.ts';

export interface SlotSeen {
  readonly reading: SlotReading;
  readonly lookedAt: Date;
}

/** A source whose slot somebody should look at. */
export interface SlotAlarm {
  readonly source: string;
  readonly level: WalBudgetLevel;
  readonly message: string;
  readonly fix: string;
}

/** What an operator allows a source to keep for us. */
export interface WalPolicy {
  /** undefined: as the settings say. */
  readonly budgetBytes: number | undefined;
  readonly onBudget: WalBudgetAction;
}

/** The sources' slots as they were last looked at, and what they may keep. (Promise 7) */
export class SourceSlots {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  async record(sourceId: string, reading: SlotReading): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.source_slots (source_id, reading) SELECT id, $2 FROM terrafusion.systems WHERE id = $1
       ON CONFLICT (source_id) DO UPDATE SET reading = EXCLUDED.reading, looked_at = clock_timestamp()`,
      [sourceId, reading],
    );
  }

  async of(sourceId: string): Promise<SlotSeen | undefined> {
    const row = await this.#db.one<{ reading: SlotReading; looked_at: Date }>(
      'SELECT reading, looked_at FROM terrafusion.source_slots WHERE source_id = $1',
      [sourceId],
    );
    return row && { reading: row.reading, lookedAt: row.looked_at };
  }

  /** The level of the last look; the reading is held until the transaction's end. */
  async holdLevel(sourceId: string): Promise<WalBudgetLevel | undefined> {
    const row = await this.#db.one<{ level: WalBudgetLevel }>(
      `SELECT reading->>'level' AS level FROM terrafusion.source_slots WHERE source_id = $1 FOR UPDATE`,
      [sourceId],
    );
    return row?.level;
  }

  /** The source has no slot any more. */
  async forget(sourceId: string): Promise<void> {
    await this.#db.run('DELETE FROM terrafusion.source_slots WHERE source_id = $1', [sourceId]);
  }

  async policyOf(sourceId: string): Promise<WalPolicy> {
    const row = await this.#db.one<{ wal_budget_bytes: bigint | null; on_wal_budget: WalBudgetAction }>(
      'SELECT wal_budget_bytes, on_wal_budget FROM terrafusion.systems WHERE id = $1',
      [sourceId],
    );
    return {
      budgetBytes: row && row.wal_budget_bytes !== null ? Number(row.wal_budget_bytes) : undefined,
      onBudget: row?.on_wal_budget ?? 'alarm',
    };
  }

  /** Slots near or over their budgets, the worst first. */
  async alarms(): Promise<SlotAlarm[]> {
    return await this.#db.query<SlotAlarm>(
      `SELECT s.name AS source, l.reading->>'level' AS level, l.reading->'problem'->>'message' AS message,
              l.reading->'problem'->>'fix' AS fix
         FROM terrafusion.source_slots l JOIN terrafusion.systems s ON s.id = l.source_id
        WHERE l.reading->>'level' <> 'ok' AND l.reading->'problem'->>'message' IS NOT NULL AND ${systemWithin('s.id', '$1')}
        ORDER BY l.reading->>'level' = 'over' DESC, s.name LIMIT 100`,
      [this.#scope],
    );
  }
}
