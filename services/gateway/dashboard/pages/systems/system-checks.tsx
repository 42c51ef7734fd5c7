import { useEffect, useState } from 'preact/hooks';
import type { CheckView } from '#schemas/http/common.ts';
import type { SystemView } from '#schemas/http/systems.ts';
import { checkSystem } from '../../api/systems.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { place, setQuery } from '../../app/router.ts';
import { may } from '../../app/session.ts';
import { CheckList } from '../../ui/check-list.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';

const roles = ['source', 'target'] as const;
type EndRole = (typeof roles)[number];

interface Look {
  readonly running: boolean;
  readonly checks: readonly CheckView[] | undefined;
  readonly tookMs: number | undefined;
  readonly error: ApiError | undefined;
}

const notYet: Look = { running: false, checks: undefined, tookMs: undefined, error: undefined };

/** Each precondition by name, in both roles; each role's list is there as soon as it is known. */
export function SystemChecks({ system, reload }: { readonly system: SystemView; readonly reload: () => void }) {
  const [looks, setLooks] = useState<Readonly<Record<EndRole, Look>>>({ source: notYet, target: notYet });
  const set = (role: EndRole, look: Partial<Look>): void => {
    setLooks((before) => ({ ...before, [role]: { ...before[role], ...look } }));
  };
  const run = async (wanted: readonly EndRole[]): Promise<void> => {
    await Promise.all(
      wanted.map(async (role) => {
        set(role, { running: true, error: undefined });
        try {
          const report = await checkSystem(system.id, role);
          set(role, { running: false, checks: report[role] ?? [], tookMs: report.took_ms });
        } catch (error) {
          set(role, { running: false, error: asApi(error) });
        }
      }),
    );
    reload();
  };
  // Who has just registered it comes with this wish.
  const now = place.value.query.get('check') === 'now';
  useEffect(() => {
    if (!now || !may('operator')) return;
    setQuery({ check: undefined });
    void run(roles);
  }, [now]);
  const running = roles.some((role) => looks[role].running);
  return (
    <Card
      title="Check"
      actions={
        may('operator') ? (
          <button type="button" class="main" disabled={running} aria-busy={running} onClick={() => void run(roles)}>
            Check now
          </button>
        ) : undefined
      }
    >
      <div class="columns">
        {roles.map((role) => (
          <RoleLook key={role} role={role} look={looks[role]} last={system.last_check[role]} />
        ))}
      </div>
    </Card>
  );
}

function RoleLook({
  role,
  look: { running, checks, tookMs, error },
  last,
}: {
  readonly role: EndRole;
  readonly look: Look;
  readonly last: SystemView['last_check'][EndRole];
}) {
  // What the last check found to be wrong stands there until it is looked at again.
  const shown = checks ?? last?.failed;
  return (
    <section class="role-look" aria-label={`As a ${role}`} aria-busy={running}>
      <h3>As a {role}</h3>
      <div role="status">
        {running ? (
          <>
            <p class="soft">Connecting, and looking at each precondition …</p>
            <div class="track unknown">
              <div class="fill" />
            </div>
          </>
        ) : null}
      </div>
      <Failure error={error} />
      {shown === undefined ? (
        running ? null : (
          <p class="soft">Not looked at yet with this connection.</p>
        )
      ) : (
        <>
          <p class="soft">
            {checks === undefined ? (
              <>
                <Time at={last!.at} />
                {last!.failed.length === 0 ? ': every precondition was met.' : ':'}
              </>
            ) : (
              `Looked at just now, in ${tookMs ?? 0} ms.`
            )}
          </p>
          <CheckList label={`Preconditions of a ${role}`} checks={shown} />
        </>
      )}
    </section>
  );
}
