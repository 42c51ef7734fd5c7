import { signal } from '@preact/signals';

/** "system": as the machine is set. */
export type Theme = 'system' | 'light' | 'dark';

const STORAGE = 'terrafusion.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

export const theme = signal<Theme>(read());
/** Grows when colours change: what is drawn on a canvas has to be drawn anew. */
export const colours = signal(0);

dark.addEventListener('change', () => {
  colours.value += 1;
});

export function setTheme(wanted: Theme): void {
  if (wanted === 'system') {
    localStorage.removeItem(STORAGE);
    delete document.documentElement.dataset['theme'];
  } else {
    localStorage.setItem(STORAGE, wanted);
    document.documentElement.dataset['theme'] = wanted;
  }
  theme.value = wanted;
  colours.value += 1;
}

function read(): Theme {
  const { theme: chosen } = document.documentElement.dataset;
  return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}
