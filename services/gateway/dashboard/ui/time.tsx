import { now } from '../app/clock.ts';
import { absolute, relative } from '../format.ts';

/** "12 s ago", kept up to date; the exact moment as title. */
export function Time({ at }: { readonly at: string | null | undefined }) {
  if (at === null || at === undefined) return <span class="soft">–</span>;
  return (
    <time dateTime={at} title={absolute(at)}>
      {relative(at, now.value)}
    </time>
  );
}
