import { useState } from 'preact/hooks';
import type { Role } from '#schemas/http/common.ts';
import type { KeyMade, KeyView } from '#schemas/http/keys.ts';
import { listKeys, revokeKey } from '../../api/keys.ts';
import { now } from '../../app/clock.ts';
import { useList } from '../../app/hooks.ts';
import { withQuery } from '../../app/paths.ts';
import { place, setQuery } from '../../app/router.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Filters, SelectFilter } from '../../ui/filters.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { CreateKey } from './create.tsx';
import { KeyShown } from './key-shown.tsx';
import { RotateKey } from './rotate.tsx';
import { SessionsCard } from './sessions.tsx';

const roles: readonly Role[] = ['viewer', 'operator', 'editor', 'admin'];
type KeyState = 'in use' | 'expired' | 'revoked';

const stateOf = ({ revoked_at, expires_at }: KeyView): KeyState =>
  revoked_at !== null ? 'revoked' : expires_at !== null && Date.parse(expires_at) <= now.value ? 'expired' : 'in use';

/** What a dialog is about. */
type Opened = { readonly what: 'create' } | { readonly what: 'rotate'; readonly key: KeyView };

/** Who may come in, and how far: keys and the browsers that are logged in with them. */
export function Keys() {
  const { query } = place.value;
  const role = (query.get('role') ?? undefined) as Role | undefined;
  const withOld = query.get('old') === '1';
  const keys = useList(`keys ${role ?? ''}`, (cursor, signal) => listKeys({ role, cursor }, { signal }), {
    every: 15_000,
  });
  const [opened, open] = useState<Opened | undefined>(undefined);
  const [made, setMade] = useState<KeyMade | undefined>(undefined);
  const close = (): void => {
    open(undefined);
  };
  const show = (key: KeyMade): void => {
    close();
    setMade(key);
    keys.reload();
  };
  const shown = keys.items?.filter((key) => withOld || stateOf(key) !== 'revoked');
  const hidden = (keys.items?.length ?? 0) - (shown?.length ?? 0);
  return (
    <>
      <PageHead title="Keys">
        <a class="button" href="/dashboard/roles">
          What each role may do
        </a>
        <button
          type="button"
          class="main"
          onClick={() => {
            open({ what: 'create' });
          }}
        >
          Make a key
        </button>
      </PageHead>
      <p class="soft under-title">
        Programs and people come in with a key. It is shown once, when it is made; only a hash of it is kept.
      </p>
      <Card flush>
        <Filters
          names={['role', 'old']}
          told={hidden === 0 ? undefined : `${hidden} revoked ${hidden === 1 ? 'key is' : 'keys are'} not shown`}
        >
          <SelectFilter
            name="role"
            label="Role"
            every="Every role"
            options={roles.map((value) => ({ value, label: value }))}
          />
          <label class="check">
            <input
              type="checkbox"
              checked={withOld}
              onChange={(event) => {
                setQuery({ old: event.currentTarget.checked ? '1' : undefined });
              }}
            />
            Revoked ones too
          </label>
        </Filters>
        <Table
          label="Keys"
          {...keys}
          rows={shown}
          columns={[
            ...columns,
            {
              title: 'Actions',
              cell: (key) => (
                <KeyActions
                  item={key}
                  reload={keys.reload}
                  rotate={() => {
                    open({ what: 'rotate', key });
                  }}
                />
              ),
            },
          ]}
          rowKey={({ id }) => id}
          empty={
            <Empty title="No key is like this">
              Make one for each person and program: then the audit trail tells who did what.
            </Empty>
          }
        />
      </Card>
      <SessionsCard />
      {opened?.what === 'create' ? <CreateKey onClose={close} onMade={show} /> : null}
      {opened?.what === 'rotate' ? <RotateKey item={opened.key} onClose={close} onMade={show} /> : null}
      {made === undefined ? null : (
        <KeyShown
          made={made}
          onClose={() => {
            setMade(undefined);
          }}
        />
      )}
    </>
  );
}

const columns: readonly Column<KeyView>[] = [
  {
    title: 'Name',
    cell: ({ name, id }) => (
      <>
        <span class="strong">{name}</span>
        <span class="soft ends">{id}</span>
      </>
    ),
    sort: ({ name }) => name,
    wide: true,
  },
  { title: 'Role', cell: ({ role }) => role, sort: ({ role }) => roles.indexOf(role) },
  {
    title: 'Systems',
    cell: ({ systems }) =>
      systems === null ? <span class="soft">all</span> : systems.map(({ name }) => name).join(', '),
  },
  {
    title: 'State',
    cell: (key) => <Badge state={stateOf(key)} tone={stateOf(key) === 'in use' ? 'good' : 'calm'} />,
    sort: stateOf,
  },
  {
    title: 'Last used',
    cell: ({ last_used_at }) => (last_used_at === null ? <span class="soft">never</span> : <Time at={last_used_at} />),
    sort: ({ last_used_at }) => last_used_at,
  },
  {
    title: 'Expires',
    cell: ({ expires_at }) => (expires_at === null ? <span class="soft">never</span> : <Time at={expires_at} />),
    sort: ({ expires_at }) => expires_at,
  },
  {
    title: 'Made',
    cell: ({ created_at, created_by, rotated_at }) => (
      <>
        <Time at={created_at} />
        {created_by === null ? null : <span class="soft ends">by {created_by}</span>}
        {rotated_at === null ? null : (
          <span class="soft ends">
            secret changed <Time at={rotated_at} />
          </span>
        )}
      </>
    ),
    sort: ({ created_at }) => created_at,
  },
];

function KeyActions({
  item,
  reload,
  rotate,
}: {
  readonly item: KeyView;
  readonly reload: () => void;
  readonly rotate: () => void;
}) {
  const { id, name, revoked_at } = item;
  const trail = <a href={withQuery('/dashboard/audit', { actor: `${name} (${id})` })}>What it did</a>;
  if (revoked_at !== null) return trail;
  return (
    <span class="actions">
      <button type="button" class="small" onClick={rotate}>
        Rotate
      </button>
      <Action
        label="Revoke"
        role="admin"
        size="small"
        kind="danger"
        run={() => revokeKey(id).then(reload)}
        done={`The key ${name} opens nothing any more.`}
        confirm={{
          title: `Revoke the key ${name}?`,
          text: 'Programs that use it are refused from now on, and browsers that are logged in with it are logged out. It cannot be brought back.',
          name,
        }}
      />
      {trail}
    </span>
  );
}
