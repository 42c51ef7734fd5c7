import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Target, TargetMonitor } from '#connectors/contract/target.ts';
import { connect, endClient, SHORT_ANSWER_MS, withClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import { makeSchema } from '../schema/create.ts';
import { advanceSequences } from '../schema/sequences.ts';
import type { PostgresSettings } from '../settings.ts';
import { Patience } from '../silence.ts';
import { isAtWork } from '../at-work.ts';
import { ensureBookkeeping, forgetApplied, readApplied } from './bookkeeping.ts';
import { checkTarget } from './check.ts';
import { createTables } from './create-tables.ts';
import { describeTables } from './describe.ts';
import { connected, divide, join, takeBack } from './division.ts';
import { alterLoaded } from './evolution/altered-load.ts';
import { readHeldTables, replaceHeldTables } from './evolution/held-tables.ts';
import { openTargetLoad } from './load.ts';
import { probeTarget } from './probe.ts';
import type { TargetOptions } from './session.ts';
import { upsertBlock } from './upsert.ts';
import { openTargetWriter } from './writer.ts';

/** A PostgreSQL database as a target, by SQL. */
export function postgresTarget(settings: PostgresSettings, given: TargetOptions = {}): Target {
  const options: TargetOptions = { patience: new Patience(), ...given };
  return {
    takesBinary: true,

    check: (tables, context) => checkTarget(settings, tables, context),

    createTables: (tables, context) =>
      withClient(
        settings,
        context,
        { role: 'target', purpose: 'setup', what: 'Could not create tables at the target', lockTimeoutMs: 30_000 },
        (client) => createTables(client, tables),
      ),

    createSchema: (model, phase, context) =>
      withClient(
        settings,
        context,
        { role: 'target', purpose: 'setup', what: 'Could not create the schema at the target', lockTimeoutMs: 30_000 },
        (client) => makeSchema(client, model, phase),
      ),

    advanceSequences: (sequences, context) =>
      withClient(
        settings,
        context,
        { role: 'target', purpose: 'setup', what: 'Could not advance sequences at the target', lockTimeoutMs: 30_000 },
        (client) => advanceSequences(client, sequences),
      ),

    describe: (tables, context) =>
      withClient(
        settings,
        context,
        { role: 'target', purpose: 'setup', what: "Could not read the target's catalog" },
        (client) => describeTables(client, tables),
      ),

    applied: (pairId, context) =>
      withClient(
        settings,
        context,
        { ...status, what: `Could not read the position of pair ${pairId} at the target` },
        (client) => readApplied(client, pairId),
      ),

    openMonitor: (context) => openMonitor(settings, context),

    isAtWork: (stage, pairId, context) =>
      isAtWork(settings, 'target', stage === 'writer' ? [`writer ${pairId}`] : [`loader ${pairId}`, 'setup'], context),

    openLoad: (request, context) => openTargetLoad(settings, request, context, options),

    openWriter: (pairId, context, steps = {}, readAgain) =>
      openTargetWriter(settings, pairId, context, options, steps, readAgain),

    holdTables: (pairId, tables, context) =>
      withClient(
        settings,
        context,
        { role: 'target', purpose: 'setup', what: `Could not note the tables of pair ${pairId} at the target` },
        async (client) => {
          await ensureBookkeeping(client);
          await replaceHeldTables(client, pairId, tables);
        },
      ),

    alterLoaded: (key, tables, context) =>
      withClient(
        settings,
        context,
        {
          role: 'target',
          purpose: 'setup',
          what: `Could not bring the tables of ${key} in line with the source's`,
          lockTimeoutMs: 30_000,
        },
        (client) => alterLoaded(client, key, tables),
      ),

    heldTables: (pairId, context) =>
      withClient(
        settings,
        context,
        { ...status, what: `Could not read the tables of pair ${pairId} at the target` },
        (client) => readHeldTables(client, pairId),
      ),

    upsert: (block, context) => upsertBlock(settings, block, context, options),

    forget: (pairId, context) =>
      withClient(
        settings,
        context,
        {
          role: 'target',
          purpose: 'setup',
          what: `Could not forget the position of pair ${pairId} at the target`,
          lockTimeoutMs: 30_000,
        },
        (client) => forgetApplied(client, pairId),
      ),

    probe: (columns, context) => probeTarget(settings, columns, context, options),
    divide: (pairId, request, context) =>
      withClient(
        settings,
        context,
        { ...dividing, what: `Could not let tables of pair ${pairId} leave its stream` },
        (client) => divide(client, pairId, request),
      ),

    join: (pairId, request, context) =>
      withClient(
        settings,
        context,
        { ...dividing, what: `Could not let tables of pair ${pairId} join its stream` },
        (client) => join(client, pairId, request),
      ),

    takeBack: (pairId, sync, context) =>
      withClient(
        settings,
        context,
        { ...dividing, what: `Could not give table sync ${sync} of pair ${pairId} its position` },
        (client) => takeBack(client, pairId, sync),
      ),

    connected: (tables, context) =>
      withClient(
        settings,
        context,
        { role: 'target', purpose: 'setup', what: "Could not read the target's foreign keys" },
        (client) => connected(client, tables),
      ),
  };
}

const status = { role: 'target', purpose: 'status', answerWithinMs: SHORT_ANSWER_MS } as const;
/** Longer than a batch takes: whoever divides waits for the one under way. */
const dividing = { role: 'target', purpose: 'setup', lockTimeoutMs: 60_000, answerWithinMs: 300_000 } as const;

async function openMonitor(settings: PostgresSettings, context: ConnectorContext): Promise<TargetMonitor> {
  const client = await connect(settings, context, status);
  return {
    async applied(pairId) {
      try {
        return await readApplied(client, pairId);
      } catch (cause) {
        throw translateError(cause, 'target', `Could not read the position of pair ${pairId} at the target`);
      }
    },
    async [Symbol.asyncDispose]() {
      await endClient(client);
    },
  };
}
