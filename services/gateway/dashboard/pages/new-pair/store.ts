import { signal } from '@preact/signals';
import { emptyDraft, readDraft, type PairDraft, type TableDraft } from './draft.ts';

const STORAGE = 'terrafusion.new-pair';

/** What has been filled in so far; lives as long as the tab, also over a reload. */
export const draft = signal<PairDraft>(readDraft(sessionStorage.getItem(STORAGE)));
/** It is too large for the browser to keep: a reload would lose it. */
export const notKept = signal(false);

export function change(part: Partial<PairDraft>): void {
  draft.value = { ...draft.value, ...part };
  try {
    sessionStorage.setItem(STORAGE, JSON.stringify(draft.value));
    notKept.value = false;
  } catch {
    notKept.value = true;
  }
}

export function changeTable(source: string, part: Partial<TableDraft>): void {
  change({ tables: draft.value.tables.map((table) => (table.source === source ? { ...table, ...part } : table)) });
}

export function forgetDraft(): void {
  sessionStorage.removeItem(STORAGE);
  draft.value = emptyDraft;
}
