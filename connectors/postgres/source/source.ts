import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import { parseLsn } from '#schemas/lsn.ts';
import { formatTableName } from '#schemas/tables.ts';
import { isAtWork } from '../at-work.ts';
import { SHORT_ANSWER_MS, type ConnectOptions, withClient } from '../connection.ts';
import { quoteIdentifier } from '../identifiers.ts';
import { readSchema } from '../schema/read.ts';
import type { PostgresSettings } from '../settings.ts';
import { describeTables } from './catalog.ts';
import { tellAltered } from './catalog-look.ts';
import { checkSource } from './checks.ts';
import { countBeyond } from './count-beyond.ts';
import { slotMissing } from './history.ts';
import { dropLeftBehind, listStreams } from './left-behind.ts';
import { defaultSourceOptions, type SourceOptions } from './options.ts';
import { probeValues } from './probe.ts';
import { publishTables } from './publication.ts';
import { openReader } from './reader.ts';
import { dropSchemaEvents, installSchemaEvents } from './schema-events.ts';
import { dropSlot, readSlot } from './slot.ts';
import { openSnapshot } from './snapshot.ts';
import { readColumns } from './read-columns.ts';
import { sampleRows } from './sample.ts';
import { listTables } from './table-list.ts';
import { readStates, readTypeNames } from './table-states.ts';
import { checkContinues, createStream, identifySource } from './stream.ts';
import type pg from 'pg';

/** People wait for the list: whoever has locked a table that has to be measured is not waited for. */
const LIST_LOCK_WAIT_MS = 2000;

/** Sessions of each stage. */
const purposesOf = { reader: ['reader'], load: ['snapshot', 'setup'], writer: ['refill'] } as const;

/** PostgreSQL as a source, by logical replication with pgoutput. */
export function postgresSource(settings: PostgresSettings, overrides: Partial<SourceOptions> = {}): Source {
  const { slot_wait_s: slotWait, failover_slot: failover } = settings;
  const options: SourceOptions = {
    ...defaultSourceOptions,
    ...(slotWait === undefined ? {} : { slotWaitMs: slotWait * 1000 }),
    ...(failover === undefined ? {} : { failoverSlot: failover }),
    ...overrides,
  };
  const use = <T>(
    context: ConnectorContext,
    what: string,
    work: (client: pg.Client) => Promise<T>,
    session: Partial<ConnectOptions> = {},
  ): Promise<T> => withClient(settings, context, { role: 'source', purpose: 'setup', ...session, what }, work);

  return {
    check: (tables, context, stream) => checkSource(settings, tables, context, stream),

    describe: (tables, context) =>
      use(context, 'Could not read the catalog of the source', (client) => describeTables(client, tables)),

    describeSchema: (tables, context) =>
      use(context, 'Could not read the schema of the source', async (client) => {
        // Names whatever is missing.
        await describeTables(client, tables);
        return readSchema(client, tables);
      }),

    publish: (publication, tables, context, keepOthers = false) =>
      use(
        context,
        `Could not publish the tables of ${publication}`,
        async (client) => {
          const made = await publishTables(client, publication, tables, keepOthers);
          await installSchemaEvents(client, publication);
          return made;
        },
        {
          lockTimeoutMs: options.lockWaitMs,
        },
      ),

    checkContinues: (stream, held, context) => checkContinues(settings, context, stream, held),

    createStream: (slot, publication, context) => createStream(settings, context, options, slot, publication),

    dropSlot: (slot, context) =>
      use(context, `Could not drop slot ${slot}`, (client) =>
        dropSlot(client, slot, (ms) => context.clock.sleep(ms, context.signal)),
      ),

    dropStream: (slot, publication, context) =>
      use(context, `Could not drop slot ${slot} and publication ${publication}`, async (client) => {
        await dropSlot(client, slot, (ms) => context.clock.sleep(ms, context.signal));
        await client.query(`DROP PUBLICATION IF EXISTS ${quoteIdentifier(publication)}`);
        await dropSchemaEvents(client, publication);
      }),

    slotStatus: (slot, context) =>
      use(context, `Could not look at slot ${slot}`, (client) => readSlot(client, slot), {
        answerWithinMs: SHORT_ANSWER_MS,
      }),

    listStreams: (context) => use(context, 'Could not list the slots of the source', listStreams),

    dropLeftBehind: (name, context) => use(context, `Could not drop ${name}`, (client) => dropLeftBehind(client, name)),

    whyMissing: async (stream, context) => slotMissing(stream, await identifySource(settings, context)),

    openReader: (request, context) => openReader(settings, options, request, context),

    isAtWork: (stage, context) => isAtWork(settings, 'source', purposesOf[stage], context),

    openSnapshot: (context) => openSnapshot(settings, options, context),

    tableStates: (relationIds, context) =>
      use(context, 'Could not read the catalog of the source', (client) => readStates(client, relationIds)),

    typeNames: (types, context) =>
      use(context, 'Could not read the catalog of the source', (client) => readTypeNames(client, types)),

    readColumns: (request, context) => readColumns(settings, request, context),

    emitMessage: (prefix, content, context) =>
      use(context, 'Could not write a message into the WAL of the source', async (client) => {
        const { rows } = await client.query<{ readonly lsn: string }>(
          'SELECT pg_logical_emit_message(true, $1, $2)::text AS lsn',
          [prefix, content],
        );
        return parseLsn(rows[0]!.lsn);
      }),

    tellAltered: (look, context) =>
      use(context, 'Could not look at the catalog of the source', (client) => tellAltered(client, look), {
        purpose: 'catalog',
      }),

    countBeyond: (table, bounds, limits, context) =>
      use(
        context,
        `Could not look at values of ${formatTableName(table)}`,
        (client) => countBeyond(client, table, bounds, limits.rows),
        { purpose: 'check', session: { statement_timeout: String(limits.ms), default_transaction_read_only: 'on' } },
      ),

    listTables: (request, context) =>
      use(context, 'Could not list the tables of the source', (client) => listTables(client, request), {
        purpose: 'list',
        lockTimeoutMs: LIST_LOCK_WAIT_MS,
        session: { default_transaction_read_only: 'on' },
      }),

    sampleRows: (shape, limits, context) => sampleRows(settings, shape, limits, context),

    probeValues: (types, context) => probeValues(settings, types, context),
  };
}
