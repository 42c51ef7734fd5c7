import { bars, plot, stat, type Board } from './panel.ts';

/** Nothing is rated over less than four scrapes of fifteen seconds. */
const RATE = '[1m]';
const byPair = { name: 'pair', label: 'Pair', query: 'label_values(terrafusion_pair_state, pair)' };
const bySource = { name: 'source', label: 'Source', query: 'label_values(terrafusion_slot_budget_bytes, source)' };
const P = '{pair=~"$pair"}';
const S = '{source=~"$source"}';
const rate = (metric: string, selector = ''): string => `rate(terrafusion_${metric}${selector}${RATE})`;
const quantile = (of: number, metric: string, by: string, selector = ''): string =>
  `histogram_quantile(${of}, sum by (le, ${by}) (${rate(`${metric}_bucket`, selector)}))`;

const noTrouble = 'nothing is interrupted';
const noLoad = 'nothing is being loaded';

const overview: Board = {
  uid: 'terrafusion-overview',
  title: 'TerraFusion Sync',
  variable: byPair,
  panels: [
    stat('Streaming pairs', 'Pairs whose target follows their source.', 'short', [
      ['sum(terrafusion_pair_state{state="streaming"})'],
    ]),
    stat(
      'Failed pairs',
      'Pairs that wait for somebody: the dashboard and `terrafusion pairs` say why.',
      'short',
      [['sum(terrafusion_pair_state{state="failed"})']],
      { steps: [null, 1] },
    ),
    stat('Worst lag', 'Age of the oldest change that waits for a target.', 's', [['max(terrafusion_lag_seconds)']], {
      steps: [10, 60],
    }),
    stat('Changes applied', 'By all pairs, a second.', 'ops', [[`sum(${rate('changes_applied_total')})`]]),
    stat('Open dead letters', 'Rows that wait for somebody.', 'short', [['sum(terrafusion_dead_letters_open)']], {
      steps: [1, null],
    }),
    stat('Alerts firing', 'Of the product itself; those shown only are left out.', 'short', [
      ['sum(terrafusion_alerts{state="firing", rule!="dead_letters"})'],
    ], { steps: [1, 3] }), // prettier-ignore
    plot('Changes applied', 'At each target, by operation, a second.', 'ops', [
      [`sum by (pair, op) (${rate('changes_applied_total', P)})`, '{{pair}} {{op}}'],
    ]),
    plot('Lag', 'Age of the oldest change that waits.', 's', [
      [`max by (pair) (terrafusion_lag_seconds${P})`, '{{pair}}'],
    ]),
    plot('Latency', 'From the commit at the source to the commit at the target.', 's', [
      [quantile(0.5, 'end_to_end_latency_seconds', 'pair', P), '{{pair}} half'],
      [quantile(0.99, 'end_to_end_latency_seconds', 'pair', P), '{{pair}} 99 %'],
    ]),
    plot('Changes read', 'From each source, a second.', 'ops', [
      [`sum by (source) (${rate('changes_read_total')})`, '{{source}}'],
    ]),
    plot('WAL kept by sources', 'For our slots, beside what they may keep.', 'bytes', [
      ['max by (source) (terrafusion_slot_retained_bytes)', '{{source}}'],
      ['max by (source) (terrafusion_slot_budget_bytes)', '{{source}} budget'],
    ]),
    plot(
      'Parts that answer',
      '1 while Prometheus gets an answer.',
      'short',
      [['up{job=~"terrafusion.*"}', '{{job}} {{instance}}']],
      {
        max: 1,
      },
    ),
  ],
};

const pair: Board = {
  uid: 'terrafusion-pair',
  title: 'TerraFusion pair',
  variable: byPair,
  panels: [
    stat('State', 'The one that is 1.', 'short', [[`terrafusion_pair_state${P} == 1`, '{{pair}} {{state}}']], {
      width: 8,
    }),
    stat('Held up', '1 while an error holds the pair up.', 'short', [[`terrafusion_pair_error${P}`, '{{pair}}']], {
      steps: [1, null],
    }),
    stat('Lag', 'Age of the oldest change that waits.', 's', [[`terrafusion_lag_seconds${P}`, '{{pair}}']], {
      steps: [10, 60],
    }),
    stat('Waiting blocks', 'In the topic, not at the target yet.', 'short', [
      [`terrafusion_waiting_blocks${P}`, '{{pair}}'],
    ]),
    stat('Open dead letters', 'Counted up to 10000.', 'short', [[`terrafusion_dead_letters_open${P}`, '{{pair}}']], {
      steps: [1, null],
    }),
    plot('Changes', 'Through the chain by what became of them, and at the target, a second.', 'ops', [
      [`sum by (pair, outcome) (${rate('changes_processed_total', P)})`, '{{pair}} {{outcome}}'],
      [`sum by (pair) (${rate('changes_applied_total', P)})`, '{{pair}} applied'],
    ]),
    plot('Changes by table', 'Applied at the target, a second; the ten busiest.', 'ops', [
      [`topk(10, sum by (pair, table) (${rate('table_changes_applied_total', P)}))`, '{{pair}} {{table}}'],
    ]),
    plot('Latency', 'From the commit at the source to the commit at the target.', 's', [
      [quantile(0.5, 'end_to_end_latency_seconds', 'pair', P), '{{pair}} half'],
      [quantile(0.95, 'end_to_end_latency_seconds', 'pair', P), '{{pair}} 95 %'],
      [quantile(0.99, 'end_to_end_latency_seconds', 'pair', P), '{{pair}} 99 %'],
    ]),
    plot('Lag', 'In seconds.', 's', [[`terrafusion_lag_seconds${P}`, '{{pair}}']]),
    plot('Lag in WAL', "Between what the target holds and the source's end.", 'bytes', [
      [`terrafusion_lag_bytes${P}`, '{{pair}}'],
    ]),
    plot('Rejected', 'Changes that became dead letters, by stage, in 5 minutes.', 'short', [
      [`sum by (pair, stage) (increase(terrafusion_changes_rejected_total${P}[5m]))`, '{{pair}} {{stage}}'],
    ]),
    plot('Warned', 'Rows that broke a rule which only warns, in 5 minutes.', 'short', [
      [`sum by (pair) (increase(terrafusion_changes_warned_total${P}[5m]))`, '{{pair}}'],
    ], { emptyWhileHealthy: 'no rule of a pair warns' }), // prettier-ignore
    bars('Load by table', 'Part of its rows that the load under way has copied.', 'percentunit', [
      [`terrafusion_load_rows_copied${P} / terrafusion_load_rows_expected${P}`, '{{pair}} {{table}}'],
    ], { max: 1, emptyWhileHealthy: noLoad }), // prettier-ignore
    plot('Rows loaded', 'A second.', 'ops', [[`sum by (pair) (${rate('rows_loaded_total', P)})`, '{{pair}}']]),
    stat('Load', 'Done of the load under way.', 'percentunit', [[`terrafusion_load_progress_ratio${P}`, '{{pair}}']], {
      max: 1,
      emptyWhileHealthy: noLoad,
    }),
  ],
};

const source: Board = {
  uid: 'terrafusion-source',
  title: 'TerraFusion source and slot',
  variable: bySource,
  panels: [
    stat('Budget used', 'Of the WAL that the source may keep for us.', 'percentunit', [
      [`terrafusion_slot_retained_bytes${S} / terrafusion_slot_budget_bytes${S}`, '{{source}}'],
    ], { steps: [0.6, 1] }), // prettier-ignore
    stat(
      'Time left',
      'Until the budget is used up, at the present rate.',
      's',
      [[`terrafusion_slot_seconds_left${S}`, '{{source}}']],
      {
        emptyWhileHealthy: 'what is kept does not grow',
      },
    ),
    stat('Slot is read', '1 while somebody reads from it.', 'short', [[`terrafusion_slot_active${S}`, '{{source}}']], {
      max: 1,
    }),
    stat('Until it is given up', 'WAL until the source drops the slot (max_slot_wal_keep_size).', 'bytes', [
      [`terrafusion_slot_safe_bytes${S}`, '{{source}}'],
    ], { emptyWhileHealthy: 'the source has no such limit' }), // prettier-ignore
    stat('Reader', 'The state that is 1.', 'short', [[`terrafusion_reader_state${S} == 1`, '{{source}} {{state}}']], {
      width: 8,
    }),
    plot('WAL kept for our slot', 'Beside what may be kept.', 'bytes', [
      [`terrafusion_slot_retained_bytes${S}`, '{{source}}'],
      [`terrafusion_slot_budget_bytes${S}`, '{{source}} budget'],
    ]),
    plot('Growth of it', 'A second.', 'Bps', [[`terrafusion_slot_growth_bytes_per_second${S}`, '{{source}}']]),
    plot('Changes', 'Read, and stored in the topic, a second.', 'ops', [
      [`sum by (source) (${rate('changes_read_total', S)})`, '{{source}} read'],
      [`sum by (source) (${rate('changes_appended_total', S)})`, '{{source}} stored'],
    ]),
    plot('Reader behind', "WAL between the topic and the source's end.", 'bytes', [
      [`terrafusion_reader_lag_bytes${S}`, '{{source}}'],
    ]),
    plot('Bytes stored', 'A second.', 'Bps', [[`sum by (source) (${rate('appended_bytes_total', S)})`, '{{source}}']]),
    plot('Changes of a block', 'What was stored, divided by the blocks it came in.', 'short', [
      [`sum by (source) (${rate('changes_appended_total', S)}) / sum by (source) (${rate('blocks_appended_total', S)})`, '{{source}}'],
    ]), // prettier-ignore
  ],
};

const bus: Board = {
  uid: 'terrafusion-bus',
  title: 'TerraFusion bus',
  variable: bySource,
  panels: [
    stat('Disk budget used', 'Of BUS_MAX_BYTES; the embedded bus only.', 'percentunit', [
      ['max(terrafusion_bus_used_bytes) / max(terrafusion_bus_max_bytes)'],
    ], { steps: [0.7, 0.85], max: 1 }), // prettier-ignore
    stat('Disk used', 'By all topics of the embedded bus.', 'bytes', [['max(terrafusion_bus_used_bytes)']]),
    plot(
      'Depth',
      "Blocks that each source's topic retains.",
      'short',
      [[`terrafusion_bus_topic_blocks${S}`, '{{source}}']],
      {
        width: 16,
      },
    ),
    plot('Disk by topic', 'Of the embedded bus.', 'bytes', [[`terrafusion_bus_topic_bytes${S}`, '{{source}}']]),
    plot('Blocks stored', 'A second.', 'ops', [
      [`sum by (source) (${rate('blocks_appended_total', S)})`, '{{source}}'],
    ]),
    plot('Blocks that wait', 'For each target.', 'short', [['terrafusion_waiting_blocks', '{{pair}}']]),
    plot('Blocks that wait for a stream processor', 'With Kafka, where it has a topic of its own.', 'short', [
      ['terrafusion_processor_waiting_blocks', '{{pair}}'],
    ], { emptyWhileHealthy: 'the bus is the embedded one' }), // prettier-ignore
  ],
};

const target: Board = {
  uid: 'terrafusion-target',
  title: 'TerraFusion target',
  variable: byPair,
  panels: [
    plot('Changes applied', 'By operation, a second.', 'ops', [
      [`sum by (pair, op) (${rate('changes_applied_total', P)})`, '{{pair}} {{op}}'],
    ]),
    plot('Target transactions', 'A second.', 'ops', [
      [`sum by (pair) (${rate('batch_changes_count', P)})`, '{{pair}}'],
    ]),
    plot('Changes of a transaction', 'Batches grow while the target is busy.', 'short', [
      [quantile(0.5, 'batch_changes', 'pair', P), '{{pair}} half'],
      [quantile(0.99, 'batch_changes', 'pair', P), '{{pair}} 99 %'],
    ]),
    plot('Time of a transaction', 'From giving it to the target to its commit.', 's', [
      [quantile(0.5, 'batch_apply_seconds', 'pair', P), '{{pair}} half'],
      [quantile(0.99, 'batch_apply_seconds', 'pair', P), '{{pair}} 99 %'],
    ]),
    plot('Interruptions', 'After which work was tried again by itself, by code, in 5 minutes.', 'short', [
      ['sum by (stage, code) (increase(terrafusion_retries_total[5m]))', '{{stage}} {{code}}'],
    ], { emptyWhileHealthy: noTrouble }), // prettier-ignore
    plot('Circuits', 'Pieces of work by state: open ones wait, halted ones wait for somebody.', 'short', [
      ['sum by (stage, state) (terrafusion_circuit_state)', '{{stage}} {{state}}'],
    ]),
    plot('Restarts', 'Of work and of the sync-service, in an hour.', 'short', [
      ['sum by (stage) (increase(terrafusion_restarts_total[1h]))', '{{stage}}'],
    ]),
  ],
};

const api: Board = {
  uid: 'terrafusion-api',
  title: 'TerraFusion API',
  panels: [
    stat('Requests', 'A second, gateway and sync-service.', 'ops', [[`sum(${rate('http_request_seconds_count')})`]]),
    stat('Errors', 'Answered with 500 or above, in 5 minutes.', 'short', [
      ['sum(increase(terrafusion_http_request_seconds_count{status=~"5.."}[5m])) or vector(0)'],
    ], { steps: [1, 10] }), // prettier-ignore
    stat('Refused', 'Answered with 400 to 499, in 5 minutes.', 'short', [
      ['sum(increase(terrafusion_http_request_seconds_count{status=~"4.."}[5m])) or vector(0)'],
    ]),
    stat('Event streams', 'Open ones.', 'short', [['sum(terrafusion_event_streams)']]),
    stat('Control database', '1 while it answers.', 'short', [['min(terrafusion_control_database_up)']], { max: 1 }),
    stat('Sync-service', '1 while it answers the gateway.', 'short', [['min(terrafusion_sync_service_up)']], {
      max: 1,
    }),
    plot('Requests by route', 'The ten busiest, a second.', 'ops', [
      [
        `topk(10, sum by (component, method, route) (${rate('http_request_seconds_count')}))`,
        '{{component}} {{method}} {{route}}',
      ],
    ]),
    plot('Time of a request', 'The slowest hundredth, by route; the ten slowest.', 's', [
      [
        `topk(10, ${quantile(0.99, 'http_request_seconds', 'component, method, route')})`,
        '{{component}} {{method}} {{route}}',
      ],
    ]),
    plot('Replies by status', 'A second.', 'ops', [
      [`sum by (component, status) (${rate('http_request_seconds_count')})`, '{{component}} {{status}}'],
    ]),
    plot('Operations', 'Under way, and ended within an hour.', 'short', [
      ['sum(terrafusion_operations_running)', 'running'],
      ['sum by (outcome) (terrafusion_operations_ended_1h)', '{{outcome}}'],
    ]),
    plot('Heartbeats', 'Age of the youngest of each stage and service.', 's', [
      ['max by (stage) (terrafusion_heartbeat_age_seconds)', '{{stage}}'],
    ], { steps: [15, null] }), // prettier-ignore
    plot('Alerts', 'Firing, by rule.', 'short', [['terrafusion_alerts{state="firing"}', '{{rule}}']]),
    plot('Messages about alerts', 'By channel and outcome, in an hour.', 'short', [
      ['sum by (channel, outcome) (increase(terrafusion_alert_deliveries_total[1h]))', '{{channel}} {{outcome}}'],
    ], { emptyWhileHealthy: 'neither webhook nor e-mail is set up' }), // prettier-ignore
  ],
};

const machine: Board = {
  uid: 'terrafusion-machine',
  title: 'TerraFusion machine',
  panels: [
    plot('CPU', 'Of all cores of the machine, by part that runs on it.', 'percentunit', [
      [
        `1 - sum by (component, instance) (${rate('system_cpu_seconds_total', '{mode="idle"}')}) / sum by (component, instance) (${rate('system_cpu_seconds_total')})`,
        '{{component}} {{instance}}',
      ],
    ], { max: 1, steps: [0.8, null] }), // prettier-ignore
    plot('Memory', 'In use, of the machine.', 'percentunit', [
      ['1 - terrafusion_system_memory_available_bytes / terrafusion_system_memory_total_bytes', '{{component}} {{instance}}'],
    ], { max: 1, steps: [0.8, null] }), // prettier-ignore
    plot('Disk', "In use, of the data folder's.", 'percentunit', [
      ['1 - terrafusion_system_disk_available_bytes / terrafusion_system_disk_total_bytes', '{{component}} {{instance}}'],
    ], { max: 1, steps: [0.85, null] }), // prettier-ignore
    plot('Network', 'A second, all interfaces but the loopback.', 'Bps', [
      [rate('system_network_bytes_total'), '{{component}} {{direction}}'],
    ]),
    plot('CPU of the processes', 'Cores that each uses.', 'short', [
      [rate('process_cpu_seconds_total'), '{{component}} {{instance}}'],
    ]),
    plot('Memory of the processes', 'Resident.', 'bytes', [
      ['terrafusion_process_resident_memory_bytes', '{{component}} {{instance}}'],
    ]),
    plot('Event loop', 'How late the processes come to their work, 99 %.', 's', [
      ['terrafusion_nodejs_eventloop_lag_p99_seconds', '{{component}} {{instance}}'],
    ]),
    plot('Load', 'Processes that ran or wanted to, beside the cores there are.', 'short', [
      ['terrafusion_system_load1', '{{component}} {{instance}}'],
      ['terrafusion_system_cpu_cores', '{{component}} cores'],
    ]),
  ],
};

/** By file name. */
export const boards: Readonly<Record<string, Board>> = { overview, pair, source, bus, target, api, machine };
