import { place } from '../app/router.ts';

export interface Tab {
  readonly label: string;
  /** With a query when the parts share their filters. */
  readonly href: string;
  /** Stands behind the label: how many there are. */
  readonly count?: number | undefined;
}

/** Parts of a page, each with an address of its own. */
export function Tabs({ label, tabs }: { readonly label: string; readonly tabs: readonly Tab[] }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(({ label: text, href, count }) => (
        <a
          key={text}
          href={href}
          {...(place.value.path === href.split('?', 1)[0] ? { 'aria-current': 'page' as const } : {})}
        >
          {text}
          {count === undefined || count === 0 ? null : <span class="count">{count}</span>}
        </a>
      ))}
    </nav>
  );
}
