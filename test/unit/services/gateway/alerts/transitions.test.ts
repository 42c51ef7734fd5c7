import { describe, expect, test } from 'vitest';
import { alertCodes, keyOf, type AlertCode, type Condition } from '#schemas/alerts.ts';
import type { AlertChange, OpenAlert } from '#services/control/alerts.ts';
import { transitions } from '#services/gateway/alerts/transitions.ts';

const all = new Set(alertCodes);
const at = (seconds: number): Date => new Date(seconds * 1000);
const lag: Condition = {
  code: 'replication_lag',
  pair: 'owners',
  subject: null,
  severity: 'warning',
  message: '90 seconds behind its source',
  value: 90,
};
const failed: Condition = { ...lag, code: 'pair_failed', severity: 'critical', message: 'no table', value: null };
const slot: Condition = { ...lag, code: 'slot_wal_budget', pair: null, subject: 'pacs' };

/** What a control database would hold after the changes: enough to go on from. */
class Store {
  open: OpenAlert[] = [];
  readonly gone: OpenAlert[] = [];
  #next = 1;

  look(seconds: number, conditions: readonly Condition[], judged: ReadonlySet<AlertCode> = all): AlertChange[] {
    const now = at(seconds);
    const changes = transitions(this.open, conditions, judged, { now, repeatMs: 3600_000, calmMs: 60_000 });
    for (const change of changes) {
      if (change.kind === 'seen') {
        const { condition, state, notice, key } = change;
        const before = this.open.find(({ id }) => id === change.id);
        const alert: OpenAlert = {
          id: String(this.#next++), key, since: now, resolvedAt: undefined, acknowledgedAt: undefined, toldAt: undefined,
          acknowledgedBy: undefined, silencedUntil: undefined, silencedBy: undefined, comment: undefined,
          ...before, ...condition, state, notice, seenAt: now,
          firedAt: before?.firedAt ?? (state === 'firing' ? now : undefined),
        }; // prettier-ignore
        this.open = [...this.open.filter(({ id }) => id !== change.id), alert];
        continue;
      }
      const alert = this.open.find(({ id }) => id === change.id)!;
      this.open = this.open.filter(({ id }) => id !== change.id);
      if (change.kind === 'resolved')
        this.gone.push({ ...alert, state: 'resolved', notice: change.notice, resolvedAt: now });
    }
    return changes;
  }

  /** What waits to be told is told. */
  tell(seconds: number): string[] {
    const told = [...this.open, ...this.gone].filter(({ notice }) => notice !== undefined);
    const words = told.map(({ code, notice }) => `${code} ${notice!}`);
    this.open = this.open.map((each) =>
      each.notice === undefined ? each : { ...each, notice: undefined, toldAt: at(seconds) },
    );
    this.gone.length = 0;
    return words;
  }

  change(code: AlertCode, more: Partial<OpenAlert>): void {
    this.open = this.open.map((each) => (each.code === code ? { ...each, ...more } : each));
  }
}

describe('an alert', () => {
  test('is pending until it has been so for long enough, then it fires and is told once', () => {
    const store = new Store();
    store.look(0, [lag]);
    expect(store.open).toMatchObject([{ state: 'pending', since: at(0), notice: undefined }]);
    store.look(59, [lag]);
    expect(store.open).toMatchObject([{ state: 'pending', since: at(0) }]);
    store.look(60, [{ ...lag, message: '150 seconds behind its source', value: 150 }]);
    expect(store.open).toMatchObject([{ state: 'firing', since: at(0), firedAt: at(60), value: 150 }]);
    expect(store.tell(60)).toEqual(['replication_lag raised']);
    store.look(70, [lag]);
    expect(store.tell(70)).toEqual([]);
  });

  test('that ends before it fires leaves nothing behind', () => {
    const store = new Store();
    store.look(0, [lag]);
    expect(store.look(30, [])).toEqual([{ kind: 'dropped', id: '1' }]);
    store.look(40, [lag]);
    expect(store.open).toMatchObject([{ since: at(40) }]);
    expect(store.tell(40)).toEqual([]);
  });

  test('fires at once where no patience is needed', () => {
    const store = new Store();
    store.look(0, [failed]);
    expect(store.tell(0)).toEqual(['pair_failed raised']);
  });

  test('is resolved once it has been away for a minute, and coming back before that it is the same one', () => {
    const store = new Store();
    store.look(0, [failed]);
    store.tell(0);
    expect(store.look(59, [])).toEqual([]);
    store.look(59, [failed]);
    store.look(118, []);
    expect(store.open).toMatchObject([{ id: '1', state: 'firing' }]);
    store.look(119, []);
    expect(store.open).toEqual([]);
    expect(store.tell(119)).toEqual(['pair_failed resolved']);
  });

  test('that was not told does not tell its end', () => {
    const store = new Store();
    store.look(0, [failed]);
    store.look(60, []);
    expect(store.tell(60)).toEqual([]);
  });

  test('is told again after a while, until somebody acknowledges it', () => {
    const store = new Store();
    store.look(0, [failed]);
    store.tell(0);
    store.look(3599, [failed]);
    expect(store.tell(3599)).toEqual([]);
    store.look(3600, [failed]);
    expect(store.tell(3600)).toEqual(['pair_failed again']);
    store.change('pair_failed', { acknowledgedAt: at(3700) });
    store.look(9000, [failed]);
    expect(store.tell(9000)).toEqual([]);
    store.look(9060, []);
    expect(store.tell(9060)).toEqual(['pair_failed resolved']);
  });

  test('that becomes worse is told at once, also when it was acknowledged', () => {
    const store = new Store();
    store.look(0, [slot]);
    store.tell(0);
    store.change('slot_wal_budget', { acknowledgedAt: at(5) });
    store.look(10, [{ ...slot, severity: 'critical' }]);
    expect(store.tell(10)).toEqual(['slot_wal_budget worse']);
    store.look(20, [slot]);
    expect(store.tell(20)).toEqual([]);
  });

  test('is silent until its silence ends; then it is told if it was not before', () => {
    const store = new Store();
    store.look(0, [failed]);
    store.change('pair_failed', { silencedUntil: at(100) });
    store.look(10, [failed]);
    expect(store.tell(10)).toEqual([]);
    store.look(100, [failed]);
    expect(store.tell(100)).toEqual(['pair_failed raised']);
    store.change('pair_failed', { silencedUntil: at(500) });
    store.look(200, []);
    expect(store.tell(200)).toEqual([]);
  });

  test('of which nothing is known stays as it is', () => {
    const store = new Store();
    store.look(0, [failed, lag]);
    store.tell(0);
    expect(store.look(5000, [], new Set(['cpu']))).toEqual([]);
    expect(store.open).toHaveLength(2);
  });

  test('is one for each pair and subject; of two that are the same the first counts', () => {
    const store = new Store();
    store.look(0, [slot, { ...slot, subject: 'gis' }, { ...slot, message: 'the same' }, failed]);
    expect(store.open.map(({ key }) => key).sort()).toEqual(
      [slot, { ...slot, subject: 'gis' }, failed].map(keyOf).sort(),
    );
    expect(store.open.find(({ subject }) => subject === 'pacs')!.message).toBe(slot.message);
  });

  test('that is shown only is never told', () => {
    const store = new Store();
    store.look(0, [{ ...lag, code: 'dead_letters' }]);
    expect(store.open).toMatchObject([{ state: 'firing' }]);
    expect(store.tell(0)).toEqual([]);
  });
});
