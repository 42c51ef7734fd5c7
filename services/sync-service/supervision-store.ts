import { loadConnector } from '#connectors/registry.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { LAST_ORDINAL, parsePosition } from '#schemas/position.ts';
import type { PairState } from '#schemas/pairs.ts';
import { causeOf } from '#services/control/causes.ts';
import type { Control } from '#services/control/control.ts';
import { lockSource } from '#services/control/source-lock.ts';
import { surroundingsOf } from '#services/pair-check/place.ts';
import type { SourceStatusRecord } from '#services/control/source-status.ts';
import type { ControlPort, SourceStatus } from './ports.ts';

/** {@link ControlPort} on the control database. */
export function supervisionStore(control: Control): ControlPort {
  const {
    database,
    operations,
    pairs,
    runs,
    tables,
    schemas,
    tableSyncs,
    progress,
    deadLetters,
    schemaChanges,
    generations,
    sourceStatuses,
    sourceSlots,
    systems,
    audit,
  } = control;
  /** Changes applied since each pair was made; who tells of a pair is one process at a time. */
  const totals = new Map<string, number>();
  return {
    async openSource(systemId) {
      const { connector, settings } = await systems.connectionOf(systemId);
      const { source } = await loadConnector(connector).then((each) => ({
        source: each.source?.(each.settings.parse(settings)),
      }));
      if (!source) throw new TerraFusionError('PAIR_INVALID', `Connector "${connector}" cannot be a source`);
      return source;
    },
    async openTarget(systemId) {
      const { connector, settings } = await systems.connectionOf(systemId);
      const { target } = await loadConnector(connector).then((each) => ({
        target: each.target?.(each.settings.parse(settings)),
      }));
      if (!target) throw new TerraFusionError('PAIR_INVALID', `Connector "${connector}" cannot be a target`);
      return target;
    },
    installation: () => generations.installation(),
    causeOf: (pairId) => causeOf(database, pairId),
    pairs: () => pairs.all(),
    generation: (sourceId) => generations.latest(sourceId),
    recordGeneration: (sourceId, generation) => generations.record(sourceId, generation),
    forgetGenerations: async (sourceId) => {
      await generations.forget(sourceId);
      await sourceSlots.forget(sourceId);
    },
    recordSourceStatus: (sourceId, status) => sourceStatuses.record(sourceId, statusRecord(status)),
    recordState: (pair, state, error) => recordState(control, pair, state, error),
    stoppingPairs: () => operations.stoppingPairs(),
    stopped: (pairId) => operations.stopped(pairId),
    readerTrouble: async (sourceId) => (await sourceStatuses.of(sourceId))?.error,
    slotReading: async (sourceId) => (await sourceSlots.of(sourceId))?.reading,
    recordSlot: (sourceId, reading) => sourceSlots.record(sourceId, reading),
    walPolicy: (sourceId) => sourceSlots.policyOf(sourceId),
    giveUpGeneration: (sourceId, generation, reason) => generations.giveUp(sourceId, generation, reason),
    auditSource: (action, sourceId, details) =>
      audit.append({
        actor: 'sync-service',
        action,
        entityKind: 'system',
        entityId: sourceId,
        outcome: 'success',
        after: details,
      }),
    recordLoad: (pairId, load) => runs.recordLoad(pairId, load),
    recordChecked: (pairId, checked) => runs.recordChecked(pairId, checked),
    surroundings: async ({ id, sourceId, targetId }) => {
      const connection = async (systemId: string) => {
        const { connector, settings } = await systems.connectionOf(systemId);
        return { connector: await loadConnector(connector), settings };
      };
      return surroundingsOf(control, await connection(sourceId), await connection(targetId), id);
    },
    recordTables: (pairId, list) => tables.record(pairId, list),
    storeDeadLetters: async (pairId, letters) => {
      await deadLetters.store(pairId, letters);
    },
    neededOffsets: (sourceId) => progress.neededOffsets(sourceId),
    recordSchema: (pairId, phase, report) => schemas.record(pairId, phase, report),
    schemaPending: async (pairId) => (await schemas.find(pairId))?.complete === false,
    recordNeeded: (pairId, nextOffset) => progress.recordNeeded(pairId, nextOffset),
    noteSchemaChange: (pairId, change, allowed) => schemaChanges.note(pairId, change, allowed),
    settleSchemaChanges: (pairId, position) => schemaChanges.settle(pairId, position),
    recordResting: (pairId, until) => operations.recordResting(pairId, until),
    forgetChunkLetters: (pairId, relationId, first, end) => deadLetters.forgetChunk(pairId, relationId, first, end),
    recordRemovalError: (pairId, error) => runs.recordRemovalError(pairId, error),
    forgetLoadLetters: (pairId, list) => deadLetters.forgetLoad(pairId, list),
    setTables: (pairId, state, list, error) => tables.setState(pairId, state, list, error),
    noteStreaming: (pairId) => tables.streaming(pairId),
    recordMembers: (pairId, members) => runs.recordMembers(pairId, members),
    recordPublished: (pairId, version) => runs.recordPublished(pairId, version),
    recordProcessor: (pairId, version, position) => progress.recordProcessor(pairId, version, position),
    processorOf: (pairId) => progress.processorOf(pairId),
    recordSync: (pairId, number, change) => tableSyncs.record(pairId, number, change),
    releaseSynced: (pairId, list) => tableSyncs.release(pairId, list),
    recordSyncError: (pairId, number, error) => tableSyncs.recordError(pairId, number, error),
    giveUpSync: async (pairId, number, error) => {
      await tableSyncs.requestCancel({ pairId, number }, error);
    },
    finishSync: (pairId, number, state, operation, error) => tableSyncs.finish(pairId, number, state, operation, error),
    purge: (pairId) => pairs.purge(pairId),
    audit: (action, pairId, details) =>
      audit.append({
        actor: 'sync-service',
        action,
        entityKind: 'sync_pair',
        entityId: pairId,
        outcome: 'success',
        after: details,
      }),

    async recordProgress(pairId, { changes, commitLsn, ...each }) {
      const before = totals.get(pairId) ?? (await pairs.find(pairId))?.progress?.changesApplied ?? 0;
      const changesApplied = before + (changes ? changes.inserted + changes.updated + changes.deleted : 0);
      const reached = { ...each, commitLsn: formatLsn(commitLsn), changesApplied };
      const { ordinal } = parsePosition(each.position);
      const ends = ordinal === LAST_ORDINAL && (await operations.reaches(pairId, commitLsn));
      const counts = changes && changesApplied > before;
      if (ends || counts) {
        // In one: told again after a failure, nothing is counted twice, and what an operation has brought is counted when it ends.
        await control.transaction(async (transaction) => {
          // The pair first, as everybody does who takes more than one of these.
          if (ends && !(await transaction.pairs.hold(pairId))) return;
          if (counts) await transaction.operations.addChanges(pairId, changes);
          if (ends) await transaction.operations.completeUpTo(pairId, commitLsn);
          if (counts) await transaction.tables.addChanges(pairId, changes.tables);
          await transaction.progress.record(pairId, reached);
        });
      } else await progress.record(pairId, reached);
      totals.set(pairId, changesApplied);
    },

    lockedSource: (sourceId, work) => lockSource(database, sourceId, work),
  };
}

/** Once a pair streams, what its load has copied is consistent: then, and in one with that word, the load's operation is completed. */
async function recordState(
  control: Control,
  { id, runs }: Parameters<ControlPort['recordState']>[0],
  state: PairState,
  error: TerraFusionError | undefined,
): Promise<boolean> {
  if (state !== 'streaming') return control.runs.recordState(id, state, error, { runs });
  return control.transaction(async (transaction) => {
    if (!(await transaction.pairs.hold(id))) return false;
    const taken = await transaction.runs.recordState(id, state, error, { runs });
    if (taken) await transaction.operations.completeLoads(id);
    return taken;
  });
}

function statusRecord({ error, ...status }: SourceStatus): SourceStatusRecord {
  return {
    state: status.state,
    generation: status.generation,
    source_lsn: status.sourceLsn,
    received_lsn: status.receivedLsn,
    acknowledged_lsn: status.acknowledgedLsn,
    error: error && { code: error.code, message: error.message, fix: error.fix },
  };
}
