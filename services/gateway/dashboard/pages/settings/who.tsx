import { readWho } from '../../api/settings.ts';
import { useLoaded } from '../../app/hooks.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card, Figure } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';

/** Who the gateway takes whoever looks for. */
export function Who() {
  const { data: who, error } = useLoaded('who', (signal) => readWho({ signal }));
  return (
    <Card title="You">
      <Failure error={error} />
      {who === undefined ? null : (
        <dl class="figures">
          <Figure label="Key" value={who.name} note={who.id} />
          <Figure label="Role" value={<Badge state={who.role} tone="good" />} />
          <Figure
            label="Systems"
            value={who.systems === null ? 'all' : who.systems.map(({ name }) => name).join(', ') || 'none'}
          />
          {who.expires_at === null ? null : (
            <Figure
              label={who.by === 'session' ? 'Signed out if left alone' : 'Expires'}
              value={<Time at={who.expires_at} />}
            />
          )}
          {who.ends_at === null ? null : <Figure label="Signed out in any case" value={<Time at={who.ends_at} />} />}
        </dl>
      )}
    </Card>
  );
}
