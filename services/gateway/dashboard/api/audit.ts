import type { AuditView } from '#schemas/http/audit.ts';
import { get, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { withQuery } from '../app/paths.ts';

export interface AuditFilter {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly entity?: string | undefined;
  readonly entity_id?: string | undefined;
  readonly outcome?: AuditView['outcome'] | undefined;
  readonly text?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number;
}

export const listAudit = (filter: AuditFilter, options?: AskOptions): Promise<ListPage<AuditView>> =>
  get(withQuery('/api/audit', { ...filter }), options);
