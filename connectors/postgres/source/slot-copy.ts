import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import { isPostgresError } from '../errors.ts';
import { quoteLiteral } from '../identifiers.ts';
import { type ChangeRequest, pluginOptions } from './change-stream.ts';

/** The copy's name tells that somebody catches up: there can be one only. (CHECKLIST 6) */
export function copyOf(slot: string): string {
  return `${slot.slice(0, 55)}_catchup`;
}

/** Moves the slot on to exactly there; the server refuses while somebody reads from it. */
export function advanceCommand(slot: string, to: Lsn): string {
  return `SELECT pg_replication_slot_advance(${quoteLiteral(slot)}, ${quoteLiteral(formatLsn(to))})`;
}

/** About so many messages of the copy, whole transactions; the options are those of the stream. */
export function portionCommand(request: ChangeRequest, most: number): string {
  return (
    `COPY (SELECT data FROM pg_logical_slot_get_binary_changes(${quoteLiteral(copyOf(request.slot))}, NULL, ${most}, ` +
    `${pluginOptions(request).flat().map(quoteLiteral).join(', ')})) TO STDOUT (FORMAT binary)`
  );
}

export function dropCopyCommand(slot: string): string {
  return `SELECT pg_drop_replication_slot(${quoteLiteral(copyOf(slot))})`;
}

/**
 * The other half of the bargain: a stream does not begin while somebody catches up.
 * @throws {TerraFusionError} SOURCE_SLOT_IN_USE
 */
export async function expectNoCopy(session: pg.Client, slot: string): Promise<void> {
  const { rowCount } = await session.query(
    `SELECT FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(copyOf(slot))}`,
  );
  if (rowCount !== 0) throw new TerraFusionError('SOURCE_SLOT_IN_USE', `Somebody else catches up with slot ${slot}`);
}

/**
 * Makes the temporary copy of the slot, and sees to it that nobody else reads from either.
 * @returns false where this source has to be streamed
 * @throws the driver's errors; SOURCE_SLOT_IN_USE
 */
export async function copySlot(
  session: pg.Client,
  { slot, start }: ChangeRequest,
  context: ConnectorContext,
): Promise<boolean> {
  // The stream of a slot that fails over waits for the standbys that are named here; a copy would run ahead of them. (CHECKLIST 12)
  const { rows } = await session.query<{ readonly standbys: string | null }>(
    "SELECT current_setting('synchronized_standby_slots', true) AS standbys",
  );
  if ((rows[0]!.standbys ?? '') !== '') return false;
  // A session whose client is gone lets go of the copy within a second, also while it decodes. Not every system's servers can.
  await session.query('SET client_connection_check_interval = 1000').catch(() => undefined);
  try {
    await session.query(
      `SELECT pg_copy_logical_replication_slot(${quoteLiteral(slot)}, ${quoteLiteral(copyOf(slot))}, true)`,
    );
  } catch (error) {
    if (!isPostgresError(error)) throw error;
    if (error.code === '42710') throw new TerraFusionError('SOURCE_SLOT_IN_USE', error.message, { cause: error });
    if (error.code.startsWith('57') || error.code.startsWith('08')) throw error;
    context.log.info({ error }, 'The backlog is streamed, since the source does not let a copy of the slot be made.');
    return false;
  }
  // Refused while somebody streams from it.
  await session.query(advanceCommand(slot, start));
  return true;
}
