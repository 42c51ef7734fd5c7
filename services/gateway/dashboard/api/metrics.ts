import type { MetricsHistory, MetricsView } from '#schemas/http/metrics.ts';
import { get, type AskOptions } from '../app/client.ts';
import { withQuery } from '../app/paths.ts';

export interface HistoryQuery {
  readonly since: string;
  readonly until?: string;
  readonly step?: number;
  /** Names of series. */
  readonly series: readonly string[];
  readonly pair?: string | undefined;
  readonly source?: string | undefined;
}

export const readMetrics = (options?: AskOptions): Promise<MetricsView> => get('/api/metrics', options);

export const readHistory = ({ series, ...query }: HistoryQuery, options?: AskOptions): Promise<MetricsHistory> =>
  get(withQuery('/api/metrics', { ...query, series: series.join(',') }), options);
