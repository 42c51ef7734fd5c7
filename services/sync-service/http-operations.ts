import type { FastifyInstance } from 'fastify';
import type { ZodType } from 'zod';
import type { Log } from '#connectors/contract/context.ts';
import { loadConnector } from '#connectors/registry.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { pageQueryInput, syncRequest } from '#schemas/http/sync-service.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { Control } from '#services/control/control.ts';
import { assertLoaded, startFull, startIncremental, startPair } from '#services/control/pair-commands.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import type { OperationRecord } from '#services/control/sync-operations.ts';
import { systemClock } from '#services/kernel/clock.ts';

/** How long a source may take to answer, in milliseconds. */
const SOURCE_MS = 5000;
const BY = 'sync-service';

export interface OperationParts {
  readonly control: Control;
  readonly log: Log;
  /** What should be running has changed. */
  readonly wake: () => void;
}

/**
 * Pairs and operations at this port, for programs beside the sync-service: the same wishes in the control database as the gateway writes,
 * by the same functions. Pairs are made at the gateway only.
 */
export function operationRoutes(app: FastifyInstance, { control, log, wake }: OperationParts): void {
  app.post<{ Params: { pair_id: string } }>('/sync/:pair_id/start', async ({ params, id }) => {
    const pairId = await control.transaction(async (transaction) => {
      const pair = await transaction.pairs.lock(params.pair_id);
      await startPair(transaction, pair, BY);
      await transaction.audit.append({
        actor: BY,
        action: 'sync_pair.start',
        entityKind: 'sync_pair',
        entityId: pair.id,
        outcome: 'success',
        requestId: id,
      });
      return pair.id;
    });
    wake();
    return { pair_id: pairId, desired: 'running' };
  });

  for (const type of ['full', 'incremental'] as const) {
    app.post(`/api/sync/${type}`, async (request, reply) => {
      const pair = await control.pairs.get(read(syncRequest, request.body).pair_id);
      if (type === 'incremental') assertLoaded(pair);
      const until = type === 'incremental' ? await markAt(control, pair, log) : undefined;
      const operation = await control.transaction(async (transaction) => {
        const held = await transaction.pairs.lock(pair.id);
        const made =
          until === undefined
            ? await startFull(transaction, held, { by: BY, pauseAfter: true })
            : await startIncremental(transaction, held, until, { by: BY, pauseAfter: true });
        await transaction.audit.append({
          actor: BY,
          action: `sync_operation.start_${type}`,
          entityKind: 'sync_operation',
          entityId: made.id,
          outcome: 'success',
          requestId: request.id,
          after: { pair: made.pair, type },
        });
        return made;
      });
      wake();
      return reply.code(202).send({ job_id: operation.id, status: operation.state });
    });
  }

  app.get('/api/sync/operations', async ({ query }) => {
    const { items, nextCursor } = await control.operations.list({}, read(pageQueryInput, query));
    return { items: items.map(shown), next_cursor: nextCursor ?? null };
  });
}

const shown = ({ id, pair, type, state, counts, error, createdAt, startedAt, finishedAt }: OperationRecord) => ({
  job_id: id,
  pair,
  type,
  status: state,
  counts,
  error: error ?? null,
  created_at: createdAt.toISOString(),
  started_at: startedAt?.toISOString() ?? null,
  finished_at: finishedAt?.toISOString() ?? null,
});

/** A message of ours in the source's WAL: everything committed before the call lies before it. */
async function markAt(control: Control, { id, sourceId }: PairOverview, log: Log): Promise<Lsn> {
  const { connector, settings } = await control.systems.connectionOf(sourceId);
  const kind = await loadConnector(connector);
  const source = kind.source?.(kind.settings.parse(settings));
  if (!source) throw new TerraFusionError('PAIR_INVALID', `Connector "${connector}" cannot be a source`);
  const signal = AbortSignal.timeout(SOURCE_MS);
  try {
    return await source.emitMessage('terrafusion.fence', id, {
      log,
      clock: systemClock,
      signal,
    });
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new TerraFusionError('SOURCE_UNREACHABLE', `The source did not answer within ${SOURCE_MS / 1000} seconds`, {
      cause,
    });
  }
}

/** @throws {TerraFusionError} REQUEST_INVALID naming every field that is wrong */
export function read<T>(schema: ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  throw new TerraFusionError(
    'REQUEST_INVALID',
    parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  );
}
