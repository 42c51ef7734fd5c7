import { signal } from '@preact/signals';

/** "utc", as the API tells times, or "local": as the clock of this browser shows them. */
export type TimeZone = 'utc' | 'local';

const STORAGE = 'terrafusion.time-zone';

export const timeZone = signal<TimeZone>(localStorage.getItem(STORAGE) === 'local' ? 'local' : 'utc');

export function setTimeZone(wanted: TimeZone): void {
  if (wanted === 'utc') localStorage.removeItem(STORAGE);
  else localStorage.setItem(STORAGE, wanted);
  timeZone.value = wanted;
}

/** What the browser calls its own zone: "Europe/Berlin". */
export const ownTimeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone by the name that `Intl` takes. */
export const zoneName = (zone: TimeZone): string => (zone === 'utc' ? 'UTC' : ownTimeZone());
