import { roles, type Role } from '#schemas/http/common.ts';

/** Who may call a route: everybody, or holders of at least this role. */
export type Access = 'public' | Role;

/**
 * The one table of who may do what. A route that is not in it cannot be registered (see `guardRoutes`): none can be forgotten.
 * viewer reads; operator also starts, pauses and replays; editor also makes and changes systems and pairs; admin also keys.
 */
export const routeAccess: Readonly<Record<string, Access>> = {
  'GET /': 'public',
  'GET /health': 'public',
  'GET /health/live': 'public',
  'GET /health/ready': 'public',
  'GET /openapi.json': 'public',
  'GET /dashboard': 'public',
  'GET /dashboard/*': 'public',
  'GET /runbooks': 'public',
  'GET /runbooks/:page': 'public',
  'GET /sync/dashboard': 'public',
  'GET /sync/terra_fusion': 'public',
  'GET /sync/terra_fusion/dashboard': 'public',
  'GET /sync/jobs': 'public',
  'GET /sync/job/:id': 'public',
  'GET /sync/terra_fusion/job/:id': 'public',
  'GET /sync/conflicts': 'public',
  'GET /sync/terra_fusion/conflicts/:id': 'public',

  // Viewer, or a scraper on this machine.
  'GET /metrics': 'viewer',
  'GET /api/status': 'viewer',
  'GET /api/v1/status': 'viewer',
  'GET /api/metrics': 'viewer',
  'GET /api/events': 'viewer',

  'GET /api/systems': 'viewer',
  'GET /api/systems/:id': 'viewer',
  'POST /api/systems': 'editor',
  'PATCH /api/systems/:id': 'editor',
  'DELETE /api/systems/:id': 'editor',
  'POST /api/systems/:id/check': 'operator',
  'GET /api/systems/:id/slots': 'operator',
  'DELETE /api/systems/:id/slots/:name': 'admin',
  'GET /api/systems/:id/tables': 'operator',

  'GET /api/sync-pairs': 'viewer',
  'GET /api/sync-pairs/:id': 'viewer',
  'GET /api/sync-pairs/:id/tables': 'viewer',
  'GET /api/sync-pairs/:id/schema': 'viewer',
  'POST /api/sync-pairs': 'editor',
  'POST /api/sync-pairs/check': 'editor',
  // Shows rows of the county's data, to who may write what becomes of them.
  'POST /api/sync-pairs/preview': 'editor',
  'PATCH /api/sync-pairs/:id': 'editor',
  'POST /api/sync-pairs/:id/check': 'editor',
  'DELETE /api/sync-pairs/:id': 'editor',
  'GET /api/sync-pairs/:id/schema-changes': 'viewer',
  'POST /api/sync-pairs/:id/approve': 'editor',
  'POST /api/sync-pairs/:id/start': 'operator',
  'POST /api/sync-pairs/:id/pause': 'operator',
  'POST /api/sync-pairs/:id/resume': 'operator',
  'POST /api/sync-pairs/:id/resync': 'operator',
  'POST /api/sync-pairs/:id/fence': 'operator',
  'POST /api/sync-pairs/:id/cutover': 'operator',

  'GET /api/sync-operations': 'viewer',
  'GET /api/sync-operations/:id': 'viewer',
  'POST /api/sync-operations': 'operator',
  'POST /api/sync-operations/:id/cancel': 'operator',

  // A job makes its pair where there is none yet.
  'POST /api/sync/full': 'editor',
  'POST /api/sync/incremental': 'operator',
  'GET /api/sync/status/:job_id': 'viewer',
  'POST /api/sync/stop/:job_id': 'operator',
  'POST /api/sync/resume/:job_id': 'operator',
  'POST /api/sync/validate/:job_id/:table': 'operator',
  'GET /api/sync/audit/:job_id': 'viewer',
  'GET /api/sync/audit/:job_id/report': 'viewer',
  'GET /api/sync/health': 'viewer',
  'GET /api/sync/operations': 'viewer',
  // Conflicts hold rows of the county's data.
  'GET /api/sync/conflicts/:job_id': 'operator',
  'POST /api/sync/conflicts/:job_id/:conflict_id/resolve': 'operator',
  'POST /api/sync/conflicts/:job_id/resolve-all': 'operator',

  // Dead letters hold rows of the county's data.
  'GET /api/dead-letters': 'operator',
  'GET /api/dead-letters/summary': 'operator',
  'POST /api/dead-letters/replay': 'operator',
  'POST /api/dead-letters/discard': 'operator',
  'GET /api/dead-letters/:id': 'operator',
  'POST /api/dead-letters/:id/replay': 'operator',
  'POST /api/dead-letters/:id/discard': 'operator',

  'GET /api/alerts': 'viewer',
  'GET /api/alerts/rules': 'viewer',
  'GET /api/alerts/:id': 'viewer',
  'POST /api/alerts/:id/acknowledge': 'operator',
  'POST /api/alerts/:id/silence': 'operator',

  'GET /api/self-healing': 'viewer',
  'PATCH /api/self-healing/:action': 'admin',

  'GET /api/audit': 'viewer',
  'GET /api/audit/summary': 'viewer',
  'GET /api/audit/verify': 'viewer',

  // Logging in is what one does without a key; see and end one's own session.
  'POST /api/session': 'public',
  'GET /api/session': 'viewer',
  'DELETE /api/session': 'viewer',

  'GET /api/sessions': 'admin',
  'DELETE /api/sessions/:id': 'admin',
  'GET /api/roles': 'viewer',
  'GET /api/settings': 'admin',

  'GET /api/keys': 'admin',
  'POST /api/keys': 'admin',
  'POST /api/keys/:id/rotate': 'admin',
  'DELETE /api/keys/:id': 'admin',
};

/** What a key that is limited to systems cannot have, whatever its role: it is about all systems, or makes one. */
export const unlimitedOnly: ReadonlySet<string> = new Set([
  'GET /api/self-healing',
  'PATCH /api/self-healing/:action',
  'GET /api/sessions',
  'DELETE /api/sessions/:id',
  'GET /api/settings',
  'POST /api/systems',
  'GET /api/keys',
  'POST /api/keys',
  'POST /api/keys/:id/rotate',
  'DELETE /api/keys/:id',
]);

/** Whether the role is at least the wanted one. */
export function mayAct(role: Role, wanted: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(wanted);
}

/** Access of a route as the framework knows it; HEAD is GET without the body. */
export function accessOf(method: string, url: string): Access | undefined {
  // The API reference brings routes of its own.
  if (reads(method) && /^\/docs(\/|$)/.test(url)) return 'public';
  return routeAccess[lineOf(method, url)];
}

export const needsAllSystems = (method: string, url: string): boolean => unlimitedOnly.has(lineOf(method, url));

const reads = (method: string): boolean => method === 'GET' || method === 'HEAD';
const lineOf = (method: string, url: string): string => `${reads(method) ? 'GET' : method} ${url}`;
