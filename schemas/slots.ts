/** How near a slot is to its budget. */
export const walBudgetLevels = ['ok', 'near', 'over'] as const;
export type WalBudgetLevel = (typeof walBudgetLevels)[number];

/** A source's slot as it was last looked at, in the form in which it is kept and shown. LSNs as PostgreSQL prints them. */
export interface SlotReading {
  readonly name: string;
  readonly generation: number;
  readonly state: string;
  readonly active: boolean;
  readonly active_pid: number | null;
  readonly restart_lsn: string | null;
  readonly confirmed_lsn: string | null;
  readonly retained_bytes: number | null;
  readonly safe_bytes: number | null;
  readonly invalidation_reason: string | null;
  readonly conflicting: boolean | null;
  readonly inactive_since: string | null;
  readonly failover: boolean | null;
  readonly budget_bytes: number;
  /** Growth of what is kept, over the last minutes; null before there are two looks. */
  readonly bytes_per_second: number | null;
  /** Until the budget is used up, or the source's own limit; null while it does not grow. */
  readonly seconds_left: number | null;
  readonly level: WalBudgetLevel;
  /** What an operator should know of it; null while all is well. */
  readonly problem: { readonly code: string; readonly message: string; readonly fix: string } | null;
}
