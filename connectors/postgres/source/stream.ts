import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { StreamIdentity } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { parseLsn } from '#schemas/lsn.ts';
import type { Position } from '#schemas/position.ts';
import { cancelBackend, connect, destroy, endClient, withClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import type { PostgresSettings } from '../settings.ts';
import { describeBlocker, firstBlocker } from './blockers.ts';
import { checkHistory } from './history.ts';
import type { SourceOptions } from './options.ts';
import { identifySystem, type SystemIdentity } from './replication-client.ts';

/**
 * Makes the slot. The server first waits for all transactions that are running, however long that takes; here it takes `slotWaitMs`
 * at most. (CHECKLIST 5)
 * @throws {TerraFusionError} SOURCE_SLOT_BLOCKED, SOURCE_SLOTS_EXHAUSTED, SOURCE_WAL_LEVEL, SOURCE_NO_PRIVILEGE …
 */
export async function createStream(
  settings: PostgresSettings,
  context: ConnectorContext,
  { slotWaitMs: waitMs, failoverSlot }: Pick<SourceOptions, 'slotWaitMs' | 'failoverSlot'>,
  slot: string,
  publication: string,
): Promise<StreamIdentity> {
  // First, since it also tells whether replication connections are let in: no slot may be left behind that nobody can read.
  const identity = await identifySource(settings, context);
  const what = `Could not make slot ${slot}`;
  return withClient(settings, context, { role: 'source', purpose: 'slot', what }, async (client) => {
    const watch = new AbortController();
    const attempt: { settled: boolean } = { settled: false };
    const made = createSlot(client, slot, failoverSlot).finally(() => {
      attempt.settled = true;
    });
    try {
      const { consistentPoint } = await Promise.race([
        made,
        giveUp(settings, context, waitMs, slot, client, watch.signal),
      ]);
      return { slot, publication, ...identity, consistentPoint };
    } finally {
      watch.abort();
      if (!attempt.settled) {
        // The server forgets a slot whose making is cancelled.
        await cancelBackend(settings, client, 'source');
        destroy(client);
        await made.catch(() => undefined);
      }
    }
  });
}

/** Who the source is, and on which line of its history. */
export async function identifySource(settings: PostgresSettings, context: ConnectorContext): Promise<SystemIdentity> {
  const client = await connect(settings, context, { role: 'source', replication: true, purpose: 'slot' });
  try {
    return await identifySystem(client);
  } catch (cause) {
    throw translateError(cause, 'source', 'Could not identify the source');
  } finally {
    await endClient(client);
  }
}

/** @throws {TerraFusionError} SOURCE_HISTORY_LOST, SOURCE_IDENTITY_CHANGED */
export async function checkContinues(
  settings: PostgresSettings,
  context: ConnectorContext,
  stream: StreamIdentity,
  held: Position | undefined,
): Promise<void> {
  const client = await connect(settings, context, { role: 'source', replication: true, purpose: 'slot' });
  try {
    await checkHistory(client, stream, held);
  } catch (cause) {
    throw translateError(cause, 'source', 'Could not look at the history of the source');
  } finally {
    await endClient(client);
  }
}

async function createSlot(
  client: pg.Client,
  slot: string,
  failoverSlot: boolean,
): Promise<{ readonly consistentPoint: bigint }> {
  const version = await client.query<{ readonly failover: boolean }>(
    `SELECT current_setting('server_version_num')::int >= 170000 AND NOT pg_is_in_recovery() AS failover`,
  );
  // A standby that takes over then has the slot too, where the servers are set up for it. (CHECKLIST 12)
  const failover = failoverSlot && version.rows[0]!.failover ? ', failover => true' : '';
  const { rows } = await client.query<{ readonly lsn: string }>(
    `SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput'${failover})`,
    [slot],
  );
  return { consistentPoint: parseLsn(rows[0]!.lsn) };
}

/** Rejects when the slot is not there in time, telling who is in the way. */
async function giveUp(
  settings: PostgresSettings,
  context: ConnectorContext,
  waitMs: number,
  slot: string,
  waiting: pg.Client,
  done: AbortSignal,
): Promise<never> {
  await context.clock.sleep(waitMs, AbortSignal.any([done, context.signal])).catch(() => undefined);
  // The race is over: nobody listens any more.
  if (done.aborted || context.signal.aborted) return new Promise<never>(() => undefined);
  const { processID } = waiting as pg.Client & { readonly processID: number };
  const blocker = await withClient(
    settings,
    context,
    { role: 'source', purpose: 'slot', what: 'Could not look for what is in the way' },
    (client) => firstBlocker(client, processID),
  );
  throw new TerraFusionError(
    'SOURCE_SLOT_BLOCKED',
    `Slot ${slot} could not be made within ${Math.round(waitMs / 1000)} seconds: ${describeBlocker(blocker)} has to end first`,
    { details: { ...blocker } },
  );
}
