import { withQuery } from '../../app/paths.ts';
import { navigate } from '../../app/router.ts';
import { Card, PageHead } from '../../ui/page.tsx';
import { SystemForm } from './system-form.tsx';
import { systemHref } from './system-text.ts';

export function NewSystem() {
  return (
    <>
      <PageHead title="Register a system" under={{ label: 'Systems', href: '/dashboard/systems' }} />
      <Card>
        <SystemForm
          onDone={(system) => {
            // Whether it can be reached is what one wants to know next.
            navigate(withQuery(systemHref(system), { check: 'now' }), { replace: true });
          }}
          onCancel={() => {
            navigate('/dashboard/systems');
          }}
        />
      </Card>
    </>
  );
}
