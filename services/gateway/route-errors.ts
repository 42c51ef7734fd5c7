import { errorKinds, type ErrorCode } from '#schemas/errors.ts';
import { accessOf } from './roles.ts';

const all = Object.keys(errorKinds) as ErrorCode[];
/** What can be wrong with an end that is looked at: whatever its connector says. */
const ofEnds = all.filter((code) => /^(SOURCE|TARGET)_/.test(code));
const ofPairs: readonly ErrorCode[] = ['PAIR_INVALID', 'PAIR_EXPRESSION_INVALID', 'PAIR_TABLE_GONE'];
const checked: readonly ErrorCode[] = [...ofEnds, ...ofPairs, 'MASTER_KEY_WRONG'];
/** Of whoever shows who he is. */
const guarded: readonly ErrorCode[] = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'LOCKED_OUT',
  'SERVICE_UNAVAILABLE',
  'CONTROL_DATABASE_UNREACHABLE',
  'CONTROL_DATABASE_LOGIN_FAILED',
];
const fenced: readonly ErrorCode[] = [
  ...ofEnds,
  'PAIR_INVALID',
  'MASTER_KEY_WRONG',
  'FENCE_TIMEOUT',
  'SERVICE_UNAVAILABLE',
];

/** What a route can answer beside what holds for all of its kind; see `errorsOf`. */
const own: Readonly<Record<string, readonly ErrorCode[]>> = {
  'GET /api/events': ['SERVICE_UNAVAILABLE'],
  'POST /api/session': [...guarded, 'CSRF_REFUSED'],
  'GET /api/sync-pairs': ['NOT_FOUND'],
  'GET /api/sync-operations': ['NOT_FOUND'],
  'GET /api/dead-letters': ['NOT_FOUND'],
  'GET /api/dead-letters/summary': ['NOT_FOUND'],
  'POST /api/dead-letters/replay': [...checked, 'PAIR_ROW_INVALID', 'NOT_FOUND', 'SERVICE_UNAVAILABLE'],
  'POST /api/dead-letters/discard': ['NOT_FOUND'],
  'GET /api/metrics': ['NOT_FOUND'],
  'DELETE /api/session': ['NOT_FOUND'],
  'POST /api/systems': ['PAIR_INVALID', 'CONFLICTING_STATE'],
  'PATCH /api/systems/:id': ['PAIR_INVALID', 'CONFLICTING_STATE', 'MASTER_KEY_WRONG'],
  'DELETE /api/systems/:id': ['CONFLICTING_STATE'],
  'POST /api/systems/:id/check': checked,
  'GET /api/systems/:id/slots': checked,
  'GET /api/systems/:id/tables': checked,
  'DELETE /api/systems/:id/slots/:name': [...checked, 'CONFLICTING_STATE'],
  'POST /api/sync-pairs': [...checked, 'NOT_FOUND'],
  'POST /api/sync-pairs/check': [...checked, 'NOT_FOUND'],
  'POST /api/sync-pairs/preview': [...checked, 'NOT_FOUND'],
  'POST /api/sync-pairs/:id/check': checked,
  'PATCH /api/sync-pairs/:id': [...checked, 'CONFLICTING_STATE'],
  'DELETE /api/sync-pairs/:id': ['CONFLICTING_STATE'],
  'POST /api/sync-pairs/:id/resync': ['PAIR_INVALID', 'PAIR_NOT_LOADED', 'TABLE_SYNC_WAITS'],
  'POST /api/sync-pairs/:id/fence': fenced,
  'POST /api/sync-pairs/:id/cutover': fenced,
  'POST /api/sync-operations': [...checked, 'NOT_FOUND', 'PAIR_NOT_LOADED'],
  'POST /api/sync/full': [...checked, 'PAIR_NOT_LOADED', 'NOT_FOUND'],
  'POST /api/sync/incremental': [...checked, 'PAIR_NOT_LOADED', 'NOT_FOUND'],
  'POST /api/sync/resume/:job_id': ['PAIR_NOT_LOADED'],
  'POST /api/sync/validate/:job_id/:table': checked,
  'POST /api/dead-letters/:id/replay': [...checked, 'PAIR_ROW_INVALID', 'SERVICE_UNAVAILABLE'],
  'PATCH /api/self-healing/:action': ['CONFLICTING_STATE'],
  'POST /api/keys': ['NOT_FOUND'],
  'DELETE /api/keys/:id': ['CONFLICTING_STATE'],
};

export interface RouteParts {
  /** Whether anything of it is read: path, query, headers, body. */
  readonly reads: boolean;
  readonly body: boolean;
}

/** Every code that a route can answer, in the order of their statuses. */
export function errorsOf(method: string, url: string, { reads, body }: RouteParts): ErrorCode[] {
  const codes = new Set<ErrorCode>(own[`${method} ${url}`]);
  codes.add('INTERNAL').add('RATE_LIMITED');
  if (reads) codes.add('REQUEST_INVALID');
  if (body || method === 'POST') codes.add('REQUEST_NOT_JSON').add('REQUEST_TOO_LARGE').add('REQUEST_INVALID');
  if (url.includes(':')) codes.add('NOT_FOUND');
  if (accessOf(method, url) !== 'public') {
    for (const code of guarded) codes.add(code);
    if (method !== 'GET') codes.add('CSRF_REFUSED');
    // An Idempotency-Key that was used for another request.
    if (method === 'POST') codes.add('CONFLICTING_STATE');
  }
  return all.filter((code) => codes.has(code)).sort((a, b) => errorKinds[a].status - errorKinds[b].status);
}
