// @ts-check
import * as format from './format.js';
import { POINTS, sparkPath } from './rates.js';

/**
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element "${id}"`);
  return /** @type {T} */ (/** @type {unknown} */ (element));
}

/**
 * An element with text or children. Text is always text: what the county's data holds never becomes markup.
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(string | Node)} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * @param {Element} where
 * @param {string} text
 */
function setText(where, text) {
  // Only what differs: a screen reader and a selection are left in peace.
  if (where.textContent !== text) where.textContent = text;
}

/**
 * @param {Element} badge
 * @param {string} state
 */
export function setState(badge, state) {
  setText(badge, format.words(state));
  const wanted = `badge ${format.tone(state)}`;
  if (badge.className !== wanted) badge.className = wanted;
}

/**
 * @param {string | null | undefined} moment
 * @returns {HTMLElement}
 */
function time(moment) {
  const text = format.ago(moment, Date.now());
  return moment ? element('time', { datetime: moment, title: moment }, text) : element('span', {}, text);
}

/**
 * The card of one pair: made once, then brought up to date in place.
 * @param {any} pair PairSummary
 * @param {(open: boolean) => void} onTables told when its tables are opened or closed
 */
export function pairCard(pair, onTables) {
  const badge = element('span', {});
  const title = element('h3', {}, pair.name);
  const ends = element('span', { class: 'ends' });
  const figures = ['Changes/s', 'Changes applied', 'Lag', 'Behind', 'Dead letters'].map((label) => {
    const value = element('dd');
    return { value, box: element('div', {}, element('dt', {}, label), value) };
  });
  const position = element('dd', { class: 'small' });
  const line = svg('path', {});
  const area = svg('path', { class: 'area' });
  const spark = svg('svg', {
    class: 'spark',
    viewBox: `0 0 ${POINTS - 1} 100`,
    preserveAspectRatio: 'none',
    role: 'img',
  });
  const sparkTitle = svg('title', {});
  spark.append(sparkTitle, area, line);
  const problem = element('p', { class: 'problem', role: 'alert' });
  const warning = element('p', { class: 'warning', role: 'status' });
  const tables = element('tbody');
  const details = /** @type {HTMLDetailsElement} */ (
    element(
      'details',
      {},
      element('summary', {}, 'Tables'),
      element(
        'div',
        { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Tables of ${pair.name}` },
        element('table', {}, tableHead(['Source', 'Target', 'State', 'Rows copied', 'Changes', 'Last change']), tables),
      ),
    )
  );
  details.addEventListener('toggle', () => onTables(details.open));
  const root = element(
    'article',
    { class: 'card', 'aria-label': `Pair ${pair.name}` },
    element('div', { class: 'pair-head' }, title, badge, ends),
    element(
      'dl',
      { class: 'figures' },
      ...figures.map(({ box }) => box),
      element('div', {}, element('dt', {}, 'Position'), position),
    ),
    spark,
    problem,
    warning,
    details,
  );

  return {
    root,
    details,
    /**
     * @param {any} now PairSummary
     * @param {import('./rates.js').Rates} rates
     */
    update(now, rates) {
      setText(title, now.name);
      setState(badge, now.state);
      setText(ends, `${now.source.name} → ${now.target.name}`);
      const shown = [
        format.rate(now.state === 'paused' ? 0 : rates.current),
        format.count(now.changes_applied),
        format.duration(now.lag_seconds),
        format.bytes(now.lag_bytes),
        format.count(now.dead_letters),
      ];
      figures.forEach(({ value }, index) => setText(value, shown[index] ?? ''));
      setText(position, now.position ?? '–');
      const path = sparkPath(rates.points);
      line.setAttribute('d', path.line);
      area.setAttribute('d', path.area);
      setText(
        sparkTitle,
        `Changes a second over the last ${rates.points.length} looks, now ${format.rate(rates.current)}`,
      );
      setText(problem, now.error ? `${now.error.code}: ${now.error.message} — ${now.error.fix}` : '');
      problem.hidden = !now.error;
      // Nobody works on it: what is shown is from before. (Promise 9)
      const notes = [
        now.stale ? 'Nothing runs this pair at the moment; its state is the last that was told.' : '',
        now.warning ? `${now.warning.code}: ${now.warning.message} — ${now.warning.fix}` : '',
      ].filter((note) => note !== '');
      setText(warning, notes.join(' '));
      warning.hidden = notes.length === 0;
    },
    /** @param {any[]} items PairTableView */
    setTables(items) {
      tables.replaceChildren(
        ...items.map((table) =>
          element(
            'tr',
            {},
            element('td', {}, table.source),
            element('td', {}, table.target),
            element('td', {}, format.words(table.state)),
            element(
              'td',
              {},
              table.rows_total === null
                ? format.count(table.rows_copied)
                : `${format.count(table.rows_copied)} of ${format.count(Math.max(table.rows_total, table.rows_copied))}`,
            ),
            element('td', {}, format.count(table.changes_applied)),
            element('td', {}, time(table.last_change_at)),
          ),
        ),
      );
    },
  };
}

/** @param {string[]} titles */
function tableHead(titles) {
  return element('thead', {}, element('tr', {}, ...titles.map((title) => element('th', { scope: 'col' }, title))));
}

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 */
function svg(name, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** @param {any[]} items ComponentView */
export function showComponents(items) {
  byId('component-list').replaceChildren(
    ...items.map(({ name, state, message }) => {
      const badge = element('span', {});
      setState(badge, state);
      return element('li', { class: 'card' }, element('strong', {}, name), ' ', badge, element('p', {}, message));
    }),
  );
}

/** @param {any[]} items AlertView */
export function showAlerts(items) {
  const list = byId('alerts');
  list.hidden = items.length === 0;
  list.replaceChildren(
    ...items.map(({ severity, message, pair }) =>
      element(
        'li',
        { class: severity === 'critical' ? 'bad' : 'busy' },
        element('strong', {}, pair === null ? severity : `${severity}: ${pair}`),
        ` ${message}`,
      ),
    ),
  );
}

/** @param {any[]} items DeadLetterView */
export function showDeadLetters(items) {
  byId('no-dead-letters').hidden = items.length > 0;
  byId('dead-letter-rows').replaceChildren(
    ...items.map((letter) =>
      element(
        'tr',
        {},
        element('td', {}, time(letter.created_at)),
        element('td', {}, letter.pair.name),
        element('td', {}, letter.source_table),
        element('td', { class: 'wide' }, letter.reason),
        element('td', { class: 'wide' }, format.rowText(letter.row)),
      ),
    ),
  );
}

/**
 * @param {any[]} items OperationView
 * @param {string | undefined} wanted id that an old link asked for
 */
export function showOperations(items, wanted) {
  byId('no-operations').hidden = items.length > 0;
  byId('operation-rows').replaceChildren(
    ...items.map((operation) => {
      const badge = element('span', {});
      setState(badge, operation.state);
      const { rows_copied: copied, rows_total: total } = operation.progress;
      const progress =
        operation.error === null
          ? typeof copied === 'number'
            ? `${format.count(copied)}${typeof total === 'number' ? ` of ${format.count(Math.max(total, copied))}` : ''} rows`
            : ''
          : `${operation.error.code}: ${operation.error.message}`;
      return element(
        'tr',
        operation.id === wanted ? { class: 'wanted' } : {},
        element('td', {}, time(operation.started_at ?? operation.created_at)),
        element('td', {}, operation.pair.name),
        element('td', {}, operation.type),
        element('td', {}, badge),
        element('td', { class: 'wide' }, progress),
      );
    }),
  );
}
