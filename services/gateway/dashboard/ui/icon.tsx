/** Drawn by us on a grid of 20, one line each. */
const paths = {
  overview: 'M3 11.5 7 7l3.5 3.5L17 4M3 16.5h14',
  pairs: 'M4 7h11l-3-3M16 13H5l3 3',
  systems:
    'M10 3c4 0 6 1.1 6 2.5S14 8 10 8 4 6.9 4 5.5 6 3 10 3ZM4 5.5v9C4 15.9 6 17 10 17s6-1.1 6-2.500v-9M4 10c0 1.400 2 2.500 6 2.500s6-1.100 6-2.500',
  operations: 'M4 5h12M4 10h8M4 15h5M14 12.500l3 2-3 2z',
  'dead-letters': 'M3 5.500h14v9.500H3zM3 6l7 5 7-5',
  conflicts: 'M5 4v4c0 4 10 4 10 8M15 4v4c0 1.500-1.500 2.500-3 3M5 16c0-1.500 1-2.500 2.500-3.200',
  audit: 'M5 3h7l3 3v11H5zM8 9h4M8 12h4',
  alerts: 'M10 3.500c-3 0-4.500 2-4.500 5 0 3-1.500 4-1.500 5h12c0-1-1.500-2-1.500-5 0-3-1.500-5-4.500-5ZM8.500 16h3',
  keys: 'M7 9.500a3.500 3.500 0 1 1 2 3.200L7.500 14H6v1.500H4.500V17H3v-2.500l4.200-4.200M12.500 7.500h.1',
  settings: 'M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4',
  menu: 'M3 5h14M3 10h14M3 15h14',
  close: 'M5 5l10 10M15 5 5 15',
  plus: 'M10 4v12M4 10h12',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
