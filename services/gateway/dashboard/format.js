// @ts-check
/** Figures as people read them. Every function takes null for "not known". */

const UNKNOWN = '–';

/** @param {number | null | undefined} value */
export function count(value) {
  return value === null || value === undefined ? UNKNOWN : Math.round(value).toLocaleString('en-US');
}

/** @param {number | null | undefined} value changes a second */
export function rate(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return value >= 100 ? count(value) : value.toFixed(1);
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let figure = value;
  let unit = 0;
  while (figure >= 1024 && unit < units.length - 1) {
    figure /= 1024;
    unit += 1;
  }
  return `${unit === 0 || figure >= 100 ? Math.round(figure) : figure.toFixed(1)} ${units[unit]}`;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  if (seconds < 84_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/**
 * "12 s ago"; the exact moment belongs into the title.
 * @param {string | null | undefined} moment ISO 8601
 * @param {number} now ms since 1970
 */
export function ago(moment, now) {
  if (moment === null || moment === undefined) return UNKNOWN;
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  return seconds < 1 ? 'now' : `${duration(Math.floor(seconds))} ago`;
}

/**
 * Which colour a state has: good, busy or bad.
 * @param {string} state of a pair, a component, an operation
 */
export function tone(state) {
  if (['streaming', 'up', 'completed'].includes(state)) return 'good';
  if (['failed', 'down', 'critical'].includes(state)) return 'bad';
  return 'busy';
}

/** @param {string} state "catching_up" */
export function words(state) {
  return state.replaceAll('_', ' ');
}

/**
 * A row as one line: "prop_id 13 · geo_id 100-0-00091".
 * @param {Record<string, string | null>} row
 */
export function rowText(row) {
  return Object.entries(row)
    .map(([name, value]) => `${name} ${value === null ? 'NULL' : value.length > 40 ? `${value.slice(0, 40)}…` : value}`)
    .join(' · ');
}
