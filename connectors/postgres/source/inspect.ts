import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ReaderRequest } from '#connectors/contract/source.ts';
import { binaryTypes } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import { formatPosition } from '#schemas/position.ts';
import { SHORT_ANSWER_MS, withClient } from '../connection.ts';
import type { PostgresSettings } from '../settings.ts';
import { publicationLost } from './heartbeat.ts';
import { slotMissing } from './history.ts';
import { readSlot } from './slot.ts';
import { identifySource } from './stream.ts';

/** What a reader must know of the source before it opens the stream. */
export interface SourceFacts {
  /** Where the slot stands. */
  readonly confirmed: Lsn;
  readonly currentLsn: Lsn;
  /** `wal_sender_timeout` in milliseconds. */
  readonly senderTimeoutMs: number;
  /** Names of the types that the stream does not announce, by oid. */
  readonly builtinTypes: ReadonlyMap<number, string>;
  readonly publicationOid: string;
  /** Whether values can be sent in binary: the server can, and all columns that are published now are of types whose binary form is known here. */
  readonly binary: boolean;
  /** Whether `pg_logical_emit_message` is there and allowed. */
  readonly mayWriteMessages: boolean;
}

interface Row {
  readonly sender_timeout: string;
  readonly publication: string | null;
  readonly may_write: boolean | null;
  readonly only_text: boolean;
  readonly types: readonly { readonly oid: number; readonly name: string }[];
}

/**
 * Looks whether the stream can go on where we are.
 * @throws {TerraFusionError} SOURCE_SLOT_MISSING, SOURCE_HISTORY_LOST, SOURCE_IDENTITY_CHANGED, SOURCE_IS_STANDBY and what connecting throws
 */
export async function inspectSource(
  settings: PostgresSettings,
  { stream, after }: ReaderRequest,
  context: ConnectorContext,
): Promise<SourceFacts> {
  return withClient(
    settings,
    context,
    { role: 'source', purpose: 'reader', answerWithinMs: SHORT_ANSWER_MS, what: 'Could not look at the source' },
    async (client) => {
      const slot = await readSlot(client, stream.slot);
      if (slot.inRecovery) {
        throw new TerraFusionError('SOURCE_IS_STANDBY', 'The source is a standby now; reading waits for its promotion');
      }
      if (!slot.exists) throw slotMissing(stream, await identifySource(settings, context));
      if (slot.state === 'lost') {
        const reason = slot.invalidationReason ?? 'its WAL was removed';
        throw new TerraFusionError('SOURCE_HISTORY_LOST', `The source has given up slot ${stream.slot}: ${reason}`);
      }
      if (after !== undefined && after.commitLsn > slot.currentLsn) {
        const identity = await identifySource(settings, context);
        if (identity.systemIdentifier !== stream.systemIdentifier) throw slotMissing(stream, identity);
        throw new TerraFusionError(
          'SOURCE_HISTORY_LOST',
          `The source has gone back in time: it stands at ${formatLsn(slot.currentLsn)}, we hold ${formatPosition(after)}`,
        );
      }
      // The catalogs themselves: pg_publication_tables would wait for whoever alters one of the tables. (Promise 7)
      const { rows } = await client.query<Row>(
        `SELECT (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout') AS sender_timeout,
                (SELECT oid::text FROM pg_publication WHERE pubname = $1) AS publication,
                (SELECT bool_or(has_function_privilege(oid, 'EXECUTE')) AND NOT pg_is_in_recovery() FROM pg_proc
                  WHERE proname = 'pg_logical_emit_message' AND pronamespace = 'pg_catalog'::regnamespace) AS may_write,
                current_setting('server_version_num')::int < 140000 OR EXISTS (
                  SELECT FROM pg_publication p
                    JOIN pg_publication_rel r ON r.prpubid = p.oid
                    JOIN pg_attribute a ON a.attrelid = r.prrelid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                   WHERE p.pubname = $1 AND a.atttypid <> ALL ($2::oid[])) AS only_text,
                (SELECT json_agg(json_build_object('oid', oid::int, 'name', typname)) FROM pg_type WHERE oid < 10000) AS types`,
        [stream.publication, binaryTypes()],
      );
      const row = rows[0]!;
      if (row.publication === null) throw publicationLost(stream.publication);
      return {
        confirmed: slot.confirmed ?? stream.consistentPoint,
        currentLsn: slot.currentLsn,
        senderTimeoutMs: Number(row.sender_timeout),
        builtinTypes: new Map(row.types.map(({ oid, name }) => [oid, name])),
        publicationOid: row.publication,
        binary: !row.only_text,
        mayWriteMessages: row.may_write === true,
      };
    },
  );
}
