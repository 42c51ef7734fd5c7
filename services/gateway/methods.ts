import { TerraFusionError } from '#schemas/errors.ts';
import type { App } from './gateway.ts';

/** Which methods each path has: to be asked for before the routes are there. */
export function knowMethods(app: App): (path: string) => readonly string[] {
  const known = new Map<string, { readonly matches: RegExp; readonly methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const entry = known.get(url) ?? { matches: patternOf(url), methods: new Set<string>() };
    known.set(url, entry);
    for (const each of [method].flat()) entry.methods.add(each);
  });
  return (path) => {
    const plain = path.length > 1 ? path.replace(/\/$/, '') : path;
    const found = [...known.values()].filter(({ matches }) => matches.test(plain));
    // Preflights are answered for every path, which says nothing of this one.
    return [...new Set(found.flatMap(({ methods }) => [...methods]))].filter((each) => each !== 'OPTIONS').sort();
  };
}

/** @returns NOT_FOUND, or METHOD_NOT_ALLOWED where the path is there for others */
export function nothingThere(method: string, path: string, allowed: readonly string[]): TerraFusionError {
  if (allowed.length === 0) return new TerraFusionError('NOT_FOUND', `There is no ${method} ${path}`);
  return new TerraFusionError('METHOD_NOT_ALLOWED', `${path} is there for ${allowed.join(', ')}, not for ${method}`, {
    details: { allowed },
  });
}

/** "/api/systems/:id" and "/dashboard/*" as what they match. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part.startsWith(':')) return '[^/]+';
    return part === '*' ? '.*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  });
  return new RegExp(`^${parts.join('/')}$`);
}
