import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { formatLsn } from '#schemas/lsn.ts';
import type { AuditTrail } from '#services/control/audit.ts';
import { DeadLetters } from '#services/control/dead-letters.ts';
import { PairRuns } from '#services/control/pair-runs.ts';
import { PairTables } from '#services/control/pair-tables.ts';
import { Progress } from '#services/control/progress.ts';
import { SourceGenerations } from '#services/control/source-generations.ts';
import { SourceStatuses, type SourceStatusRecord } from '#services/control/source-status.ts';
import { SyncPairs } from '#services/control/sync-pairs.ts';
import type { Database } from '#services/kernel/database/index.ts';
import type { ControlPort, SourceStatus } from './ports.ts';

/** What the store needs from elsewhere. */
export interface StoreParts {
  readonly database: Database;
  readonly audit: AuditTrail;
  openSource(systemId: string): Promise<Source>;
  openTarget(systemId: string): Promise<Target>;
}

/** First part of the advisory locks' keys, so that they meet nobody else's. */
const SOURCE_LOCK = 0x74665372;

/** {@link ControlPort} on the control database. */
export function supervisionStore(parts: StoreParts): ControlPort {
  const { database } = parts;
  const pairs = new SyncPairs(database);
  const runs = new PairRuns(database);
  const tables = new PairTables(database);
  const progress = new Progress(database);
  const deadLetters = new DeadLetters(database);
  const generations = new SourceGenerations(database);
  const statuses = new SourceStatuses(database);
  /** Changes applied since each pair was made; who tells of a pair is one process at a time. */
  const totals = new Map<string, number>();
  return {
    openSource: (id) => parts.openSource(id),
    openTarget: (id) => parts.openTarget(id),
    pairs: () => pairs.all(),
    generation: (sourceId) => generations.latest(sourceId),
    recordGeneration: (sourceId, generation) => generations.record(sourceId, generation),
    forgetGenerations: (sourceId) => generations.forget(sourceId),
    recordSourceStatus: (sourceId, status) => statuses.record(sourceId, statusRecord(status)),
    recordState: (pair, state, error) => runs.recordState(pair.id, state, error, { runs: pair.runs }),
    recordLoad: (pairId, load) => runs.recordLoad(pairId, load),
    recordTables: (pairId, list) => tables.record(pairId, list),
    storeDeadLetters: async (pairId, letters) => void (await deadLetters.store(pairId, letters)),
    purge: (pairId) => pairs.purge(pairId),
    audit: (action, pairId, details) =>
      parts.audit.append({
        actor: 'sync-service',
        action,
        entityKind: 'sync_pair',
        entityId: pairId,
        outcome: 'success',
        after: details,
      }),

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

    neededOffsets: (sourceId) => progress.neededOffsets(sourceId),

    async recordProgress(pairId, { changesApplied, commitLsn, ...each }) {
      let total = totals.get(pairId);
      total ??= (await pairs.find(pairId))?.progress?.changesApplied ?? 0;
      total += changesApplied;
      await progress.record(pairId, { ...each, commitLsn: formatLsn(commitLsn), changesApplied: total });
      totals.set(pairId, total);
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
