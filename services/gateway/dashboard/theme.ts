// Runs before anything is drawn: whoever has chosen light or dark sees no flash of the other.
const chosen = localStorage.getItem('terrafusion.theme');
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
