import type { SystemView } from '#schemas/http/systems.ts';
import { readSystem, removeSystem } from '../../api/systems.ts';
import { useLoaded } from '../../app/hooks.ts';
import { pairs } from '../../app/live.ts';
import { navigate } from '../../app/router.ts';
import { may } from '../../app/session.ts';
import { bytes } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card, Figure, PageHead } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Time } from '../../ui/time.tsx';
import { PairTable } from '../pairs/pair-table.tsx';
import { KEPT } from './connection.ts';
import { SystemChecks } from './system-checks.tsx';
import { SystemSlots } from './system-slots.tsx';
import { addressText, lastCheckState, systemHref } from './system-text.ts';

const under = { label: 'Systems', href: '/dashboard/systems' };

export function SystemPage({ system: wanted, tab = '' }: { readonly system: string; readonly tab?: string }) {
  const {
    data: system,
    error,
    reload,
  } = useLoaded(`system ${wanted}`, (signal) => readSystem(wanted, { signal }), { every: 15_000 });
  if (system === undefined || error?.status === 404) {
    return (
      <>
        <PageHead title={wanted} under={under} />
        {error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={error} />}
      </>
    );
  }
  const { label, tone, at } = lastCheckState(system);
  const base = systemHref(system);
  return (
    <>
      <PageHead title={system.name} under={under} badge={<Badge state={label} tone={tone} label={label} />}>
        {may('editor') ? (
          <a class="button" href={`${base}/edit`}>
            Change
          </a>
        ) : null}
        <Remove system={system} />
      </PageHead>
      <p class="soft under-title">
        {system.kind} · {system.environment} · {addressText(system)}
        {at === null ? null : (
          <>
            {' · checked '}
            <Time at={at} />
          </>
        )}
      </p>
      <Failure error={error} />
      <Tabs
        label={`Parts of ${system.name}`}
        tabs={[
          { label: 'Overview', href: base },
          ...(may('operator') ? [{ label: 'Slots', href: `${base}/slots` }] : []),
        ]}
      />
      {tab === 'slots' ? <SystemSlots system={system} /> : <Overview system={system} reload={reload} />}
    </>
  );
}

function Overview({ system, reload }: { readonly system: SystemView; readonly reload: () => void }) {
  const using = pairs.value.filter(({ source, target }) => source.id === system.id || target.id === system.id);
  return (
    <>
      <SystemChecks system={system} reload={reload} />
      <Card title="Pairs that use it" flush>
        {using.length === 0 ? (
          <Empty title="No pair uses it yet">A pair reads from one system and keeps another one in step.</Empty>
        ) : (
          <PairTable pairs={using} filtered />
        )}
      </Card>
      <Card title="Facts">
        <dl class="figures">
          <Figure label="Connector" value={system.connector} />
          <Figure label="Password" value={passwordText(system)} />
          <Figure label="Encryption" value={tlsText(system)} />
          <Figure
            label="May keep for us as a source"
            value={system.wal_budget_bytes === null ? 'as the settings say' : bytes(system.wal_budget_bytes)}
            note={system.on_wal_budget === 'alarm' ? 'then an alarm' : 'then the slot is given up'}
          />
          <Figure label="Registered" value={<Time at={system.created_at} />} />
          <Figure label="Changed" value={<Time at={system.updated_at} />} />
        </dl>
      </Card>
    </>
  );
}

function tlsText({ connection }: SystemView): string {
  const mode = connection['ssl_mode'];
  return typeof mode === 'string' ? mode : 'as the server can';
}

function passwordText({ connection }: SystemView): string {
  if (connection['password'] === KEPT) return 'stored, encrypted';
  const file = connection['password_file'];
  return typeof file === 'string' ? `in ${file}` : 'none';
}

function Remove({ system: { id, name } }: { readonly system: SystemView }) {
  return (
    <Action
      label="Remove"
      role="editor"
      kind="danger"
      run={async () => {
        await removeSystem(id);
        navigate('/dashboard/systems');
      }}
      done={`${name} is removed.`}
      confirm={{
        title: `Remove ${name}?`,
        text: 'Only the registration goes: nothing is changed in the database. While pairs use it, it cannot be removed.',
        name,
      }}
    />
  );
}
