import type { Role } from '#schemas/http/common.ts';
import type { RolesView } from '#schemas/http/roles.ts';
import { readRoles } from '../../api/keys.ts';
import { useLoaded } from '../../app/hooks.ts';
import { Card, PageHead } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';

type Endpoint = RolesView['endpoints'][number];
const rank: Readonly<Record<Endpoint['access'], number>> = { public: -1, viewer: 0, operator: 1, editor: 2, admin: 3 };

/** The table by which the gateway decides who may do what. */
export function Roles() {
  const { data, error } = useLoaded('roles', (signal) => readRoles({ signal }));
  const sections = [...new Set(data?.endpoints.map(({ section }) => section))];
  return (
    <>
      <PageHead title="What each role may do" under={{ label: 'Settings', href: '/dashboard/settings' }} />
      <Failure error={error} />
      {data === undefined ? (
        error === undefined ? (
          <p class="soft loading">Loading …</p>
        ) : null
      ) : (
        <>
          <Card title="Roles">
            <dl class="roles">
              {data.roles.map(({ role, may }) => (
                <div key={role}>
                  <dt class="strong">{role}</dt>
                  <dd>{may}</dd>
                </div>
              ))}
            </dl>
          </Card>
          {sections.map((section) => (
            <Section
              key={section}
              title={section}
              roles={data.roles.map(({ role }) => role)}
              endpoints={data.endpoints.filter((endpoint) => endpoint.section === section)}
            />
          ))}
          <p class="soft">
            * Not for keys that are limited to systems. Rows of data are in dead letters only, which need the role
            operator.
          </p>
        </>
      )}
    </>
  );
}

function Section({
  title,
  roles,
  endpoints,
}: {
  readonly title: string;
  readonly roles: readonly Role[];
  readonly endpoints: readonly Endpoint[];
}) {
  return (
    <Card title={title} flush>
      <div class="table-box">
        <table role="table" aria-label={`${title}: who may`} class="role-table">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">
                What
              </th>
              {roles.map((role) => (
                <th key={role} role="columnheader" scope="col">
                  {role}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {endpoints.map(({ method, path, access, summary, all_systems }) => (
              <tr role="row" key={`${method} ${path}`}>
                <th role="rowheader" scope="row" data-label="What">
                  {summary}
                  {all_systems ? ' *' : ''}
                  <code class="soft ends">
                    {method} {path}
                  </code>
                </th>
                {roles.map((role) => {
                  const may = rank[role] >= rank[access];
                  return (
                    <td key={role} role="cell" data-label={role}>
                      <span class={may ? 'may' : 'may-not'} aria-hidden="true">
                        {may ? '✓' : '–'}
                      </span>
                      <span class="sr-only">{may ? 'may' : 'may not'}</span>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
