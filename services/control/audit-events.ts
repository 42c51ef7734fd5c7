import type { PairConfig } from '#schemas/pairs.ts';

export type AuditLevel = PairConfig['audit_level'];

/** Of a pair or a system; of the processes; or of what they do by themselves. */
export type AuditedEntity = 'sync_pair' | 'sync_operation' | 'system' | 'component' | 'self_healing';

interface EventKind {
  readonly entity: AuditedEntity;
  readonly outcome: 'success' | 'failure';
  /** The least `audit_level` of the pair that keeps it. */
  readonly level: AuditLevel;
}

/**
 * What the pipeline writes into the trail by itself, and from which `audit_level` of the pair on. What people ask for is not in this
 * table: every mutation is kept whole, at every level. Events of sources and processes, and what heals by itself, belong to no pair: they are kept always.
 */
export const auditEvents = {
  'pair.started': { entity: 'sync_pair', outcome: 'success', level: 'standard' },
  'pair.checked': { entity: 'sync_pair', outcome: 'success', level: 'standard' },
  'pair.loaded': { entity: 'sync_pair', outcome: 'success', level: 'minimal' },
  'pair.streaming': { entity: 'sync_pair', outcome: 'success', level: 'detailed' },
  'pair.paused': { entity: 'sync_pair', outcome: 'success', level: 'standard' },
  'pair.interrupted': { entity: 'sync_pair', outcome: 'failure', level: 'standard' },
  'pair.halted': { entity: 'sync_pair', outcome: 'failure', level: 'minimal' },
  'pair.recovered': { entity: 'sync_pair', outcome: 'success', level: 'minimal' },
  'pair.dead_letters': { entity: 'sync_pair', outcome: 'failure', level: 'standard' },
  'pair.schema_changed': { entity: 'sync_pair', outcome: 'success', level: 'minimal' },
  'pair.new_table': { entity: 'sync_pair', outcome: 'success', level: 'standard' },
  'pair.tables_joined': { entity: 'sync_pair', outcome: 'success', level: 'standard' },
  'pair.tables_left_out': { entity: 'sync_pair', outcome: 'failure', level: 'minimal' },
  'pair.table_sync_failed': { entity: 'sync_pair', outcome: 'failure', level: 'minimal' },
  'pair.removed': { entity: 'sync_pair', outcome: 'success', level: 'minimal' },
  'sync_operation.completed': { entity: 'sync_operation', outcome: 'success', level: 'standard' },
  'sync_operation.stopped': { entity: 'sync_operation', outcome: 'success', level: 'standard' },
  'sync_operation.cancelled': { entity: 'sync_operation', outcome: 'success', level: 'standard' },
  'sync_operation.failed': { entity: 'sync_operation', outcome: 'failure', level: 'minimal' },
  'source.interrupted': { entity: 'system', outcome: 'failure', level: 'minimal' },
  'source.recovered': { entity: 'system', outcome: 'success', level: 'minimal' },
  'source.failed_over': { entity: 'system', outcome: 'success', level: 'minimal' },
  'source.wal_budget': { entity: 'system', outcome: 'failure', level: 'minimal' },
  'source.wal_within_budget': { entity: 'system', outcome: 'success', level: 'minimal' },
  'slot.given_up': { entity: 'system', outcome: 'failure', level: 'minimal' },
  'component.started': { entity: 'component', outcome: 'success', level: 'minimal' },
  'component.stopped': { entity: 'component', outcome: 'success', level: 'minimal' },
  'sync_service.restart': { entity: 'component', outcome: 'failure', level: 'minimal' },
  'self_healing.done': { entity: 'self_healing', outcome: 'success', level: 'minimal' },
} as const satisfies Readonly<Record<string, EventKind>>;

export type AuditEventName = keyof typeof auditEvents;

const levels: readonly AuditLevel[] = ['minimal', 'standard', 'detailed'];

/** Whether a pair of this level keeps the event. A level that cannot be read keeps as much as the usual one. */
export function keeps(level: string | undefined, event: AuditEventName): boolean {
  const wanted = levels.indexOf(auditEvents[event].level);
  const given = levels.indexOf(level as AuditLevel);
  return (given < 0 ? levels.indexOf('standard') : given) >= wanted;
}
