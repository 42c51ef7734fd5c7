import type { JobEvent, JobSummary, JobView } from '#schemas/http/jobs.ts';
import { openStates } from '#schemas/http/operations.ts';
import type { AuditRecord } from '#services/control/audit.ts';
import type { Problem } from '#services/control/pair-records.ts';
import type { PairTableRecord } from '#services/control/pair-tables.ts';
import type { OperationRecord } from '#services/control/sync-operations.ts';
import { operationView, pairTableView } from '../views.ts';

/** @param trouble what holds the job's pair up at this moment */
export function jobSummary(operation: OperationRecord, trouble?: Problem): JobSummary {
  const { id, state, progress, ...view } = operationView(operation);
  const isOpen = openStates.includes(state);
  return {
    job_id: id,
    status: state,
    type: view.type,
    pair: view.pair,
    detection_strategy: strategyOf(operation),
    percent: state === 'completed' ? 100 : percentOf(progress),
    counts: view.counts,
    errors: [...(view.error ? [view.error] : []), ...(isOpen && trouble && !view.error ? [trouble] : [])],
    started_by: view.started_by,
    created_at: view.created_at,
    started_at: view.started_at,
    finished_at: view.finished_at,
  };
}

export function jobView(
  operation: OperationRecord,
  trouble: Problem | undefined,
  tables: readonly PairTableRecord[],
): JobView {
  return { ...jobSummary(operation, trouble), tables: tables.map(pairTableView) };
}

/** What the caller asked for, and what is done in any case. */
export function strategyOf({ parameters }: OperationRecord): JobSummary['detection_strategy'] {
  const asked = parameters['detection_strategy'];
  return { asked: typeof asked === 'string' ? asked : 'cdc', used: 'cdc' };
}

function percentOf(progress: Readonly<Record<string, unknown>>): number | null {
  const { rows_copied: done, rows_total: total } = progress;
  if (typeof done !== 'number' || typeof total !== 'number' || total <= 0) return null;
  // The total is an estimate: all is done only once the job says so.
  return Math.min(99, Math.floor((done / total) * 100));
}

export function jobEvent({ at, actor, action, outcome, after }: AuditRecord): JobEvent {
  return { at: at.toISOString(), actor, action, outcome, details: after ?? null };
}
