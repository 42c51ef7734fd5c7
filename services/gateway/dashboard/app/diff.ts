/** One value of two that are compared, by its path: "definition.config.batch_size". */
export interface DiffLine {
  readonly path: string;
  /** As text; undefined: not there. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly kind: 'same' | 'changed' | 'added' | 'removed';
}

/** What is different between two JSON values, value by value, in the order in which they stand. */
export function diffOf(before: unknown, after: unknown): DiffLine[] {
  const [old, now] = [flatten(before), flatten(after)];
  return [...new Set([...old.keys(), ...now.keys()])].map((path) => {
    const [was, is] = [old.get(path), now.get(path)];
    const kind = was === undefined ? 'added' : is === undefined ? 'removed' : was === is ? 'same' : 'changed';
    return { path, before: was, after: is, kind };
  });
}

function flatten(value: unknown): Map<string, string> {
  const lines = new Map<string, string>();
  // Nothing at all is no line; a null inside is a value.
  if (value !== undefined && value !== null) add(value, '', lines);
  return lines;
}

function add(value: unknown, path: string, lines: Map<string, string>): void {
  if (typeof value === 'object' && value !== null) {
    const inner = Array.isArray(value)
      ? value.map((each, index) => [`${path}[${index}]`, each as unknown] as const)
      : Object.entries(value).map(([name, each]) => [path === '' ? name : `${path}.${name}`, each as unknown] as const);
    for (const [at, each] of inner) add(each, at, lines);
    if (inner.length > 0) return;
  }
  lines.set(path, typeof value === 'string' ? value : JSON.stringify(value));
}
