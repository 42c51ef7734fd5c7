import type { FastifyReply, FastifyRequest } from 'fastify';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Repositories } from '#services/control/control.ts';
import { scopeName } from '#services/control/scope.ts';
import { hashRequest, type Begun, type KeyedRequest } from '#services/control/idempotency.ts';
import { maskFields } from '#services/kernel/masking.ts';
import { actorOf, type GatewayDeps } from './gateway.ts';

/** What a change has done, for the audit trail and the caller. */
export interface Changed<T> {
  readonly entityId: string;
  /** As it was and as it is; secrets are masked by the trail. */
  readonly before?: unknown;
  readonly after?: unknown;
  readonly result: T;
  /** The result holds a secret: where it is kept for a request that is sent again, it is encrypted. (Promise 8) */
  readonly secret?: boolean;
}

/** What is done to what: "sync_pair.pause". */
export interface Action {
  readonly entityKind:
    'system' | 'sync_pair' | 'sync_operation' | 'api_key' | 'dead_letter' | 'alert' | 'session' | 'self_healing';
  readonly verb: string;
}

/**
 * Makes a change and its audit entry in one transaction: both are there, or neither is. (Promise 9) A POST with an Idempotency-Key that
 * was answered before gets that answer again; what comes at once with the same key waits for it.
 */
export async function change<T>(
  { control }: GatewayDeps,
  request: FastifyRequest,
  action: Action,
  work: (transaction: Repositories) => Promise<Changed<T>>,
): Promise<T> {
  // A session is a cookie as well: it cannot be given twice.
  const keyed = request.method === 'POST' && action.entityKind !== 'session' ? keyedRequest(request) : undefined;
  let changed: Changed<T> | undefined;
  const result = await control.within(request.principal!.systems ?? null).transaction(async (transaction) => {
    changed = undefined;
    const known = keyed && answered(await transaction.idempotency.begin(keyed), request);
    if (known) return known.body as T;
    changed = await work(transaction);
    // The route says its status itself, each time.
    if (keyed) await keep(transaction, keyed, 200, changed);
    await note(transaction, request, action, changed);
    return changed.result;
  });
  if (changed) logChange(request, action, changed);
  return result;
}

async function keep(
  { idempotency }: Repositories,
  keyed: KeyedRequest,
  status: number,
  { result, secret = false }: Changed<unknown>,
): Promise<void> {
  await idempotency.answer(keyed, { status, body: result }, { secret });
}

/**
 * As {@link change}, for what must not be done twice: a request with an Idempotency-Key that was answered before gets that answer again.
 * @param prepare what is looked at before the transaction: it may take long, and must change nothing
 */
export async function changeOnce<P, T>(
  deps: GatewayDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  action: Action & { readonly status: number },
  prepare: () => Promise<P>,
  work: (transaction: Repositories, prepared: P) => Promise<Changed<T>>,
): Promise<T> {
  const control = deps.control.within(request.principal!.systems ?? null);
  const keyed = keyedRequest(request);
  const seen = keyed && answered(await control.idempotency.look(keyed), request);
  // What is kept of an answer is what this route had answered.
  if (seen) {
    void reply.code(action.status);
    return seen.body as T;
  }
  const prepared = await prepare();
  let changed: Changed<T> | undefined;
  const result = await control.transaction(async (transaction) => {
    changed = undefined;
    void reply.code(action.status);
    const known = keyed && answered(await transaction.idempotency.begin(keyed), request);
    if (known) return known.body as T;
    changed = await work(transaction, prepared);
    if (keyed) await keep(transaction, keyed, action.status, changed);
    await note(transaction, request, action, changed);
    return changed.result;
  });
  if (changed) logChange(request, action, changed);
  return result;
}

/** Once it is committed: with it begins what the other processes' logs tell of this request. What changed is in the audit trail. */
function logChange(
  request: FastifyRequest,
  { entityKind, verb }: Action,
  { entityId, result }: Changed<unknown>,
): void {
  const { pair, id, name } = (result ?? {}) as { pair?: Named; id?: unknown; name?: unknown };
  // Pairs and operations by the names that the stages' lines have.
  const of = pair ?? (entityKind === 'sync_pair' ? { id: entityId, name } : undefined);
  const operation = pair && typeof id === 'string' ? id : entityKind === 'sync_operation' ? entityId : undefined;
  request.log.info(
    {
      action: `${entityKind}.${verb}`,
      actor: actorOf(request.principal!),
      ...(of ? { pair: of.name, pair_id: of.id, operation } : { entity: entityKind, entity_id: entityId }),
    },
    'A change was made.',
  );
}

interface Named {
  readonly id: unknown;
  readonly name: unknown;
}

async function note(
  { audit }: Repositories,
  request: FastifyRequest,
  { entityKind, verb }: Action,
  { entityId, before, after }: Changed<unknown>,
): Promise<void> {
  await audit.append({
    actor: actorOf(request.principal!),
    action: `${entityKind}.${verb}`,
    entityKind,
    entityId,
    outcome: 'success',
    requestId: request.id,
    before,
    after,
  });
}

function keyedRequest(request: FastifyRequest): KeyedRequest | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(key)) {
    throw new TerraFusionError(
      'REQUEST_INVALID',
      'Idempotency-Key: must be 1 to 200 printable characters without spaces',
    );
  }
  const { id, systems } = request.principal!;
  return {
    actor: id,
    key,
    // Without the secrets in it: a hash of a weak password with known text around it can be guessed. (Promise 8)
    hash: hashRequest(request.method, request.url, maskFields(request.body), systems && scopeName(systems)),
  };
}

function answered(begun: Begun | undefined, request: FastifyRequest): { readonly body: unknown } | undefined {
  if (begun?.kind === 'other') {
    throw new TerraFusionError(
      'CONFLICTING_STATE',
      'This Idempotency-Key was used for another request; take a new one',
    );
  }
  if (begun?.kind !== 'answered') return undefined;
  request.replayed = true;
  return { body: begun.reply.body };
}
