/** What somebody may see of the metrics: names of pairs, and of systems. */
export interface SeenNames {
  readonly pairs: ReadonlySet<string>;
  readonly sources: ReadonlySet<string>;
}

/**
 * The lines of a Prometheus text that are about pairs or sources that somebody may see. Those about none (the process, requests, the machine) are about
 * everybody, and are left out.
 */
export function metricsWithin(text: string, { pairs, sources }: SeenNames): string {
  const kept: string[] = [];
  let heading: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) {
      if (line.startsWith('# HELP')) heading = [];
      heading.push(line);
      continue;
    }
    const labels = labelsOf(line);
    const pair = labels.get('pair');
    const source = labels.get('source');
    if (pair === undefined && source === undefined) continue;
    if ((pair !== undefined && !pairs.has(pair)) || (source !== undefined && !sources.has(source))) continue;
    kept.push(...heading, line);
    heading = [];
  }
  return kept.length === 0 ? '' : `${kept.join('\n')}\n`;
}

/** Of `name{label="value",…} 1`; within a value quote, backslash and line end are written with a backslash. */
function labelsOf(line: string): ReadonlyMap<string, string> {
  const inside = /^\w+\{(.*)\} \S+$/.exec(line)?.[1] ?? '';
  const pairs = inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
  return new Map(
    Array.from(pairs, ([, label, value]) => [
      label!,
      value!.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character)),
    ]),
  );
}
