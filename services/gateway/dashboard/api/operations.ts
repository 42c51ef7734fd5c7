import type { OperationState, OperationType, OperationView } from '#schemas/http/operations.ts';
import { get, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { pathOf, withQuery } from '../app/paths.ts';

export interface OperationFilter {
  readonly pair?: string | undefined;
  readonly type?: OperationType | undefined;
  readonly state?: OperationState | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number;
}

export const listOperations = (filter: OperationFilter, options?: AskOptions): Promise<ListPage<OperationView>> =>
  get(withQuery('/api/sync-operations', { ...filter }), options);

export const readOperation = (operation: string, options?: AskOptions): Promise<OperationView> =>
  get(pathOf('/api/sync-operations/:operation', { operation }), options);
