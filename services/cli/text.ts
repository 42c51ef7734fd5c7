const control = /[\u0000-\u001f\u007f-\u009f]/g;
const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * What others wrote (a row's value, a server's message) as one line of a terminal: control characters are shown instead of sent, so that a
 * value of a row cannot move the cursor, colour the screen or ask the terminal for something.
 */
export function printable(text: string): string {
  return text.replace(control, (each) => names[each] ?? `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Characters as they are counted on a terminal; good enough for the scripts that a county writes in. */
export function widthOf(text: string): number {
  return /^[\u0020-\u007e]*$/.test(text) ? text.length : Array.from(text).length;
}

/** At most `width` characters, the last one "…" where something was cut. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return width < 1
    ? ''
    : `${Array.from(text)
        .slice(0, width - 1)
        .join('')}…`;
}

export function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? space + text : text + space;
}
