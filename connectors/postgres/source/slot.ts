import type pg from 'pg';
import type { SlotStatus } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { parseLsn } from '#schemas/lsn.ts';
import { copyOf } from './slot-copy.ts';
import { slotHolder } from './slot-holder.ts';

/** The server's WAL end, on a standby too. */
export const CURRENT_LSN = `CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END`;

interface SlotRow {
  readonly current: string;
  readonly in_recovery: boolean;
  readonly keep_bytes: string | null;
  readonly slot_type: string | null;
  readonly active: boolean | null;
  readonly active_pid: number | null;
  readonly wal_status: SlotStatus['state'] | null;
  readonly restart: string | null;
  readonly confirmed: string | null;
  readonly retained: string | null;
  readonly safe: string | null;
  readonly invalidation_reason: string | null;
  readonly conflicting: boolean | null;
  readonly inactive_since: string | null;
  readonly failover: boolean | null;
  readonly synced: boolean | null;
}

/** The slot's state, and who reads from it or from its copy, whatever the server's version knows of it. (CHECKLIST 10) */
export async function readSlot(client: pg.Client, slot: string): Promise<SlotStatus> {
  // As JSON, since columns came one by one: conflicting with 16, invalidation_reason, inactive_since, failover and synced with 17.
  const { rows } = await client.query<SlotRow>(
    `SELECT w.lsn::text AS current, pg_is_in_recovery() AS in_recovery,
            (SELECT nullif(setting::bigint, -1) * 1024 * 1024 FROM pg_settings WHERE name = 'max_slot_wal_keep_size')::text AS keep_bytes,
            s.slot_type, coalesce(c.active, s.active) AS active, coalesce(c.active_pid, s.active_pid) AS active_pid, s.wal_status, s.restart_lsn::text AS restart, s.confirmed_flush_lsn::text AS confirmed,
            pg_wal_lsn_diff(w.lsn, s.restart_lsn)::text AS retained, s.safe_wal_size::text AS safe,
            to_jsonb(s) ->> 'invalidation_reason' AS invalidation_reason, (to_jsonb(s) ->> 'conflicting')::boolean AS conflicting,
            to_jsonb(s) ->> 'inactive_since' AS inactive_since,
            (to_jsonb(s) ->> 'failover')::boolean AS failover, (to_jsonb(s) ->> 'synced')::boolean AS synced
       FROM (SELECT ${CURRENT_LSN} AS lsn) w LEFT JOIN pg_replication_slots s ON s.slot_name = $1
       LEFT JOIN pg_replication_slots c ON c.slot_name = $2`,
    [slot, copyOf(slot)],
  );
  const row = rows[0]!;
  const bytes = (text: string | null): number | undefined => (text === null ? undefined : Number(text));
  return {
    exists: row.slot_type !== null,
    active: row.active ?? false,
    activePid: row.active_pid ?? undefined,
    state:
      row.slot_type === null ? 'missing' : row.invalidation_reason === null ? (row.wal_status ?? 'reserved') : 'lost',
    restart: row.restart === null ? undefined : parseLsn(row.restart),
    confirmed: row.confirmed === null ? undefined : parseLsn(row.confirmed),
    retainedBytes: bytes(row.retained),
    safeBytes: bytes(row.safe),
    limitBytes: bytes(row.keep_bytes),
    invalidationReason: row.invalidation_reason ?? undefined,
    conflicting: row.conflicting ?? undefined,
    inactiveSince: row.inactive_since ?? undefined,
    failover: row.failover ?? undefined,
    synced: row.synced ?? undefined,
    currentLsn: parseLsn(row.current),
    inRecovery: row.in_recovery,
  };
}

/**
 * Drops the slot; who reads from it is sent away first. One that is gone already is no error.
 * @throws the driver's errors; SOURCE_SLOT_IN_USE when the reader does not go
 */
export async function dropSlot(client: pg.Client, slot: string, pause: (ms: number) => Promise<void>): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const { exists, activePid } = await readSlot(client, slot);
    if (!exists) return;
    if (activePid === undefined) {
      try {
        await client.query('SELECT pg_drop_replication_slot($1)', [slot]);
        return;
      } catch (error) {
        const code = (error as { readonly code?: unknown }).code;
        if (code === '42704') return; // Somebody else was faster.
        if (code !== '55006') throw error; // Somebody has begun to read from it in between.
      }
    } else {
      await client.query('SELECT pg_terminate_backend($1)', [activePid]);
    }
    await pause(100);
  }
  const holder = await slotHolder(client, slot);
  const who = holder?.told ?? 'its reader';
  throw new TerraFusionError('SOURCE_SLOT_IN_USE', `Slot ${slot} cannot be dropped: ${who} does not let go of it`);
}
