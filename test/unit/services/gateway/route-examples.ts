import { keyOf } from '#schemas/alerts.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { Control } from '#services/control/control.ts';
import { makePair } from '../control/fixture.ts';

/** One thing of each kind, by id; all of one pair. */
export interface Things {
  readonly name: string;
  readonly system: string;
  readonly target: string;
  readonly pair: string;
  readonly operation: string;
  readonly letter: string;
  readonly alert: string;
  readonly key: string;
  readonly keyText: string;
  /** Of a browser that has logged in with the key. */
  readonly session: string;
}

/** What a route is asked with. */
export interface Example {
  /** Which thing its path names. */
  readonly of?: 'system' | 'pair' | 'operation' | 'letter' | 'alert' | 'key' | 'session';
  /** A body that it takes; left out where it takes none. */
  readonly body?: (things: Things) => unknown;
  /** What it is answered with when nothing is wrong with the request: 200 when left out. The ends cannot be reached, the pair is paused. */
  readonly status?: number;
  /** Limit of its body in bytes: 1 MiB when left out. */
  readonly limit?: number;
}

export const MIB = 1024 * 1024;
const PAIR_BODY = 16 * MIB;
const unreachable = 'postgresql://sync@127.0.0.1:1/x';
const ends = () => ({ source_connection: unreachable, target_connection: `${unreachable}y` });
const pair = ({ name }: Things) => ({ name: `${name}-2`, source: 'no-such-source', target: 'no-such-target' });
const empty = () => ({});
const strategy = () => ({ strategy: 'source_wins' });

/**
 * Every route that needs a key or takes a body, and what it is asked with. The table in `roles.ts` says which there are: one that is missing
 * here fails the tests.
 */
export const examples: Readonly<Record<string, Example>> = {
  'GET /metrics': {},
  'GET /api/status': {},
  'GET /api/v1/status': {},
  'GET /api/metrics': {},
  'GET /api/events': {},

  'GET /api/systems': {},
  'GET /api/systems/:id': { of: 'system' },
  'POST /api/systems': {
    body: ({ name }) => ({ name: `${name}-3`, connection: { url: unreachable } }),
    status: 201,
  },
  'PATCH /api/systems/:id': { of: 'system', body: () => ({ environment: 'training' }) },
  // A pair uses it.
  'DELETE /api/systems/:id': { of: 'system', status: 409 },
  'POST /api/systems/:id/check': { of: 'system', body: () => ({ as: 'both' }) },
  'GET /api/systems/:id/slots': { of: 'system', status: 502 },
  'DELETE /api/systems/:id/slots/:name': { of: 'system', status: 502 },
  'GET /api/systems/:id/tables': { of: 'system', status: 502 },

  'GET /api/sync-pairs': {},
  'GET /api/sync-pairs/:id': { of: 'pair' },
  'GET /api/sync-pairs/:id/tables': { of: 'pair' },
  'GET /api/sync-pairs/:id/schema': { of: 'pair' },
  'POST /api/sync-pairs': { body: pair, status: 422, limit: PAIR_BODY },
  'POST /api/sync-pairs/check': { body: pair, limit: PAIR_BODY },
  'POST /api/sync-pairs/preview': {
    body: () => ({ pair: { source: 'no-such-source', tables: [{ source: 'a.b' }] }, table: 'a.b' }),
    status: 422,
    limit: PAIR_BODY,
  },
  'POST /api/sync-pairs/:id/check': { of: 'pair', body: empty, limit: PAIR_BODY },
  'PATCH /api/sync-pairs/:id': { of: 'pair', body: empty, limit: PAIR_BODY },
  'DELETE /api/sync-pairs/:id': { of: 'pair', status: 202 },
  'GET /api/sync-pairs/:id/schema-changes': { of: 'pair' },
  // None waits.
  'POST /api/sync-pairs/:id/approve': { of: 'pair', body: empty, status: 409 },
  'POST /api/sync-pairs/:id/start': { of: 'pair' },
  'POST /api/sync-pairs/:id/pause': { of: 'pair' },
  'POST /api/sync-pairs/:id/resume': { of: 'pair' },
  'POST /api/sync-pairs/:id/resync': { of: 'pair', body: empty, status: 202 },
  'POST /api/sync-pairs/:id/fence': { of: 'pair', status: 409 },
  'POST /api/sync-pairs/:id/cutover': { of: 'pair', status: 409 },

  'GET /api/sync-operations': {},
  'GET /api/sync-operations/:id': { of: 'operation' },
  'POST /api/sync-operations': { body: ({ pair: id }) => ({ pair_id: id, type: 'full' }), status: 202 },
  // It loads the whole pair.
  'POST /api/sync-operations/:id/cancel': { of: 'operation', status: 409 },

  'POST /api/sync/full': { body: ends, status: 422 },
  'POST /api/sync/incremental': { body: ends, status: 409 },
  'GET /api/sync/status/:job_id': { of: 'operation' },
  'POST /api/sync/stop/:job_id': { of: 'operation', status: 202 },
  'POST /api/sync/resume/:job_id': { of: 'operation', status: 409 },
  'POST /api/sync/validate/:job_id/:table': { of: 'operation' },
  'GET /api/sync/audit/:job_id': { of: 'operation' },
  'GET /api/sync/audit/:job_id/report': { of: 'operation' },
  'GET /api/sync/health': {},
  'GET /api/sync/operations': {},
  'GET /api/sync/conflicts/:job_id': { of: 'operation' },
  'POST /api/sync/conflicts/:job_id/:conflict_id/resolve': { of: 'operation', body: strategy, status: 404 },
  'POST /api/sync/conflicts/:job_id/resolve-all': { of: 'operation', body: strategy },

  'GET /api/dead-letters': {},
  'GET /api/dead-letters/summary': {},
  'POST /api/dead-letters/replay': { body: ({ pair: id, letter: through }) => ({ filter: { pair: id }, through }) },
  'POST /api/dead-letters/discard': { body: ({ pair: id, letter: through }) => ({ filter: { pair: id }, through }) },
  'GET /api/dead-letters/:id': { of: 'letter' },
  'POST /api/dead-letters/:id/replay': { of: 'letter', body: empty },
  'POST /api/dead-letters/:id/discard': { of: 'letter' },

  'GET /api/alerts': {},
  'GET /api/alerts/rules': {},
  'GET /api/alerts/:id': { of: 'alert' },
  'POST /api/alerts/:id/acknowledge': { of: 'alert', body: empty },
  'POST /api/alerts/:id/silence': { of: 'alert', body: () => ({ until: null }) },

  'GET /api/self-healing': {},
  'PATCH /api/self-healing/:action': { body: () => ({ enabled: true }) },

  'GET /api/audit': {},
  'GET /api/audit/summary': {},
  'GET /api/audit/verify': {},

  'POST /api/session': { body: ({ keyText }) => ({ key: keyText }), status: 201 },
  'GET /api/session': {},
  // A key in a header is no session.
  'DELETE /api/session': { status: 404 },

  'GET /api/sessions': {},
  'DELETE /api/sessions/:id': { of: 'session', status: 204 },
  'GET /api/roles': {},
  'GET /api/settings': {},

  'GET /api/keys': {},
  'POST /api/keys': { body: () => ({ name: 'an example', role: 'viewer' }), status: 201 },
  'POST /api/keys/:id/rotate': { of: 'key', body: empty },
  'DELETE /api/keys/:id': { of: 'key', status: 204 },
};

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** A route of the table, ready to be asked. */
export function split(route: string): { readonly method: Method; readonly url: string } {
  const [method, url] = route.split(' ') as [Method, string];
  return { method, url };
}

/** The route's path, about this thing. */
export function pathOf(route: string, id: string): string {
  return split(route)
    .url.replace(/:(?:id|job_id)\b/, id)
    .replace(':name', 'tf_none_1')
    .replace(':table', 'pacs.parcel')
    .replace(':conflict_id', '1')
    .replace(':action', 'restart_stage')
    .replace('*', 'dashboard.js');
}

/** An id of this kind that nothing has. */
export const unknownId = (of: Example['of']): string =>
  of === 'letter' || of === 'alert' || of === 'key' ? '999999' : '00000000-0000-4000-8000-000000000000';

export const letter: DeadLetter = {
  position: '1:0/10:1',
  stage: 'process',
  source_table: { schema: 'pacs', name: 'parcel' },
  target_table: { schema: 'cama', name: 'parcel' },
  op: 'insert',
  rule: 'pin present',
  code: 'PAIR_ROW_INVALID',
  reason: 'no pin',
  row: { prop_id: '1', geo_id: null },
  before: undefined,
};

/** A pair between two systems of its own, with an operation and a dead letter; and a key, with which a browser has logged in. */
export async function makeThings(control: Control, name: string): Promise<Things> {
  const made = await makePair(control, name);
  const operation = await control.operations.create({
    pairId: made.id,
    type: 'full',
    requestedBy: `somebody of ${name}`,
  });
  await control.deadLetters.store(made.id, [{ ...letter, reason: `no pin in ${name}` }]);
  const [dead] = (await control.deadLetters.list({ pairId: made.id }, { limit: 1 })).items;
  for (const id of [made.sourceId, made.targetId])
    await control.systems.change(id, { connection: { settings: { url: unreachable }, secretFields: [] } });
  const condition = {
    code: 'pair_failed',
    pair: name,
    subject: null,
    severity: 'critical',
    message: 'no',
    value: null,
  } as const;
  const seen = { kind: 'seen', id: undefined, state: 'firing', notice: undefined } as const;
  await control.alerts.apply([{ ...seen, key: keyOf(condition), condition }], new Date());
  const alert = (await control.alerts.open()).find(({ pair: of }) => of === name);
  const { record, key } = await control.apiKeys.create({ name: `key of ${name}`, role: 'viewer' });
  const { session } = await control.sessions.begin(record.id, { idleS: 600, longestS: 600 });
  return {
    name,
    system: made.sourceId,
    target: made.targetId,
    pair: made.id,
    operation: operation.id,
    letter: dead!.id,
    alert: alert!.id,
    key: record.id,
    keyText: key.reveal(),
    session: session.id,
  };
}
