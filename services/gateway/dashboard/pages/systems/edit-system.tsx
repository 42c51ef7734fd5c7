import { readSystem } from '../../api/systems.ts';
import { useLoaded } from '../../app/hooks.ts';
import { navigate } from '../../app/router.ts';
import { Card, PageHead } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { toast } from '../../ui/toast.tsx';
import { SystemForm } from './system-form.tsx';
import { systemHref } from './system-text.ts';

export function EditSystem({ system: wanted }: { readonly system: string }) {
  const { data: system, error } = useLoaded(`system ${wanted}`, (signal) => readSystem(wanted, { signal }));
  if (system === undefined) {
    return (
      <>
        <PageHead title={wanted} under={{ label: 'Systems', href: '/dashboard/systems' }} />
        {error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={error} />}
      </>
    );
  }
  return (
    <>
      <PageHead title={`Change ${system.name}`} under={{ label: system.name, href: systemHref(system) }} />
      <Card>
        <SystemForm
          key={system.id}
          system={system}
          onDone={(changed) => {
            toast(`${changed.name} is changed. Pairs use the new connection when they next connect.`);
            navigate(systemHref(changed), { replace: true });
          }}
          onCancel={() => {
            navigate(systemHref(system));
          }}
        />
      </Card>
    </>
  );
}
