/** How a series of the history is made of the metric of a process. */
export interface HistorySeries {
  /** Of the metric, without the product's prefix. */
  readonly metric: string;
  /** value: as it stands. rate: of a counter, a second. quantiles: of a histogram's observations since the sample before. */
  readonly kind: 'value' | 'rate' | 'quantiles';
  /** Labels that are kept; over all others it is added up. */
  readonly by: readonly string[];
  /** What a point is, with its unit. */
  readonly help: string;
}

const rate = (metric: string, by: readonly string[], help: string): HistorySeries => ({
  metric,
  kind: 'rate',
  by,
  help,
});
const value = (metric: string, by: readonly string[], help: string): HistorySeries => ({
  metric,
  kind: 'value',
  by,
  help,
});
const quantiles = (metric: string, by: readonly string[], help: string): HistorySeries => ({
  metric,
  kind: 'quantiles',
  by,
  help,
});

/** The quantiles that are kept of a histogram, in the label `quantile`. */
export const historyQuantiles = [0.5, 0.95, 0.99] as const;

/** What is kept for plots (`GET /api/metrics?since=`): few enough that a year of them fits beside the control database. */
export const historySeries = {
  changes_read_per_second: rate('changes_read_total', ['source'], 'Changes read from a source.'),
  changes_appended_per_second: rate('changes_appended_total', ['source'], "Changes stored in a source's topic."),
  changes_processed_per_second: rate('changes_processed_total', ['pair', 'outcome'], 'Changes through a chain.'),
  changes_applied_per_second: rate('changes_applied_total', ['pair', 'op'], 'Changes applied at a target.'),
  changes_rejected_per_second: rate('changes_rejected_total', ['pair'], 'Changes that became dead letters.'),
  rows_loaded_per_second: rate('rows_loaded_total', ['pair'], 'Rows copied by loads.'),
  retries_per_second: rate('retries_total', ['stage'], 'Interruptions after which work was tried again.'),
  end_to_end_latency_seconds: quantiles('end_to_end_latency_seconds', ['pair'], 'Source commit to target commit.'),
  batch_apply_seconds: quantiles('batch_apply_seconds', ['pair'], 'Time that a batch takes at the target.'),
  lag_seconds: value('lag_seconds', ['pair'], 'Age of the oldest change that waits.'),
  lag_bytes: value('lag_bytes', ['pair'], "WAL between target and the source's end."),
  waiting_blocks: value('waiting_blocks', ['pair'], 'Blocks that wait for the target.'),
  load_progress_ratio: value('load_progress_ratio', ['pair'], 'Part of a load that is done, 0 to 1.'),
  reader_lag_bytes: value('reader_lag_bytes', ['source'], "WAL between topic and the source's end."),
  slot_retained_bytes: value('slot_retained_bytes', ['source'], 'WAL kept for our slot.'),
  slot_budget_bytes: value('slot_budget_bytes', ['source'], 'WAL that may be kept for it.'),
  bus_topic_blocks: value('bus_topic_blocks', ['source'], "Blocks that a source's topic retains."),
  bus_used_bytes: value('bus_used_bytes', [], 'Disk that the embedded bus uses.'),
  dead_letters_open: value('dead_letters_open', ['pair'], 'Open dead letters.'),
  operations_running: value('operations_running', [], 'Sync operations under way.'),
  http_requests_per_second: rate('http_request_seconds_count', [], 'Requests answered.'),
  http_request_seconds: quantiles('http_request_seconds', [], 'Time that a request takes.'),
  process_cpu_ratio: rate('process_cpu_seconds_total', [], 'Cores that the process uses.'),
  process_memory_bytes: value('process_resident_memory_bytes', [], 'Resident memory of the process.'),
  event_loop_lag_seconds: value('nodejs_eventloop_lag_p99_seconds', [], 'How late the process comes to its work.'),
  system_cpu_seconds_per_second: rate('system_cpu_seconds_total', ['mode'], 'Seconds of all cores, by what they did.'),
  system_memory_available_bytes: value('system_memory_available_bytes', [], 'Memory that programs could get.'),
  system_disk_available_bytes: value('system_disk_available_bytes', [], "Free on the data folder's disk."),
  system_network_bytes_per_second: rate('system_network_bytes_total', ['direction'], 'Bytes over the network.'),
} as const satisfies Readonly<Record<string, HistorySeries>>;

export type HistoryName = keyof typeof historySeries;
export const historyNames = Object.keys(historySeries) as [HistoryName, ...HistoryName[]];

/** Values of one moment: by series, then by labels as JSON. */
export type MetricSample = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** How exact the history is, and how long: seconds that one row stands for, days that it is kept. */
export const historyResolutions = [
  { seconds: 10, days: 1 },
  { seconds: 60, days: 7 },
  { seconds: 600, days: 60 },
  { seconds: 3600, days: 365 },
] as const;
