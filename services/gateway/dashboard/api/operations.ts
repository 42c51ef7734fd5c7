import type { JobEvent } from '#schemas/http/jobs.ts';
import type { OperationState, OperationType, OperationView } from '#schemas/http/operations.ts';
import { get, post, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { pathOf, withQuery } from '../app/paths.ts';

export interface OperationFilter {
  readonly pair?: string | undefined;
  readonly type?: OperationType | undefined;
  readonly state?: OperationState | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number;
}

export const listOperations = (filter: OperationFilter, options?: AskOptions): Promise<ListPage<OperationView>> =>
  get(withQuery('/api/sync-operations', { ...filter }), options);

/** All that match, as a table for a spreadsheet. */
export const operationsCsvPath = (filter: OperationFilter): string =>
  withQuery('/api/sync-operations', { ...filter, format: 'csv' });

export const readOperation = (operation: string, options?: AskOptions): Promise<OperationView> =>
  get(pathOf('/api/sync-operations/:operation', { operation }), options);

export const startOperation = (pair: string, type: 'full' | 'incremental'): Promise<OperationView> =>
  // The source is asked where it stands.
  post('/api/sync-operations', { pair_id: pair, type }, { within: 60_000 });

export const cancelOperation = (operation: string): Promise<OperationView> =>
  post(pathOf('/api/sync-operations/:operation/cancel', { operation }));

export const stopOperation = (job: string): Promise<unknown> => post(pathOf('/api/sync/stop/:job', { job }));
export const resumeOperation = (job: string): Promise<unknown> => post(pathOf('/api/sync/resume/:job', { job }));

/** Entries of the audit trail about the operation, and about its pair while it ran. */
export const listOperationEvents = (
  job: string,
  cursor: string | undefined,
  options?: AskOptions,
): Promise<ListPage<JobEvent>> => get(withQuery(pathOf('/api/sync/audit/:job', { job }), { cursor }), options);

export const reportPath = (job: string, format: 'json' | 'csv' | 'html'): string =>
  withQuery(pathOf('/api/sync/audit/:job/report', { job }), { format });
