import type { LoadWindow } from '#schemas/pairs.ts';

const DAY = 24 * 60;

/** Whether loads may run at this moment. A window that ends before it begins lies over midnight; one of no length is the whole day. */
export function isOpen({ from, to, zone }: LoadWindow, now: number): boolean {
  const [begin, end] = [minutesOf(from), minutesOf(to)];
  if (begin === end) return true;
  const minute = Math.floor(minuteOfDay(zone, now));
  return begin < end ? minute >= begin && minute < end : minute >= begin || minute < end;
}

/** Milliseconds until it opens; 0 when it is open. By the clock on the wall: where that is about to be changed, an hour off. */
export function msUntilOpen(window: LoadWindow, now: number): number {
  if (isOpen(window, now)) return 0;
  return ((minutesOf(window.from) - minuteOfDay(window.zone, now) + DAY) % DAY) * 60_000;
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number) as [number, number];
  return hours * 60 + minutes;
}

function minuteOfDay(zone: string, now: number): number {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(now);
  const value = (type: string): number => Number(parts.find((part) => part.type === type)!.value);
  return value('hour') * 60 + value('minute') + value('second') / 60;
}
