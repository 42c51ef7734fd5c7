import type { AlertMessage } from '#schemas/http/alerts.ts';
import type { Queryable } from '#services/kernel/database/index.ts';

export type ChannelName = 'webhook' | 'email';

/** A message that is to be sent now. */
export interface DueDelivery {
  readonly id: string;
  readonly channel: ChannelName;
  readonly message: AlertMessage;
  /** Tries so far, this one included. */
  readonly attempts: number;
}

/** How long ended ones are kept. */
const KEPT = '30 days';
/** How long whoever has taken one may need, in seconds; then it is taken again. */
const TAKEN = 120;

/** Messages on their way. Each is sent at least once, and by one process at a time. */
export class AlertDeliveries {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  async add(channel: ChannelName, message: AlertMessage, now: Date): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.alert_deliveries (id, channel, message, due_at, created_at) VALUES ($1, $2, $3, $4, $4)`,
      [message.id, channel, message, now],
    );
  }

  /** Takes what is due, oldest first. */
  async take(now: Date): Promise<DueDelivery[]> {
    return await this.#db.query<DueDelivery & Record<string, unknown>>(
      `UPDATE terrafusion.alert_deliveries SET attempts = attempts + 1, due_at = $1::timestamptz + make_interval(secs => $2)
        WHERE id IN (SELECT id FROM terrafusion.alert_deliveries WHERE state = 'waiting' AND due_at <= $1
                      ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED)
       RETURNING id, channel, message, attempts`,
      [now, TAKEN],
    );
  }

  async sent(id: string, now: Date): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.alert_deliveries SET state = 'sent', ended_at = $2, error = NULL WHERE id = $1`,
      [id, now],
    );
  }

  /** @param next when it is tried again; undefined: it is given up */
  async failed(id: string, error: string, next: Date | undefined, now: Date): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.alert_deliveries SET error = $2, state = CASE WHEN $3::timestamptz IS NULL THEN 'failed' ELSE state END,
         due_at = coalesce($3::timestamptz, due_at), ended_at = CASE WHEN $3::timestamptz IS NULL THEN $4::timestamptz END
        WHERE id = $1`,
      [id, error, next ?? null, now],
    );
  }

  /** Channels by which nothing goes out: given up within a day and nothing sent since, or tried three times and still waiting. */
  async troubles(now: Date): Promise<{ readonly channel: ChannelName; readonly error: string }[]> {
    return await this.#db.query(
      `SELECT DISTINCT ON (d.channel) d.channel, coalesce(d.error, 'no answer') AS error FROM terrafusion.alert_deliveries d
        WHERE ((d.state = 'failed' AND d.ended_at > $1::timestamptz - interval '1 day') OR (d.state = 'waiting' AND d.attempts >= 3))
          AND NOT EXISTS (SELECT FROM terrafusion.alert_deliveries s
                           WHERE s.channel = d.channel AND s.state = 'sent' AND s.ended_at > coalesce(d.ended_at, d.created_at))
        ORDER BY d.channel, d.created_at DESC`,
      [now],
    );
  }

  async purge(): Promise<void> {
    await this.#db.run(
      `DELETE FROM terrafusion.alert_deliveries WHERE state <> 'waiting' AND ended_at < clock_timestamp() - $1::interval`,
      [KEPT],
    );
  }
}
