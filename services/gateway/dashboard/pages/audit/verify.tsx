import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { verifyAudit, type AuditVerdict } from '../../api/audit.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { count, counted } from '../../format.ts';
import { Failure } from '../../ui/problem.tsx';

/** A button that has the gateway walk the whole chain, and what was found. */
export function useVerification(): { readonly button: ComponentChildren; readonly verdict: ComponentChildren } {
  const [busy, setBusy] = useState(false);
  const [verdict, setVerdict] = useState<AuditVerdict | undefined>(undefined);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const run = (): void => {
    setBusy(true);
    setError(undefined);
    setVerdict(undefined);
    verifyAudit()
      .then(setVerdict, (failed: unknown) => {
        setError(asApi(failed));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return {
    button: (
      <button type="button" disabled={busy} aria-busy={busy} onClick={run}>
        {busy ? 'Verifying …' : 'Verify the trail'}
      </button>
    ),
    verdict: (
      <>
        <Failure error={error} />
        <div role="status">{verdict === undefined ? null : <Verdict verdict={verdict} />}</div>
      </>
    ),
  };
}

function Verdict({ verdict }: { readonly verdict: AuditVerdict }) {
  const { ok, entries, broken_at, reason, head, removed } = verdict;
  if (!ok) {
    return (
      <div class="notice bad">
        <p class="notice-title">The chain is broken: the trail was altered</p>
        <p>
          The first link that does not hold is entry <strong>{broken_at ?? 'unknown'}</strong>
          {reason === null ? '.' : `: ${reason}.`}
        </p>
        <p>
          Everything before it is as it was written. Keep a copy of the control database, and find out who can write to
          it beside this product.
        </p>
      </div>
    );
  }
  return (
    <div class="notice good">
      <p class="notice-title">The chain holds: {counted(entries, 'entry', 'entries')}, none altered, none missing</p>
      {head === null ? null : (
        <p>
          The last one is number {head.seq} with hash <code class="hash">{head.hash}</code>. Kept elsewhere, it proves
          later that nothing was cut off.
        </p>
      )}
      {removed === null ? null : (
        <p>
          Retention has removed {count(removed.entries)} older ones, up to number {removed.through}; a signed entry says
          so.
        </p>
      )}
    </div>
  );
}
