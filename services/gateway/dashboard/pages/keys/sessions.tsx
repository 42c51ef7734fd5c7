import type { OpenSession } from '#schemas/http/session.ts';
import { endOpenSession, listSessions } from '../../api/keys.ts';
import { useList } from '../../app/hooks.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';

/** Browsers that are logged in, and throwing one out. */
export function SessionsCard() {
  const sessions = useList('sessions', (cursor, signal) => listSessions(cursor, { signal }), { every: 15_000 });
  const columns: readonly Column<OpenSession>[] = [
    {
      title: 'Key',
      cell: ({ key, current }) => (
        <>
          <span class="strong">{key.name}</span>{' '}
          {current ? <Badge state="current" label="this browser" tone="good" /> : null}
          <span class="soft ends">{key.role}</span>
        </>
      ),
      sort: ({ key }) => key.name,
      wide: true,
    },
    { title: 'Logged in', cell: ({ created_at }) => <Time at={created_at} />, sort: ({ created_at }) => created_at },
    {
      title: 'Last seen',
      cell: ({ last_seen_at }) => <Time at={last_seen_at} />,
      sort: ({ last_seen_at }) => last_seen_at,
    },
    { title: 'Ends if left alone', cell: ({ expires_at }) => <Time at={expires_at} /> },
    { title: 'Ends in any case', cell: ({ ends_at }) => <Time at={ends_at} /> },
    {
      title: 'Actions',
      cell: ({ id, key, current }) =>
        current ? null : (
          <Action
            label="End"
            role="admin"
            size="small"
            run={() => endOpenSession(id).then(sessions.reload)}
            done={`A browser of ${key.name} is logged out.`}
            confirm={{
              title: `Log a browser of ${key.name} out?`,
              text: 'It can log in again with the same key; revoke the key to keep it out.',
            }}
          />
        ),
    },
  ];
  return (
    <Card title="Logged-in browsers" flush>
      <Table
        label="Open sessions"
        {...sessions}
        rows={sessions.items}
        columns={columns}
        rowKey={({ id }) => id}
        empty={<Empty title="No browser is logged in">Somebody who signs in here with a key is listed.</Empty>}
      />
    </Card>
  );
}
