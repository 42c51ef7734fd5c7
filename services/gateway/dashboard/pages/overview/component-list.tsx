import type { ComponentView } from '#schemas/http/status.ts';
import { Badge } from '../../ui/badge.tsx';
import { Time } from '../../ui/time.tsx';

/** The processes and what they stand on. */
export function ComponentList({ components }: { readonly components: readonly ComponentView[] }) {
  if (components.length === 0) return <p class="soft loading">Loading …</p>;
  return (
    <ul class="components">
      {components.map(({ name, state, message, since }) => (
        <li key={name}>
          <span class="component-name">{name}</span>
          <Badge state={state} />
          <span class="soft component-message">{message}</span>
          {since === null ? null : (
            <span class="soft component-since">
              for <Time at={since} span />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
