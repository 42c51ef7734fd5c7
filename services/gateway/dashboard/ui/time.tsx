import { now } from '../app/clock.ts';
import { timeZone, zoneName } from '../app/time-zone.ts';
import { absoluteIn, relative } from '../format.ts';

export interface TimeProps {
  readonly at: string | null | undefined;
  /** "12 s" instead of "12 s ago": for how long something has been so. */
  readonly span?: boolean;
}

/** "12 s ago", kept up to date; the exact moment as title. */
export function Time({ at, span = false }: TimeProps) {
  if (at === null || at === undefined) return <span class="soft">–</span>;
  const text = relative(at, now.value);
  return (
    <time dateTime={at} title={absoluteIn(at, zoneName(timeZone.value))}>
      {span ? text.replace(/ ago$/, '').replace(/^now$/, 'a moment') : text}
    </time>
  );
}
