import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { withClient } from '../connection.ts';
import type { PostgresSettings } from '../settings.ts';
import { copyOf } from './slot-copy.ts';

interface HolderRow {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly address: string | null;
  readonly since: string | null;
}

/** Who reads from the slot, or catches up with it; undefined when nobody does. (CHECKLIST 6) */
export async function slotHolder(client: pg.Client, slot: string): Promise<{ pid: number; told: string } | undefined> {
  const { rows } = await client.query<HolderRow>(
    `SELECT s.active_pid AS pid, a.usename AS user, a.application_name AS application, a.client_addr::text AS address,
            a.backend_start::text AS since
       FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
      WHERE s.slot_name IN ($1, $2) AND s.active_pid IS NOT NULL`,
    [slot, copyOf(slot)],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const facts = [
    row.user === null ? undefined : `user ${row.user}`,
    row.application === null || row.application === '' ? undefined : `application ${row.application}`,
    row.address === null ? undefined : `from ${row.address}`,
    row.since === null ? undefined : `since ${row.since}`,
  ].filter(Boolean);
  return { pid: row.pid, told: `process ${row.pid}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}` };
}

/** The error for a slot that somebody else reads from, naming him. The server's own word is kept as its cause. */
export async function slotInUse(
  settings: PostgresSettings,
  context: ConnectorContext,
  slot: string,
  cause: unknown,
): Promise<TerraFusionError> {
  const holder = await withClient(
    settings,
    context,
    { role: 'source', purpose: 'slot', what: `Could not look who reads from slot ${slot}` },
    (client) => slotHolder(client, slot),
  ).catch(() => undefined);
  const who = holder?.told ?? 'another process, which is gone by now,';
  return new TerraFusionError('SOURCE_SLOT_IN_USE', `${who} reads from slot ${slot}`, {
    cause,
    details: holder === undefined ? { slot } : { slot, pid: holder.pid },
  });
}
