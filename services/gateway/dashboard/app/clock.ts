import { signal } from '@preact/signals';

/** Now, in ms since 1970; moves on once a second, and with it every relative time on the page. */
export const now = signal(Date.now());

setInterval(() => {
  // What nobody sees needs no new text.
  if (document.visibilityState === 'visible') now.value = Date.now();
}, 1000);
