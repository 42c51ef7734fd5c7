import { computed, signal } from '@preact/signals';
import { emptyDraft, readDraft, type PairDraft, type TableDraft } from './draft.ts';

const STORAGE = 'terrafusion.new-pair';

/** What has been filled in so far; lives as long as the tab, also over a reload. */
const made = signal<PairDraft>(readDraft(sessionStorage.getItem(STORAGE)));
/** A pair that is there and is being changed, by the same editors. Kept nowhere: what is not saved is forgotten with its page. */
export const changing = signal<PairDraft | undefined>(undefined);
/** What is being edited. */
export const draft = computed<PairDraft>(() => changing.value ?? made.value);
/** It is too large for the browser to keep: a reload would lose it. */
export const notKept = signal(false);

export function change(part: Partial<PairDraft>): void {
  if (changing.value) {
    changing.value = { ...changing.value, ...part };
    return;
  }
  made.value = { ...made.value, ...part };
  try {
    sessionStorage.setItem(STORAGE, JSON.stringify(made.value));
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
  made.value = emptyDraft;
}
