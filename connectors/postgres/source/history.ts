import type pg from 'pg';
import type { StreamIdentity } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn, type Lsn, parseLsn } from '#schemas/lsn.ts';
import { formatPosition, type Position } from '#schemas/position.ts';
import { identifySystem, type SystemIdentity } from './replication-client.ts';

/**
 * Whether what we hold of the stream lies in the history of the server behind this replication session, so that the stream can go on
 * there. After a failover the server is on a later timeline; it has gone on from ours at some location, and whatever was committed before
 * that is the same on both. (CHECKLIST 12)
 * @param held what is stored durably; undefined: nothing
 * @throws {TerraFusionError} SOURCE_IDENTITY_CHANGED, SOURCE_HISTORY_LOST
 */
export async function checkHistory(
  client: pg.Client,
  stream: StreamIdentity,
  held: Position | undefined,
): Promise<SystemIdentity> {
  const identity = await identifySystem(client);
  if (identity.systemIdentifier !== stream.systemIdentifier) throw identityChanged(stream, identity);
  if (identity.timeline === stream.timeline) return identity;
  const left = forkOf(await readHistory(client, identity.timeline), stream.timeline);
  const who = `The source was restored or has failed over: it is on timeline ${identity.timeline}`;
  if (left === undefined) {
    throw new TerraFusionError(
      'SOURCE_HISTORY_LOST',
      `${who}, which does not come from timeline ${stream.timeline}, on which the stream was read`,
    );
  }
  if (!isBefore(held, left)) {
    // Promise 2: the old primary had sent what the new one has never had. Going on would leave that at the targets, and leave out what
    // the new one has committed in its place.
    throw new TerraFusionError(
      'SOURCE_HISTORY_LOST',
      `${who}, which left timeline ${stream.timeline} at ${formatLsn(left)}, and we hold ${formatPosition(held!)} of the old one: ` +
        'its end was never at the new primary',
      { details: { timeline: identity.timeline, left: formatLsn(left), stored: formatPosition(held!) } },
    );
  }
  return identity;
}

/** A commit record that begins before the fork is whole before it: histories fork between records. */
function isBefore(held: Position | undefined, fork: Lsn): boolean {
  if (held === undefined) return true;
  return held.ordinal === -1 ? held.commitLsn <= fork : held.commitLsn < fork;
}

/** Why there is no slot: another server, or one that has taken over without it. */
export function slotMissing(stream: StreamIdentity, identity: SystemIdentity): TerraFusionError {
  if (identity.systemIdentifier !== stream.systemIdentifier) return identityChanged(stream, identity);
  const missing = `Slot ${stream.slot} does not exist at the source`;
  return new TerraFusionError(
    'SOURCE_SLOT_MISSING',
    identity.timeline === stream.timeline
      ? missing
      : `${missing}: it has failed over or was restored (timeline ${identity.timeline}, the stream was read on ${stream.timeline}), and the slot has not come along`,
  );
}

function identityChanged(stream: StreamIdentity, identity: SystemIdentity): TerraFusionError {
  return new TerraFusionError(
    'SOURCE_IDENTITY_CHANGED',
    `The source is another server: its system identifier is ${identity.systemIdentifier}, not ${stream.systemIdentifier}`,
  );
}

/** The text of the timeline's history file. */
async function readHistory(client: pg.Client, timeline: number): Promise<string> {
  // The first one comes from nowhere.
  if (timeline === 1) return '';
  const { rows } = await client.query<{ readonly content: unknown }>(`TIMELINE_HISTORY ${timeline}`);
  // Declared as bytea before 15, and sent as it is all the same.
  return String(rows[0]!.content);
}

/** Where the history left the timeline: lines of "timeline, location, reason". undefined when it never was on it. */
export function forkOf(history: string, timeline: number): Lsn | undefined {
  for (const line of history.split('\n')) {
    const [id, location] = line.trim().split(/\s+/);
    if (id === String(timeline) && location !== undefined) return parseLsn(location);
  }
  return undefined;
}
