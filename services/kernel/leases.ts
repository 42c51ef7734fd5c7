import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { systemClock, type Clock } from './clock.ts';
import type { Database, Queryable } from './database/index.ts';
import type { Log } from './log.ts';

/**
 * The right to do a piece of work, for a while. Whoever holds the latest token is the one; who writes on the strength of a lease
 * proves it with {@link assertLease} in the same transaction, because a process that was stopped for a minute does not know that it
 * has lost it. All times are those of the control database.
 */
export interface Lease {
  readonly name: string;
  /** Unique among all processes and all works of a process. */
  readonly holder: string;
  /** Grows with every holder of the name. */
  readonly token: bigint;
}

/** Takes the lease if nobody holds it; undefined if somebody does. */
export async function acquireLease(
  database: Queryable,
  name: string,
  holder: string,
  ttlMs: number,
): Promise<Lease | undefined> {
  const row = await database.one<{ token: bigint }>(
    `INSERT INTO terrafusion.leases AS held (name, holder, token, acquired_at, expires_at)
     VALUES ($1, $2, 1, clock_timestamp(), clock_timestamp() + $3 * interval '1 ms')
     ON CONFLICT (name) DO UPDATE
       SET holder = excluded.holder, token = held.token + 1, acquired_at = excluded.acquired_at, expires_at = excluded.expires_at
       WHERE held.expires_at <= clock_timestamp()
     RETURNING token`,
    [name, holder, ttlMs],
  );
  return row && { name, holder, token: row.token };
}

/** Keeps the lease for another `ttlMs`; false when somebody else has taken it. An expired one that nobody wanted is still ours. */
export async function renewLease(database: Queryable, { name, holder, token }: Lease, ttlMs: number): Promise<boolean> {
  const renewed = await database.run(
    `UPDATE terrafusion.leases SET expires_at = clock_timestamp() + $4 * interval '1 ms'
     WHERE name = $1 AND holder = $2 AND token = $3`,
    [name, holder, token, ttlMs],
  );
  return renewed > 0;
}

/** Gives the lease free at once. One that is lost already is no error. */
export async function releaseLease(database: Queryable, { name, holder, token }: Lease): Promise<void> {
  await database.run(
    `UPDATE terrafusion.leases SET expires_at = clock_timestamp() WHERE name = $1 AND holder = $2 AND token = $3 AND expires_at > clock_timestamp()`,
    [name, holder, token],
  );
}

/**
 * Lets the transaction go on only under this lease, which nobody can take over before it ends.
 * @throws {TerraFusionError} LEASE_LOST
 */
export async function assertLease(transaction: Queryable, { name, holder, token }: Lease): Promise<void> {
  const held = await transaction.one(
    `SELECT FROM terrafusion.leases WHERE name = $1 AND holder = $2 AND token = $3 AND expires_at > clock_timestamp() FOR SHARE`,
    [name, holder, token],
  );
  if (held === undefined) throw leaseLost(name);
}

export interface HoldOptions {
  readonly name: string;
  readonly holder: string;
  /** How long the lease outlives a holder that cannot renew it, in ms. Renewed at a third of that. */
  readonly ttlMs: number;
  readonly log: Log;
  readonly clock?: Clock;
  /** Ends the waiting for it; once held, it is given back by disposing. */
  readonly signal?: AbortSignal;
}

/** A lease that is renewed until it is given back. */
export interface HeldLease extends AsyncDisposable {
  readonly lease: Lease;
  /** Aborted with LEASE_LOST as soon as the lease may be somebody else's: stop the work then. */
  readonly signal: AbortSignal;
}

/** Holds the lease if nobody else does; undefined otherwise. */
export async function tryHoldLease(database: Database, options: HoldOptions): Promise<HeldLease | undefined> {
  const { clock = systemClock, ttlMs } = options;
  const asked = clock.monotonic();
  const lease = await acquireLease(database, options.name, options.holder, ttlMs);
  return lease && hold(database, lease, asked, options);
}

/** Waits for the lease and holds it. */
export async function holdLease(database: Database, options: HoldOptions): Promise<HeldLease> {
  const { clock = systemClock, signal, ttlMs, log, name } = options;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const held = await tryHoldLease(database, options);
      if (held) return held;
    } catch (thrown) {
      const error = asTerraFusionError(thrown);
      if (!error.heals) throw error;
      log.warn({ lease: name, error }, 'A lease could not be asked for; it is tried again.');
    }
    await clock.sleep(ttlMs / 3, signal);
  }
}

function hold(
  database: Database,
  lease: Lease,
  asked: number,
  { ttlMs, log, clock = systemClock }: HoldOptions,
): HeldLease {
  const lost = new AbortController();
  const stop = new AbortController();
  const renewing = keepRenewing();
  return {
    lease,
    signal: lost.signal,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await renewing;
      if (lost.signal.aborted) return;
      // Could it not be told, the lease runs out by itself.
      await releaseLease(database, lease).catch(() => undefined);
    },
  };

  async function keepRenewing(): Promise<void> {
    // Counted from before the request that the database granted: its own time runs from a moment later.
    let until = asked + ttlMs;
    const every = ttlMs / 3;
    for (;;) {
      await clock.sleep(Math.max(0, Math.min(every, until - clock.monotonic())), stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      if (clock.monotonic() >= until) break;
      const begun = clock.monotonic();
      const renewed = await inTime(renew(), until);
      if (renewed === 'yes') until = begun + ttlMs;
      if (renewed === 'lost') break;
    }
    log.warn({ lease: lease.name, token: lease.token }, 'A lease was lost; the work under it stops.');
    lost.abort(leaseLost(lease.name));
  }

  async function renew(): Promise<'yes' | 'lost' | 'unknown'> {
    try {
      return (await renewLease(database, lease, ttlMs)) ? 'yes' : 'lost';
    } catch (error) {
      log.warn({ lease: lease.name, error }, 'A lease could not be renewed; it is tried again while it lasts.');
      return 'unknown';
    }
  }

  /** An answer that does not come until the lease has run out is none. */
  async function inTime(
    answer: Promise<'yes' | 'lost' | 'unknown'>,
    until: number,
  ): Promise<'yes' | 'lost' | 'unknown'> {
    const enough = new AbortController();
    const late = clock.sleep(until - clock.monotonic(), enough.signal).then(
      () => 'unknown' as const,
      () => 'unknown' as const,
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      enough.abort();
    }
  }
}

function leaseLost(name: string): TerraFusionError {
  return new TerraFusionError('LEASE_LOST', `The lease "${name}" is held by somebody else, or has run out`, {
    details: { lease: name },
  });
}
