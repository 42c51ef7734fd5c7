import type { SystemView } from '#schemas/http/systems.ts';
import { pathOf } from '../../app/paths.ts';

/** The page of a system. The name that the form's own address has is reached by its id. */
export const systemHref = ({ id, name }: Pick<SystemView, 'id' | 'name'>): string =>
  pathOf('/dashboard/systems/:system', { system: name === 'new' ? id : name });

/** Where it is and as whom it is reached: "sync@10.0.0.5:5432/pacs". A URL of no known form is shown as it is: it holds no password. */
export function addressText({ connection }: Pick<SystemView, 'connection'>): string {
  const { url } = connection;
  return typeof url === 'string' ? url.replace(/^postgres(ql)?:\/\//, '') : '–';
}

export const environmentOptions: readonly { readonly value: SystemView['environment']; readonly label: string }[] = [
  { value: 'production', label: 'Production' },
  { value: 'training', label: 'Training' },
  { value: 'development', label: 'Development' },
];

export const kindOptions: readonly { readonly value: SystemView['kind']; readonly label: string }[] = (
  ['PACS', 'CAMA', 'GIS', 'ERP', 'CRM', 'Other'] as const
).map((value) => ({ value, label: value }));

/** How the last look came out, of both roles together: what it was looked at for counts. */
export function lastCheckState({ last_check: { source, target } }: SystemView): {
  readonly tone: 'good' | 'busy' | 'bad' | 'calm';
  readonly label: string;
  readonly at: string | null;
} {
  const looks = [
    ['source', source],
    ['target', target],
  ] as const;
  const known = looks.flatMap(([role, look]) => (look === null ? [] : [{ role, look }]));
  const at =
    known
      .map(({ look }) => look.at)
      .sort()
      .at(-1) ?? null;
  if (at === null) return { tone: 'calm', label: 'never checked', at };
  const fit = known.filter(({ look }) => look.ok).map(({ role }) => role);
  if (fit.length === known.length) return { tone: 'good', label: `fit as ${fit.join(' and ')}`, at };
  if (fit.length > 0) return { tone: 'busy', label: `fit as ${fit.join()} only`, at };
  return { tone: 'bad', label: 'not fit', at };
}
