import type { AlertView } from '#schemas/http/status.ts';
import { findPair } from '../app/live.ts';
import { pathOf } from '../app/paths.ts';
import { words } from '../format.ts';

/** Alerts, the critical ones first; each leads to its pair. */
export function AlertList({ alerts }: { readonly alerts: readonly AlertView[] }) {
  const sorted = [...alerts].sort((a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical'));
  return (
    <ul class="alerts" aria-label="Alerts">
      {sorted.map((alert) => (
        <li
          key={`${alert.code} ${alert.pair ?? ''} ${alert.message}`}
          class={alert.severity === 'critical' ? 'bad' : 'busy'}
        >
          <span class="alert-severity">{alert.severity}</span>
          <span>
            {alert.message}
            {alert.pair === null ? null : (
              <>
                {' · '}
                <a href={pathOf('/dashboard/pairs/:pair', { pair: alert.pair })}>
                  {findPair(alert.pair)?.name ?? alert.pair}
                </a>
              </>
            )}
          </span>
          <span class="soft alert-code">{words(alert.code)}</span>
        </li>
      ))}
    </ul>
  );
}
