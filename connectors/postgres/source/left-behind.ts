import type pg from 'pg';
import type { SlotAtSource } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { parseStreamName } from '#schemas/stream-names.ts';
import { quoteIdentifier } from '../identifiers.ts';
import { slotHolder } from './slot-holder.ts';
import { CURRENT_LSN } from './slot.ts';

interface Row {
  readonly name: string;
  readonly state: string | null;
  readonly active: boolean;
  readonly active_pid: number | null;
  readonly retained: string | null;
  readonly inactive_since: string | null;
  readonly publication: string | null;
}

/** Slots and publications of the database that bear names of ours, whoever's they are. (CHECKLIST 11) */
export async function listStreams(client: pg.Client): Promise<SlotAtSource[]> {
  const { rows } = await client.query<Row>(
    `SELECT s.slot_name AS name, coalesce(CASE WHEN to_jsonb(s) ->> 'invalidation_reason' IS NOT NULL THEN 'lost' END, s.wal_status) AS state,
            s.active, s.active_pid, pg_wal_lsn_diff((${CURRENT_LSN}), s.restart_lsn)::text AS retained,
            to_jsonb(s) ->> 'inactive_since' AS inactive_since, p.pubname AS publication
       FROM pg_replication_slots s LEFT JOIN pg_publication p ON starts_with(s.slot_name, p.pubname || '_')
      WHERE s.slot_type = 'logical' AND s.database = current_database() AND starts_with(s.slot_name, 'terrafusion_')
     UNION ALL
     SELECT p.pubname, NULL, false, NULL, NULL, NULL, p.pubname FROM pg_publication p
      WHERE starts_with(p.pubname, 'terrafusion_') AND NOT EXISTS (
        SELECT FROM pg_replication_slots s WHERE s.database = current_database() AND starts_with(s.slot_name, p.pubname || '_'))
     ORDER BY 1`,
  );
  return rows
    .filter(({ name }) => parseStreamName(name) !== undefined)
    .map((row) => ({
      name: row.name,
      state: row.state === null ? undefined : row.state,
      active: row.active,
      activePid: row.active_pid ?? undefined,
      retainedBytes: row.retained === null ? undefined : Number(row.retained),
      inactiveSince: row.inactive_since ?? undefined,
      publication: row.publication ?? undefined,
    }));
}

/**
 * Drops the slot or publication of that name, and with a slot its publication when no other slot is of it. Nobody is sent away for it.
 * @throws {TerraFusionError} SOURCE_SLOT_IN_USE naming who reads from it; the driver's errors
 */
export async function dropLeftBehind(client: pg.Client, name: string): Promise<void> {
  const found = (await listStreams(client)).find((each) => each.name === name);
  if (found === undefined) return;
  if (found.state !== undefined) {
    const holder = await slotHolder(client, name);
    if (holder !== undefined) {
      throw new TerraFusionError('SOURCE_SLOT_IN_USE', `${holder.told} reads from slot ${name}`, {
        details: { slot: name, pid: holder.pid },
      });
    }
    await client.query('SELECT pg_drop_replication_slot($1)', [name]);
  }
  const { publication } = found;
  if (publication === undefined) return;
  const others = (await listStreams(client)).some(
    (each) => each.publication === publication && each.name !== publication,
  );
  if (!others) await client.query(`DROP PUBLICATION IF EXISTS ${quoteIdentifier(publication)}`);
}
