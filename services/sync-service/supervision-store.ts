import { loadConnector } from '#connectors/registry.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import type { Control } from '#services/control/control.ts';
import type { SourceStatusRecord } from '#services/control/source-status.ts';
import type { ControlPort, SourceStatus } from './ports.ts';

/** First part of the advisory locks' keys, so that they meet nobody else's. */
const SOURCE_LOCK = 0x74665372;

/** {@link ControlPort} on the control database. */
export function supervisionStore(control: Control): ControlPort {
  const {
    database,
    pairs,
    runs,
    tables,
    progress,
    deadLetters,
    schemaChanges,
    generations,
    sourceStatuses,
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
    pairs: () => pairs.all(),
    generation: (sourceId) => generations.latest(sourceId),
    recordGeneration: (sourceId, generation) => generations.record(sourceId, generation),
    forgetGenerations: (sourceId) => generations.forget(sourceId),
    recordSourceStatus: (sourceId, status) => sourceStatuses.record(sourceId, statusRecord(status)),
    recordState: (pair, state, error) => runs.recordState(pair.id, state, error, { runs: pair.runs }),
    recordLoad: (pairId, load) => runs.recordLoad(pairId, load),
    recordTables: (pairId, list) => tables.record(pairId, list),
    storeDeadLetters: async (pairId, letters) => {
      await deadLetters.store(pairId, letters);
    },
    neededOffsets: (sourceId) => progress.neededOffsets(sourceId),
    recordNeeded: (pairId, nextOffset) => progress.recordNeeded(pairId, nextOffset),
    noteSchemaChange: (pairId, change, allowed) => schemaChanges.note(pairId, change, allowed),
    settleSchemaChanges: (pairId, position) => schemaChanges.settle(pairId, position),
    forgetLoadLetters: (pairId) => deadLetters.forgetLoad(pairId),
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
      // Told again after a failure, nothing is counted twice.
      if (changes && changesApplied > before) {
        await control.transaction(async (transaction) => {
          await transaction.tables.addChanges(pairId, changes.tables);
          await transaction.progress.record(pairId, reached);
        });
      } else await progress.record(pairId, reached);
      totals.set(pairId, changesApplied);
    },

    async lockedSource(sourceId, work) {
      return database.session(async (session) => {
        await session.query('SELECT pg_advisory_lock($1, hashtext($2))', [SOURCE_LOCK, sourceId]);
        try {
          return await work();
        } finally {
          await session.query('SELECT pg_advisory_unlock($1, hashtext($2))', [SOURCE_LOCK, sourceId]);
        }
      });
    },
  };
}

function statusRecord({ slot, error, ...status }: SourceStatus): SourceStatusRecord {
  return {
    state: status.state,
    generation: status.generation,
    source_lsn: status.sourceLsn,
    received_lsn: status.receivedLsn,
    acknowledged_lsn: status.acknowledgedLsn,
    slot: slot && {
      name: slot.name,
      state: slot.state,
      active: slot.active,
      confirmed_lsn: slot.confirmed === undefined ? null : formatLsn(slot.confirmed),
      retained_bytes: slot.retainedBytes ?? null,
      safe_bytes: slot.safeBytes ?? null,
    },
    error: error && { code: error.code, message: error.message, fix: error.fix },
  };
}
