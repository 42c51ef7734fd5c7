import type { ErrorCode } from '#schemas/errors.ts';
import { errorCode, type CheckView } from '#schemas/http/common.ts';
import type { z } from 'zod';
import type { AuditSummaryView, auditVerdict, AuditView } from '#schemas/http/audit.ts';
import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import type { KeyView } from '#schemas/http/keys.ts';
import type { OperationView } from '#schemas/http/operations.ts';
import type { PairSummary, PairTableView, PairView, SlotView } from '#schemas/http/pairs.ts';
import type { PairSchemaView } from '#schemas/http/pair-schema.ts';
import type { SchemaChangeView } from '#schemas/http/schema-changes.ts';
import type { SystemView } from '#schemas/http/systems.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { Check } from '#connectors/contract/check.ts';
import type { ApiKeyRecord } from '#services/control/api-keys.ts';
import type { AuditRecord, AuditSummary, AuditVerdict } from '#services/control/audit.ts';
import type { DeadLetterRecord } from '#services/control/dead-letters.ts';
import type { Page } from '#services/control/pages.ts';
import { checkView } from '#services/pair-check/report.ts';
import { maskText } from '#services/kernel/masking.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import type { PairSchemaRecord } from '#services/control/pair-schemas.ts';
import type { PairTableRecord } from '#services/control/pair-tables.ts';
import type { SchemaChangeRecord } from '#services/control/schema-changes.ts';
import type { Generation } from '#services/control/source-generations.ts';
import type { SlotSeen } from '#services/control/source-slots.ts';
import type { OperationRecord } from '#services/control/sync-operations.ts';
import type { SystemRecord } from '#services/control/systems.ts';

/** Progress that nobody has told for this long, in ms, says nothing about the lag of now. */
export const STALE_AFTER = 15_000;

const iso = (date: Date | undefined): string | null => date?.toISOString() ?? null;

export function pageView<R, V>(
  { items, nextCursor }: Page<R>,
  view: (record: R) => V,
): { items: V[]; next_cursor: string | null } {
  return { items: items.map(view), next_cursor: nextCursor ?? null };
}

export function systemView(system: SystemRecord): SystemView {
  return {
    id: system.id,
    name: system.name,
    kind: system.kind,
    environment: system.environment,
    connector: system.connector,
    connection: system.connection,
    wal_budget_bytes: system.walBudgetBytes ?? null,
    on_wal_budget: system.onWalBudget,
    last_check: { source: system.lastChecks.source ?? null, target: system.lastChecks.target ?? null },
    created_at: system.createdAt.toISOString(),
    updated_at: system.updatedAt.toISOString(),
  };
}

/** @param now ms since 1970 */
export function pairSummary(pair: PairOverview, now: number): PairSummary {
  const { progress, error } = pair;
  // A pair that should run and of which nothing is heard may lag by anything: rather no figure than an old one. (Promise 9)
  const stale = isStale(pair, now);
  const unheard =
    stale || (pair.desired === 'running' && progress !== undefined && now - progress.updatedAt.getTime() > STALE_AFTER);
  return {
    id: pair.id,
    name: pair.name,
    source: pair.source,
    target: pair.target,
    version: pair.definition.version,
    desired: pair.desired,
    state: pair.state,
    position: progress?.position ?? null,
    lag_bytes: unheard ? null : (progress?.lagBytes ?? null),
    lag_seconds: unheard ? null : (progress?.lagSeconds ?? null),
    changes_applied: progress?.changesApplied ?? 0,
    dead_letters: pair.deadLetters,
    error: error ?? null,
    stale,
    warning: pair.slotProblem ?? null,
    created_at: pair.createdAt.toISOString(),
    updated_at: pair.updatedAt.toISOString(),
  };
}

/** Longest wait of work that was interrupted, and a look's time, in ms: until then its error is a word about now. */
const INTERRUPTED_WAIT = 45_000;

/**
 * Whether the pair should run and nobody works on it: after a restart, or with the sync-service down, its state is that of before.
 * (Promise 9) Work holds a lease, which outlives a killed process by seconds.
 */
function isStale({ desired, state, error, isWorkedOn, updatedAt }: PairOverview, now: number): boolean {
  if (desired !== 'running' || isWorkedOn || !['loading', 'catching_up', 'streaming'].includes(state)) return false;
  return error === undefined || now - updatedAt.getTime() > INTERRUPTED_WAIT;
}

export function pairView(
  pair: PairOverview,
  now: number,
  parts: {
    readonly generation: Generation | undefined;
    readonly slot: SlotSeen | undefined;
    readonly tables: readonly PairTableRecord[];
    readonly schemaChange: SchemaChangeRecord | undefined;
  },
): PairView {
  const { tables, config } = pair.definition;
  return {
    ...pairSummary(pair, now),
    slot: slotView(parts.generation, parts.slot),
    schema_change: parts.schemaChange ? schemaChangeView(parts.schemaChange) : null,
    tables: parts.tables.map(pairTableView),
    warnings: [...(pair.checked?.warnings ?? [])],
    definition: { tables: tables === undefined ? null : tables.map((table) => ({ ...table })), config: { ...config } },
  };
}

function slotView(generation: Generation | undefined, slot: SlotSeen | undefined): SlotView | null {
  if (!generation) return null;
  const { stream } = generation;
  const seen = slot?.reading.name === stream.slot ? slot.reading : undefined;
  return {
    name: stream.slot,
    generation: generation.generation,
    state: seen?.state ?? null,
    active: seen?.active ?? null,
    confirmed_lsn: seen ? seen.confirmed_lsn : formatLsn(stream.consistentPoint),
    restart_lsn: seen?.restart_lsn ?? null,
    retained_bytes: seen?.retained_bytes ?? null,
    safe_bytes: seen?.safe_bytes ?? null,
    budget_bytes: seen?.budget_bytes ?? null,
    bytes_per_second: seen?.bytes_per_second ?? null,
    seconds_left: seen?.seconds_left ?? null,
    level: seen?.level ?? null,
    problem: seen?.problem ?? null,
    invalidation_reason: seen?.invalidation_reason ?? null,
    conflicting: seen?.conflicting ?? null,
    inactive_since: seen?.inactive_since ?? null,
    failover: seen?.failover ?? null,
    looked_at: seen ? iso(slot!.lookedAt) : null,
  };
}

export function pairTableView(table: PairTableRecord): PairTableView {
  return {
    source: formatTableName(table.source),
    target: formatTableName(table.target),
    state: table.state,
    rows_copied: table.rowsCopied,
    rows_total: table.rowsTotal ?? null,
    bytes_copied: table.bytesCopied,
    rows_per_second: table.rowsPerSecond ?? null,
    seconds_left: table.secondsLeft ?? null,
    changes_applied: table.changesApplied,
    last_change_at: iso(table.lastChangeAt),
    schema_version: table.schemaVersion,
    error: table.error ?? null,
  };
}

export function schemaChangeView(change: SchemaChangeRecord): SchemaChangeView {
  return {
    id: change.id,
    position: change.position,
    state: change.state,
    steps: change.steps.map(({ kind, what, sql }) => ({ kind, what, sql: [...sql] })),
    created_at: change.createdAt.toISOString(),
    decided_by: change.decidedBy ?? null,
    decided_at: iso(change.decidedAt),
    applied_at: iso(change.appliedAt),
  };
}

/** Nothing yet, before the first load has looked at the target. */
export function pairSchema(schema: PairSchemaRecord | undefined): PairSchemaView {
  return {
    complete: schema?.complete ?? false,
    made: [...(schema?.made ?? [])],
    found: [...(schema?.found ?? [])],
    skipped: (schema?.skipped ?? []).map((gap) => ({ ...gap, reason: maskText(gap.reason) })),
    updated_at: iso(schema?.updatedAt),
  };
}

export function operationView(operation: OperationRecord): OperationView {
  return {
    id: operation.id,
    pair: operation.pair,
    type: operation.type,
    state: operation.state,
    started_by: operation.requestedBy,
    progress: operation.progress,
    counts: operation.counts,
    error: operation.error ?? null,
    created_at: operation.createdAt.toISOString(),
    started_at: iso(operation.startedAt),
    finished_at: iso(operation.finishedAt),
  };
}

/** A letter of another version may carry a code that this one does not know. */
export const errorCodeOf = (code: string): ErrorCode => errorCode.safeParse(code).data ?? 'INTERNAL';

export function deadLetterView(letter: DeadLetterRecord): DeadLetterView {
  return {
    id: letter.id,
    pair: letter.pair,
    position: letter.position,
    stage: letter.stage,
    source_table: formatTableName(letter.source_table),
    target_table: formatTableName(letter.target_table),
    op: letter.op,
    rule: letter.rule ?? null,
    code: errorCodeOf(letter.code),
    reason: letter.reason,
    sqlstate: letter.sqlstate ?? null,
    row: letter.row,
    before: letter.before ?? null,
    state: letter.state,
    created_at: letter.createdAt.toISOString(),
    resolved_at: iso(letter.resolvedAt),
    resolved_by: letter.resolvedBy ?? null,
  };
}

export function keyView(key: ApiKeyRecord): KeyView {
  return {
    id: key.id,
    name: key.name,
    role: key.role,
    created_at: key.createdAt.toISOString(),
    created_by: key.createdBy ?? null,
    expires_at: iso(key.expiresAt),
    last_used_at: iso(key.lastUsedAt),
    revoked_at: iso(key.revokedAt),
    rotated_at: iso(key.rotatedAt),
    systems: key.systems ? key.systems.map(({ id, name }) => ({ id, name })) : null,
  };
}

export function auditView(entry: AuditRecord): AuditView {
  return {
    seq: entry.seq,
    at: entry.at.toISOString(),
    actor: entry.actor,
    action: entry.action,
    entity: entry.entityKind ?? null,
    entity_id: entry.entityId ?? null,
    outcome: entry.outcome,
    request_id: entry.requestId ?? null,
    before: entry.before,
    after: entry.after,
    hash: entry.hash,
  };
}

export function auditSummaryView(summary: AuditSummary): AuditSummaryView {
  return {
    entries: summary.entries,
    first_at: iso(summary.firstAt),
    last_at: iso(summary.lastAt),
    by_action: [...summary.actions],
    by_actor: [...summary.actors],
    by_outcome: [...summary.outcomes],
    by_day: summary.days.map(({ value: day, count, failures }) => ({ day, count, failures })),
  };
}

export function auditVerdictView(verdict: AuditVerdict): z.output<typeof auditVerdict> {
  const { ok, entries, brokenAt, reason, head, checkpoint } = verdict;
  return {
    ok,
    entries,
    broken_at: brokenAt?.toString() ?? null,
    reason: reason ?? null,
    head: head ? { seq: head.id.toString(), hash: head.hash.toString('hex') } : null,
    removed:
      checkpoint?.signature === 'good'
        ? {
            through: checkpoint.through.toString(),
            through_at: checkpoint.throughAt,
            entries: checkpoint.removed,
            checkpoint: checkpoint.id.toString(),
          }
        : null,
  };
}

export function checkViews(checks: readonly Check[]): CheckView[] {
  return checks.map(checkView);
}
