/** What is asked of Prometheus, and what the answer is called in the legend. */
export type Query = readonly [expr: string, legend?: string];

export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'timeseries' | 'stat' | 'gauge' | 'bargauge' | 'table';
  /** As Grafana calls it: s, bytes, ops, percentunit, short … */
  readonly unit: string;
  readonly width: number;
  readonly height: number;
  readonly queries: readonly Query[];
  /** From where on it is coloured: orange, then red. */
  readonly steps?: readonly [warning: number | null, critical: number | null];
  readonly max?: number;
  readonly stacked?: boolean;
  /** Why its queries answer nothing while all is well. */
  readonly emptyWhileHealthy?: string;
}

export interface Board {
  readonly uid: string;
  readonly title: string;
  /** Label of the drop-down, and the query of its values. */
  readonly variable?: { readonly name: string; readonly label: string; readonly query: string };
  readonly panels: readonly Panel[];
}

type More = Partial<Omit<Panel, 'title' | 'description' | 'type' | 'unit' | 'queries'>>;
const panelOf =
  (type: Panel['type'], width: number, height: number) =>
  (title: string, description: string, unit: string, queries: readonly Query[], more: More = {}): Panel => ({
    title,
    description,
    type,
    unit,
    queries,
    width,
    height,
    ...more,
  });

/** A number by itself. */
export const stat = panelOf('stat', 4, 4);
/** A plot. */
export const plot = panelOf('timeseries', 12, 8);
/** Bars, one a series. */
export const bars = panelOf('bargauge', 12, 8);

const datasource = { type: 'prometheus', uid: 'prometheus' };
const COLUMNS = 24;

/** The board as Grafana reads it: panels one beside the other, row after row. */
export function boardJson({ uid, title, variable, panels }: Board): object {
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  const placed = panels.map((panel, index) => {
    if (x + panel.width > COLUMNS) {
      x = 0;
      y += rowHeight;
      rowHeight = 0;
    }
    const gridPos = { x, y, w: panel.width, h: panel.height };
    x += panel.width;
    rowHeight = Math.max(rowHeight, panel.height);
    return panelJson(panel, index + 1, gridPos);
  });
  return {
    uid,
    title,
    tags: ['terrafusion'],
    schemaVersion: 41,
    version: 1,
    editable: false,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    graphTooltip: 1,
    links: [{ type: 'dashboards', title: 'TerraFusion', tags: ['terrafusion'], asDropdown: true, keepTime: true }],
    templating: { list: variable ? [variableJson(variable)] : [] },
    annotations: { list: [alertAnnotation] },
    panels: placed,
  };
}

/** Alerts of Prometheus as marks in every plot. */
const alertAnnotation = {
  name: 'Alerts',
  enable: true,
  hide: false,
  iconColor: 'red',
  datasource,
  expr: 'ALERTS{alertname=~"TerraFusion.*", alertstate="firing", severity!="info"}',
  titleFormat: '{{alertname}} {{pair}}{{source}}',
};

function variableJson({ name, label, query }: NonNullable<Board['variable']>): object {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query, refId: name },
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
    sort: 1,
  };
}

function panelJson(panel: Panel, id: number, gridPos: object): object {
  const { title, description, type, unit, queries, steps, max, stacked, emptyWhileHealthy } = panel;
  const [warning = null, critical = null] = steps ?? [];
  const thresholds = [
    { color: 'green', value: null },
    ...(warning === null ? [] : [{ color: 'orange', value: warning }]),
    ...(critical === null ? [] : [{ color: 'red', value: critical }]),
  ];
  return {
    id,
    title,
    description: emptyWhileHealthy === undefined ? description : `${description} Empty while ${emptyWhileHealthy}.`,
    type,
    datasource,
    gridPos,
    targets: queries.map(([expr, legendFormat = ''], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat,
    })),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max === undefined ? {} : { max }),
        thresholds: { mode: 'absolute', steps: thresholds },
        ...(type === 'timeseries'
          ? { custom: { fillOpacity: 10, showPoints: 'never', ...(stacked ? { stacking: { mode: 'normal' } } : {}) } }
          : {}),
      },
      overrides: [],
    },
    options:
      type === 'timeseries'
        ? { legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] } }
        : {
            reduceOptions: { calcs: ['lastNotNull'] },
            ...(type === 'stat' ? { colorMode: 'value', graphMode: 'area' } : {}),
          },
  };
}
