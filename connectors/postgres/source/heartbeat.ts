import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { type Lsn, parseLsn } from '#schemas/lsn.ts';
import { connect, destroy, endClient, SHORT_ANSWER_MS } from '../connection.ts';
import { isPostgresError, translateError } from '../errors.ts';
import type { PostgresSettings } from '../settings.ts';
import { CURRENT_LSN } from './slot.ts';

export const HEARTBEAT_PREFIX = 'terrafusion.heartbeat';

/** Less WAL than this is not worth a message: the servers' own record of ours would otherwise bring about the next one for ever. */
const WORTH_BYTES = 8192n;

export interface HeartbeatRequest {
  readonly publication: string;
  readonly publicationOid: string;
  readonly everyMs: number;
  /** Whether the role may write messages here. */
  readonly writes: boolean;
}

export interface HeartbeatHost {
  /** What is acknowledged to the source. */
  acknowledged(): Lsn;
  onCurrentLsn(lsn: Lsn): void;
  onHistoryLost(error: TerraFusionError): void;
  /** The server lets nobody in any more, or not yet: it shuts down, unless it has just started. */
  onShutdown(error: TerraFusionError): void;
}

/**
 * Looks after the slot of a quiet database, on an ordinary connection.
 *
 * Checkpoints and other databases write WAL that holds nothing for us, and the slot would keep all of it: a message of our own comes
 * through the stream, is stored, and gives us something to acknowledge. (Promise 7)
 *
 * It also notices when the publication is dropped: newer servers then go on in silence, without sending a change. (Promise 2) And when
 * the server shuts down, which the stream cannot tell while it is not read.
 */
export class Heartbeat {
  readonly #settings: PostgresSettings;
  readonly #context: ConnectorContext;
  readonly #request: HeartbeatRequest;
  readonly #host: HeartbeatHost;
  readonly #stop = new AbortController();
  #client: pg.Client | undefined;
  #running: Promise<void> | undefined;
  /** Where the last message lies. */
  #sent: Lsn = 0n;
  #acknowledgedBefore: Lsn = 0n;
  #troubled = false;
  #beating = false;

  constructor(settings: PostgresSettings, context: ConnectorContext, request: HeartbeatRequest, host: HeartbeatHost) {
    this.#settings = settings;
    this.#context = context;
    this.#request = request;
    this.#host = host;
  }

  start(): void {
    if (this.#request.everyMs > 0) this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    // A query under way may never be answered; nobody waits for it.
    if (this.#beating && this.#client) destroy(this.#client);
    await this.#running;
    await this.#disconnect();
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#context.clock.sleep(this.#request.everyMs, this.#stop.signal).catch(() => undefined);
      if (this.#isStopped()) return;
      this.#beating = true;
      try {
        await this.#beatOrReconnect();
        this.#troubled = false;
      } catch (cause) {
        await this.#disconnect();
        if (this.#isStopped()) return;
        this.#tell(translateError(cause, 'source', 'Could not write a heartbeat'));
      } finally {
        this.#beating = false;
      }
    }
  }

  /** A session that broke since the last time says nothing about the server: a new one does. */
  async #beatOrReconnect(): Promise<void> {
    if (this.#client !== undefined) {
      try {
        await this.#beat(this.#client);
        return;
      } catch (cause) {
        if (cause instanceof TerraFusionError || this.#isStopped()) throw cause;
        await this.#disconnect();
      }
    }
    this.#client = await connect(
      this.#settings,
      { signal: this.#stop.signal },
      { role: 'source', purpose: 'heartbeat', answerWithinMs: SHORT_ANSWER_MS },
    );
    await this.#beat(this.#client);
  }

  #tell(error: TerraFusionError): void {
    if (error.code === 'SOURCE_HISTORY_LOST') this.#host.onHistoryLost(error);
    else if (isPostgresError(error.cause, '57P03')) this.#host.onShutdown(error);
    else if (!this.#troubled) {
      // The stream has its own connection, and says itself when the source is gone.
      this.#context.log.warn({ error }, 'No heartbeat could be written.');
      this.#troubled = true;
    }
  }

  async #beat(client: pg.Client): Promise<void> {
    const { publication, publicationOid, writes } = this.#request;
    const { rows } = await client.query<{ readonly current: string; readonly publication: string | null }>(
      `SELECT (${CURRENT_LSN})::text AS current, (SELECT oid::text FROM pg_publication WHERE pubname = $1) AS publication`,
      [publication],
    );
    const row = rows[0]!;
    if (row.publication !== publicationOid) throw publicationLost(publication);
    const current = parseLsn(row.current);
    this.#host.onCurrentLsn(current);

    const acknowledged = this.#host.acknowledged();
    const moves = acknowledged !== this.#acknowledgedBefore;
    this.#acknowledgedBefore = acknowledged;
    // A message that is still on its way, or waits for a topic that is stuck, is enough.
    const underWay = this.#sent > acknowledged;
    if (!writes || moves || underWay || current - acknowledged < WORTH_BYTES) return;
    const sent = await client.query<{ readonly lsn: string }>(
      `SELECT pg_logical_emit_message(true, $1, '')::text AS lsn`,
      [HEARTBEAT_PREFIX],
    );
    this.#sent = parseLsn(sent.rows[0]!.lsn);
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client) await endClient(client);
  }
}

/** What was written while there was no publication is not in the stream, and nothing in the stream says so. */
export function publicationLost(publication: string): TerraFusionError {
  return new TerraFusionError(
    'SOURCE_HISTORY_LOST',
    `Publication ${publication} is gone or was made anew: changes may have passed without being sent`,
  );
}
