// @ts-check
import { events, get, keyStore, Refused } from './api.js';
import { Rates } from './rates.js';
import {
  byId,
  element,
  pairCard,
  setState,
  showAlerts,
  showComponents,
  showDeadLetters,
  showOperations,
} from './view.js';

/** How often lists that no event announces are read again, in ms. */
const LISTS_EVERY = 5000;
/** How often rates and relative times are brought up to date, in ms. */
const TICK = 1000;
/** Waits between two tries to reach the gateway, in ms. */
const RECONNECT_FIRST = 500;
const RECONNECT_MAX = 10_000;

/** @typedef {{ pair: any, rates: Rates, card: ReturnType<typeof pairCard>, open: boolean }} Shown */
/** @type {Map<string, Shown>} */
const pairs = new Map();
/** The operation of a link of the older dashboard: /sync/job/<id>. */
const wantedOperation = /\/job\/([^/]+)$/.exec(location.pathname)?.[1];
/** Ends the live view when the key is forgotten. */
let session = new AbortController();

byId('forget-key').addEventListener('click', () => {
  keyStore.forget();
  session.abort();
  askForKey('');
});
byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (/** @type {unknown} */ (byId('key')));
  keyStore.set(input.value.trim());
  input.value = '';
  void begin();
});
setInterval(refreshFigures, TICK);
void begin();

/** Opens the live view with the key there is, or asks for one. An installation without keys lets everybody in. */
async function begin() {
  try {
    showStatus(await get('/api/status'));
  } catch (error) {
    if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
      const had = keyStore.get() !== null;
      keyStore.forget();
      askForKey(had ? error.message : '');
      return;
    }
    setState(byId('health'), 'down');
  }
  session = new AbortController();
  byId('key-form').hidden = true;
  byId('live').hidden = false;
  byId('forget-key').hidden = keyStore.get() === null;
  void follow(session.signal);
  void readLists(session.signal);
}

/** @param {string} problem */
function askForKey(problem) {
  byId('live').hidden = true;
  byId('forget-key').hidden = true;
  byId('key-form').hidden = false;
  byId('key-problem').textContent = problem;
  setState(byId('health'), 'key wanted');
  byId('key').focus();
}

/**
 * Lives on the event stream; while there is none, on the status.
 * @param {AbortSignal} signal
 */
async function follow(signal) {
  let wait = RECONNECT_FIRST;
  while (!signal.aborted) {
    try {
      for await (const { type, data } of events('/api/events', signal)) {
        wait = RECONNECT_FIRST;
        tellStale('');
        take(type, data);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === 401) {
        keyStore.forget();
        session.abort();
        askForKey(error.message);
        return;
      }
      tellStale(error instanceof Error ? error.message : String(error));
    }
    await get('/api/status').then(showStatus, () => setState(byId('health'), 'down'));
    await pause(wait, signal);
    wait = Math.min(wait * 2, RECONNECT_MAX);
  }
}

/** @param {string} reason why what is shown may be old; empty when it is live */
function tellStale(reason) {
  const notice = byId('stale');
  notice.hidden = reason === '';
  notice.textContent = reason === '' ? '' : `${reason} What is shown may be old; trying again.`;
}

/**
 * @param {string} type
 * @param {any} data
 */
function take(type, data) {
  if (type === 'pairs') showPairs(data.items);
  else if (type === 'pair') showPair(data);
  else if (type === 'pair_deleted') removePair(data.id);
  else if (type === 'components') {
    showComponents(data.items);
    showHealth(data.items);
  } else if (type === 'alerts') showAlerts(data.items);
}

/** @param {any} status StatusView */
function showStatus(status) {
  setState(byId('health'), status.state);
  showComponents(status.components);
  showAlerts(status.alerts);
  showPairs(status.pairs);
}

/** @param {any[]} components */
function showHealth(components) {
  const states = components.map(({ state }) => state);
  setState(byId('health'), states.includes('down') ? 'down' : states.includes('degraded') ? 'degraded' : 'up');
}

/** @param {any[]} items all there are */
function showPairs(items) {
  const ids = new Set(items.map(({ id }) => id));
  for (const id of pairs.keys()) if (!ids.has(id)) removePair(id);
  for (const pair of items) showPair(pair);
  byId('no-pairs').hidden = pairs.size > 0;
}

/** @param {any} pair PairSummary */
function showPair(pair) {
  let shown = pairs.get(pair.id);
  if (shown === undefined) {
    /** @type {Shown} */
    const made = {
      pair,
      rates: new Rates(),
      open: false,
      card: pairCard(pair, (open) => {
        made.open = open;
        if (open) void readTables(made);
      }),
    };
    shown = made;
    pairs.set(pair.id, shown);
    byId('pair-list').append(shown.card.root);
    byId('no-pairs').hidden = true;
  }
  shown.pair = pair;
  shown.card.update(pair, shown.rates);
}

/** @param {string} id */
function removePair(id) {
  pairs.get(id)?.card.root.remove();
  pairs.delete(id);
  byId('no-pairs').hidden = pairs.size > 0;
}

/** A pair that rests sends no events: its rate falls to nothing all the same. */
function refreshFigures() {
  const now = performance.now();
  for (const { pair, rates, card } of pairs.values()) {
    rates.add(pair.changes_applied, now);
    card.update(pair, rates);
  }
}

/** @param {AbortSignal} signal */
async function readLists(signal) {
  while (!signal.aborted) {
    if (document.visibilityState === 'visible') {
      await Promise.all([
        get('/api/sync-operations?limit=15').then((page) => showOperations(page.items, wantedOperation), ignore),
        get('/api/dead-letters?limit=25&state=open').then((page) => showDeadLetters(page.items), showNoRight),
        ...[...pairs.values()].filter(({ open }) => open).map(readTables),
      ]);
    }
    await pause(LISTS_EVERY, signal);
  }
}

/** @param {Shown} shown */
async function readTables(shown) {
  await get(`/api/sync-pairs/${encodeURIComponent(shown.pair.id)}/tables`).then(
    (page) => shown.card.setTables(page.items),
    ignore,
  );
}

/** @param {unknown} error */
function showNoRight(error) {
  if (!(error instanceof Refused) || error.status !== 403) return;
  byId('no-dead-letters').hidden = true;
  byId('dead-letter-rows').replaceChildren(
    element(
      'tr',
      {},
      element('td', { colspan: '5' }, 'Dead letters hold rows of the county: this key may not see them.'),
    ),
  );
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

function ignore() {
  // What could not be read now is read again in a moment.
}
