import type { DeadLetter } from '#schemas/dead-letters.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { AuditEventName } from '#services/control/audit-events.ts';
import type { Control, Repositories } from '#services/control/control.ts';
import type { SourceStatusRecord } from '#services/control/source-status.ts';
import type { OperationRecord } from '#services/control/sync-operations.ts';
import { stateEvents } from './pair-events.ts';
import type { ControlPort } from './ports.ts';

/** New letters after this long without any are told as a beginning, in ms. */
const LETTERS_QUIET = 10 * 60_000;

type Audited = Pick<
  ControlPort,
  | 'recordState'
  | 'recordLoad'
  | 'recordSlot'
  | 'recordGeneration'
  | 'giveUpGeneration'
  | 'settleSchemaChanges'
  | 'finishSync'
  | 'stopped'
  | 'storeDeadLetters'
  | 'purge'
  | 'audit'
>;

/**
 * What the control database is told, each with what it means for the audit trail, in one transaction: an event is there exactly when what
 * it tells of is, once, however often a process is killed and says it again. (Promise 9)
 */
export function audited(control: Control, now: () => number): Audited {
  const lastLetters = new Map<string, number>();
  return {
    recordState: ({ id, runs }, state, error, under) =>
      control.transaction(async (transaction) => {
        const before = await transaction.runs.hold(id);
        if (!before) return false;
        return withEnded(transaction, id, before.auditLevel, async () => {
          if (!(await transaction.runs.recordState(id, state, error, { runs, under })))
            return { result: false, events: [] };
          // Once a pair streams, what its load has copied is consistent: then, and in one with that word, its operation is completed.
          if (state === 'streaming') await transaction.operations.completeLoads(id);
          const { events, trouble } = stateEvents(before, state, error, new Date(now()).toISOString());
          if (trouble?.code !== before.trouble?.code) await transaction.runs.setTrouble(id, trouble);
          return { result: true, events };
        });
      }),

    recordLoad: (id, load) =>
      control.transaction(async (transaction) => {
        const before = await transaction.runs.hold(id);
        if (!before || !(await transaction.runs.recordLoad(id, load))) return false;
        const isNew = before.load.number !== load.number || before.load.state !== 'done';
        if (load.state === 'done' && isNew) {
          const details = { load: load.number, position: load.startPosition ?? null };
          await transaction.audit.event({
            ...{ name: 'pair.loaded', entityId: id, details, level: before.auditLevel },
            distinct: String(load.number),
          });
        }
        return true;
      }),

    recordSlot: async (sourceId, reading) => {
      // As a rule nothing has changed: looked at without a transaction, every few seconds.
      const seen = (await control.sourceSlots.of(sourceId))?.reading.level;
      if ((seen ?? 'ok') === reading.level) {
        await control.sourceSlots.record(sourceId, reading);
        return;
      }
      await control.transaction(async ({ sourceSlots, audit }) => {
        const before = (await sourceSlots.holdLevel(sourceId)) ?? 'ok';
        await sourceSlots.record(sourceId, reading);
        if (before === reading.level) return;
        const { name, level, retained_bytes, budget_bytes, seconds_left, problem } = reading;
        await audit.event({
          name: level === 'ok' ? 'source.wal_within_budget' : 'source.wal_budget',
          entityId: sourceId,
          details: { slot: name, level, retained_bytes, budget_bytes, seconds_left, message: problem?.message ?? null },
          distinct: level,
        });
      });
    },

    recordGeneration: (sourceId, generation, failedOver = false) =>
      control.transaction(async ({ generations, audit }) => {
        await generations.record(sourceId, generation);
        const { slot, timeline } = generation.stream;
        if (!failedOver) return;
        await audit.event({ name: 'source.failed_over', entityId: sourceId, details: { slot, timeline } });
      }),

    giveUpGeneration: (sourceId, { generation, stream }, reason) =>
      control.transaction(async ({ generations, audit }) => {
        if (!(await generations.giveUp(sourceId, generation, reason))) return;
        const details = { slot: stream.slot, reason };
        await audit.event({ name: 'slot.given_up', entityId: sourceId, details, distinct: stream.slot });
      }),

    settleSchemaChanges: async (pairId, position) => {
      if (!(await control.schemaChanges.hasApproved(pairId))) return [];
      return control.transaction(async ({ schemaChanges, runs, audit }) => {
        const settled = await schemaChanges.settle(pairId, position);
        const level = await runs.auditLevel(pairId);
        for (const change of settled) {
          const { id, position: at, steps, decidedBy } = change;
          await audit.event({
            name: 'pair.schema_changed',
            entityId: pairId,
            details: { change: id, position: at, steps, decided_by: decidedBy },
            level,
            distinct: id,
          });
        }
        return settled;
      });
    },

    finishSync: (pairId, number, state, operation, error) =>
      control.transaction(async (transaction) => {
        const before = await transaction.runs.hold(pairId);
        await withEnded(transaction, pairId, before?.auditLevel, async () => {
          await transaction.tableSyncs.finish(pairId, number, state, operation, error);
          return { result: undefined, events: [] };
        });
      }),

    stopped: (pairId) =>
      control.transaction(async (transaction) => {
        const before = await transaction.runs.hold(pairId);
        await withEnded(transaction, pairId, before?.auditLevel, async () => {
          await transaction.operations.stopped(pairId);
          return { result: undefined, events: [] };
        });
      }),

    // On the path of the data: only what begins is told, the letters themselves are kept anyway.
    storeDeadLetters: async (pairId, letters) => {
      const [first] = letters;
      if (!first) return;
      const last = lastLetters.get(pairId);
      if (last !== undefined && now() - last < LETTERS_QUIET) await control.deadLetters.store(pairId, letters);
      else await storeFirst(control, pairId, letters, first);
      lastLetters.set(pairId, now());
    },

    purge: (pairId, details) =>
      control.transaction(async ({ pairs, runs, audit }) => {
        const level = await runs.auditLevel(pairId);
        if (!(await pairs.purge(pairId))) return;
        await audit.event({ name: 'pair.removed', entityId: pairId, details, level });
      }),

    audit: (name, pairId, details) =>
      control.transaction(async ({ runs, audit }) => {
        await audit.event({ name, entityId: pairId, details, level: await runs.auditLevel(pairId) });
      }),
  };
}

/**
 * What was told of a source's reader, and an event when it is in a trouble that it was not in before, or reads again after one.
 * @param known the trouble that this process has told last; null: it has told nothing yet
 * @returns the trouble as it is now
 */
export async function recordSourceStatus(
  control: Control,
  sourceId: string,
  status: SourceStatusRecord,
  known: string | undefined | null,
): Promise<string | undefined> {
  const code = status.error?.code;
  const reads = code === undefined && status.state === 'reading';
  // Told every two seconds, and as a rule nothing has changed. Who connects again is not out of trouble yet.
  if (known !== null && (code === known || (code === undefined && !reads))) {
    await control.sourceStatuses.record(sourceId, { ...status, trouble: known });
    return known;
  }
  return control.transaction(async ({ sourceStatuses, audit }) => {
    const before = await sourceStatuses.holdTrouble(sourceId);
    const trouble = code ?? (reads ? undefined : before);
    await sourceStatuses.record(sourceId, { ...status, trouble });
    if (status.error && before !== code) {
      const { error, state } = status;
      await audit.event({
        name: 'source.interrupted',
        entityId: sourceId,
        details: { state, code: error.code, message: error.message },
        distinct: error.code,
      });
    }
    if (reads && before !== undefined) {
      await audit.event({ name: 'source.recovered', entityId: sourceId, details: { code: before } });
    }
    return trouble;
  });
}

interface Worked<T> {
  readonly result: T;
  readonly events: readonly { readonly name: AuditEventName; readonly details: object; readonly distinct?: string }[];
}

/** Does the work with the pair held; then come its events, and those of operations that it has ended: locks of the trail are taken last. */
async function withEnded<T>(
  transaction: Repositories,
  pairId: string,
  level: string | undefined,
  work: () => Promise<Worked<T>>,
): Promise<T> {
  const open = await transaction.operations.openOf(pairId);
  const { result, events } = await work();
  const ended = await transaction.operations.endedOf(open);
  for (const event of events) {
    await transaction.audit.event({ ...event, entityId: pairId, level, details: { ...event.details } });
  }
  for (const operation of ended) await tellEnded(transaction, operation, level);
  return result;
}

export async function tellEnded(
  { audit }: Pick<Repositories, 'audit'>,
  { id, pair, type, state, counts, error }: OperationRecord,
  level: string | undefined,
): Promise<void> {
  if (state !== 'completed' && state !== 'failed' && state !== 'stopped' && state !== 'cancelled') return;
  await audit.event({
    name: `sync_operation.${state}`,
    entityId: id,
    level,
    details: { pair, type, counts, ...(error && { code: error.code, message: error.message }) },
  });
}

/** Letters after a while without any, with their event. */
async function storeFirst(
  control: Control,
  pairId: string,
  letters: readonly DeadLetter[],
  { stage, source_table, target_table, code, rule }: DeadLetter,
): Promise<void> {
  await control.transaction(async ({ deadLetters, runs, audit }) => {
    // Repeated after a restart they are there already, and nothing has begun.
    const stored = await deadLetters.store(pairId, letters);
    if (stored === 0) return;
    await audit.event({
      name: 'pair.dead_letters',
      entityId: pairId,
      level: await runs.auditLevel(pairId),
      // Without reason and row: they hold the county's data, which not everybody sees who may read the trail.
      details: {
        letters: stored,
        first: {
          stage,
          code,
          rule: rule ?? null,
          source_table: formatTableName(source_table),
          target_table: formatTableName(target_table),
        },
      },
    });
  });
}
