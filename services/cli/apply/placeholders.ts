/** What a text that came from a file became. */
export interface Filled {
  readonly text: string;
  /** Names of variables that are not set: their places are left as they were. */
  readonly missing: readonly string[];
}

const place = /(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Replaces ${NAME} by the environment variable; $${NAME} is the text ${NAME}. An empty variable counts as not set. */
export function fill(text: string, env: Readonly<Record<string, string | undefined>>): Filled {
  const missing: string[] = [];
  const filled = text.replace(place, (whole, escape: string, name: string) => {
    if (escape !== '') return `\${${name}}`;
    const value = env[name];
    if (value !== undefined && value !== '') return value;
    missing.push(name);
    return whole;
  });
  return { text: filled, missing };
}

/** A text that {@link fill} gives back as it is. */
export function escaped(text: string): string {
  // By a function: in a replacing text "$$" is one "$".
  return text.replace(/\$\{(?=[A-Za-z_][A-Za-z0-9_]*\})/g, () => '$${');
}

/** "county-pacs", "password" → "${COUNTY_PACS_PASSWORD}" */
export function placeholder(...words: readonly string[]): string {
  const name = words
    .join('_')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
  return `\${${/^[0-9]/.test(name) ? `_${name}` : name}}`;
}
