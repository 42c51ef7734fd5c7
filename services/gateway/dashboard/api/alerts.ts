import type { AlertRecordView, AlertRulesView } from '#schemas/http/alerts.ts';
import { get, post, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { pathOf, withQuery } from '../app/paths.ts';

export interface AlertFilter {
  readonly state?: 'open' | AlertRecordView['state'] | undefined;
  readonly code?: string | undefined;
  readonly severity?: string | undefined;
  readonly pair?: string | undefined;
  readonly cursor?: string | undefined;
}

export const listAlerts = (filter: AlertFilter, options?: AskOptions): Promise<ListPage<AlertRecordView>> =>
  get(withQuery('/api/alerts', { ...filter }), options);

export const readAlertRules = (options?: AskOptions): Promise<AlertRulesView> => get('/api/alerts/rules', options);

/** Somebody sees to it: it is not sent again until it has gone. */
export const acknowledgeAlert = (alert: string, comment: string | undefined): Promise<AlertRecordView> =>
  post(pathOf('/api/alerts/:alert/acknowledge', { alert }), comment === undefined ? {} : { comment });

/** @param until null: it is sent again from now on */
export const silenceAlert = (
  alert: string,
  until: string | null,
  comment: string | undefined,
): Promise<AlertRecordView> =>
  post(pathOf('/api/alerts/:alert/silence', { alert }), { until, ...(comment === undefined ? {} : { comment }) });
