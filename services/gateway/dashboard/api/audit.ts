import type { AuditSummaryView, AuditVerdictView, AuditView } from '#schemas/http/audit.ts';
import { get, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { withQuery } from '../app/paths.ts';

export interface AuditChoice {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly entity?: string | undefined;
  readonly entity_id?: string | undefined;
  readonly outcome?: AuditView['outcome'] | undefined;
  readonly text?: string | undefined;
}

export interface AuditFilter extends AuditChoice {
  readonly cursor?: string | undefined;
  readonly limit?: number;
}

export type AuditVerdict = AuditVerdictView;

export const listAudit = (filter: AuditFilter, options?: AskOptions): Promise<ListPage<AuditView>> =>
  get(withQuery('/api/audit', { ...filter }), options);

export const summarizeAudit = (choice: AuditChoice, options?: AskOptions): Promise<AuditSummaryView> =>
  get(withQuery('/api/audit/summary', { ...choice }), options);

/** The whole chain is walked: that takes a while. */
export const verifyAudit = (): Promise<AuditVerdict> => get('/api/audit/verify', { within: 300_000 });

/** Everything that matches, as a table for a spreadsheet. */
export const auditCsvPath = (choice: AuditChoice): string => withQuery('/api/audit', { ...choice, format: 'csv' });
