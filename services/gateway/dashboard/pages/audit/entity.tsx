import { findPair, pairs } from '../../app/live.ts';
import { findPage } from '../../app/pages.ts';
import { pathOf } from '../../app/paths.ts';
import { may } from '../../app/session.ts';
import { entityWords } from './words.ts';

/** Where a thing is looked at; undefined for an id that is none of one thing, such as "all". */
function placeOf(kind: string, id: string): string | undefined {
  switch (kind) {
    case 'sync_pair':
      // One that is gone has no page.
      return findPair(id) && pathOf('/dashboard/pairs/:id', { id });
    case 'sync_operation':
      return pathOf('/dashboard/operations/:id', { id });
    case 'dead_letter':
      return /^\d+$/.test(id) && may('operator') ? pathOf('/dashboard/dead-letters/:id', { id }) : undefined;
    case 'system':
      return pathOf('/dashboard/systems/:id', { id });
    default:
      return undefined;
  }
}

/** Names of pairs and their systems are known; the trail keeps ids. */
function nameOf(kind: string, id: string): string | undefined {
  if (kind === 'sync_pair') return findPair(id)?.name;
  if (kind !== 'system') return undefined;
  return pairs.value.flatMap(({ source, target }) => [source, target]).find((system) => system.id === id)?.name;
}

/** What an entry is about, with the way to it where there is one. */
export function Entity({ kind, id }: { readonly kind: string | null; readonly id: string | null }) {
  if (kind === null) return <span class="soft">–</span>;
  const path = id === null ? undefined : placeOf(kind, id);
  const name = (id === null ? undefined : nameOf(kind, id)) ?? id ?? '';
  return (
    <>
      {path !== undefined && findPage(path) !== undefined ? <a href={path}>{name}</a> : name}
      <span class="soft ends">{entityWords[kind] ?? kind}</span>
    </>
  );
}
