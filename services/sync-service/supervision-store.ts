import { loadConnector } from '#connectors/registry.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { LAST_ORDINAL, parsePosition } from '#schemas/position.ts';
import { causeOf } from '#services/control/causes.ts';
import type { Control } from '#services/control/control.ts';
import { addTable, noteHeldTables, noteRefusedTable } from '#services/control/pair-members.ts';
import { lockSource } from '#services/control/source-lock.ts';
import { surroundingsOf } from '#services/pair-check/place.ts';
import type { SourceStatusRecord } from '#services/control/source-status.ts';
import type { ControlPort, SourceStatus } from './ports.ts';
import { audited, recordSourceStatus, tellEnded } from './trail.ts';

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
    sourceCatalogs,
    sourceSlots,
    systems,
  } = control;
  /** Changes applied since each pair was made; who tells of a pair is one process at a time. */
  const totals = new Map<string, number>();
  /** What keeps each source from being read, as this process has told it last. */
  const troubles = new Map<string, string | undefined>();
  return {
    ...audited(control, Date.now),

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
    forgetGenerations: async (sourceId) => {
      await generations.forget(sourceId);
      await sourceSlots.forget(sourceId);
      await sourceCatalogs.forget(sourceId);
    },
    recordSourceStatus: async (sourceId, status) => {
      const known = troubles.has(sourceId) ? troubles.get(sourceId) : null;
      troubles.set(sourceId, await recordSourceStatus(control, sourceId, statusRecord(status), known));
    },
    stoppingPairs: () => operations.stoppingPairs(),
    readerTrouble: async (sourceId) => (await sourceStatuses.of(sourceId))?.error,
    slotReading: async (sourceId) => (await sourceSlots.of(sourceId))?.reading,
    knownCatalog: (sourceId) => sourceCatalogs.of(sourceId),
    recordCatalog: (sourceId, known) => sourceCatalogs.record(sourceId, known),
    walPolicy: (sourceId) => sourceSlots.policyOf(sourceId),
    recordChecked: (pairId, checked) => runs.recordChecked(pairId, checked),
    surroundings: async ({ id, sourceId, targetId }) => {
      const connection = async (systemId: string) => {
        const { connector, settings } = await systems.connectionOf(systemId);
        return { connector: await loadConnector(connector), settings };
      };
      return surroundingsOf(control, await connection(sourceId), await connection(targetId), id);
    },
    endTrouble: ({ id, runs: seen }, under) => runs.endTrouble(id, { runs: seen, under }),
    stateOf: (pairId) => runs.stateOf(pairId),
    recordTables: (pairId, list) => tables.record(pairId, list),
    neededOffsets: (sourceId) => progress.neededOffsets(sourceId),
    recordSchema: (pairId, phase, report) => schemas.record(pairId, phase, report),
    schemaPending: async (pairId) => (await schemas.find(pairId))?.complete === false,
    reopenSchema: (pairId) => schemas.reopen(pairId),
    addTable: async (pairId, source, held) =>
      (await control.transaction((all) => addTable(all, pairId, source, held, 'sync-service'))) !== undefined,
    noteRefusedTable: (pairId, source, error) =>
      control.transaction((all) => noteRefusedTable(all, pairId, source, error)),
    noteHeldTables: async (pairId, readHeld) => {
      await control.transaction((all) => noteHeldTables(all, pairId, readHeld));
    },
    recordNeeded: (pairId, nextOffset) => progress.recordNeeded(pairId, nextOffset),
    noteSchemaChange: (pairId, change, allowed) => schemaChanges.note(pairId, change, allowed),
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
          const open = ends ? await transaction.operations.openOf(pairId) : [];
          if (ends) await transaction.operations.completeUpTo(pairId, commitLsn);
          if (counts) await transaction.tables.addChanges(pairId, changes.tables);
          await transaction.progress.record(pairId, reached);
          // Last: it takes the trail's lock.
          const level = ends ? await transaction.runs.auditLevel(pairId) : undefined;
          for (const ended of await transaction.operations.endedOf(open)) await tellEnded(transaction, ended, level);
        });
      } else await progress.record(pairId, reached);
      totals.set(pairId, changesApplied);
    },

    lockedSource: (sourceId, work) => lockSource(database, sourceId, work),
  };
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
