import type { Queryable } from '#services/kernel/database/index.ts';

/** A process that says it runs. */
export interface ComponentRecord {
  /** gateway, sync-service, reader, stream-processor, writer. */
  readonly name: string;
  /** Host and PID. */
  readonly instance: string;
  readonly version: string;
  readonly startedAt: Date;
  readonly heartbeatAt: Date;
  /** Whether its last heartbeat is recent enough. */
  readonly fresh: boolean;
  /** Since that, in seconds. */
  readonly ageSeconds: number;
  readonly status: Readonly<Record<string, unknown>>;
}

export interface Heartbeat {
  readonly name: string;
  readonly instance: string;
  readonly version: string;
  readonly startedAt: Date;
  readonly status: Readonly<Record<string, unknown>>;
}

/** A row is forgotten this long after its last heartbeat. */
const FORGET_AFTER = '1 day';

/** Which processes run, by their own word; all times are the database's, so that clocks of machines need not agree. */
export class Components {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** To be called every 5 seconds or so: after 15 without one the process counts as down. */
  async beat({ name, instance, version, startedAt, status }: Heartbeat): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.components (name, instance, version, started_at, status) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (name, instance) DO UPDATE SET
         version = EXCLUDED.version, started_at = EXCLUDED.started_at, status = EXCLUDED.status, heartbeat_at = clock_timestamp()`,
      [name, instance, version, startedAt, status],
    );
  }

  /** Forgets silent ones of the name: the process that calls it has taken their place. */
  async supersede(name: string): Promise<void> {
    await this.#db.run(
      'DELETE FROM terrafusion.components WHERE name = $1 AND heartbeat_at < clock_timestamp() - stale_after',
      [name],
    );
  }

  /** Ended on purpose: nobody misses it. Also clears away what has been silent for a day. */
  async leave(name: string, instance: string): Promise<void> {
    await this.#db.run(
      `DELETE FROM terrafusion.components
        WHERE (name = $1 AND instance = $2) OR heartbeat_at < clock_timestamp() - $3::interval`,
      [name, instance, FORGET_AFTER],
    );
  }

  async list(): Promise<ComponentRecord[]> {
    const rows = await this.#db.query<{
      name: string;
      instance: string;
      version: string;
      started_at: Date;
      heartbeat_at: Date;
      fresh: boolean;
      age_seconds: number;
      status: Record<string, unknown>;
    }>(
      `SELECT name, instance, version, started_at, heartbeat_at, status,
              heartbeat_at > clock_timestamp() - stale_after AS fresh,
              extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS age_seconds
         FROM terrafusion.components
        WHERE heartbeat_at > clock_timestamp() - $1::interval
        ORDER BY name, fresh DESC, heartbeat_at DESC`,
      [FORGET_AFTER],
    );
    return rows.map(({ started_at: startedAt, heartbeat_at: heartbeatAt, age_seconds: ageSeconds, ...row }) => ({
      ...row,
      startedAt,
      heartbeatAt,
      ageSeconds,
    }));
  }
}
